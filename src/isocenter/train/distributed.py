"""Several processes that teach one network (``torchrun``): each on other samples, with the mean of their gradients.

Gradients are summed in one go after the backward pass; networks here are small against their activations, and so there
is little to hide behind it. What has to be equal in all processes (that one was told to stop, the loss) goes with them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

_PATIENCE = timedelta(hours=12)
"""How long processes wait for the first one, which alone prepares and validates."""


@dataclass(frozen=True, slots=True)
class World:
    """Which of how many processes this is.

    Parameters
    ----------
    rank
        Number of this process, from 0; the first one writes.
    size
        How many there are.
    local_rank
        Number of this process on its machine: of its GPU.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def device(self, kind: str) -> str:
        """The device of this process."""
        return f"cuda:{self.local_rank}" if kind == "cuda" else kind

    def average(self, tensors: Sequence[Any]) -> None:
        """Put the mean over all processes into each tensor."""
        if self.size == 1:
            return
        whole = torch.cat([one.detach().reshape(-1).float() for one in tensors])
        distributed.all_reduce(whole)
        whole /= self.size
        for one, mean in zip(tensors, whole.split([one.numel() for one in tensors]), strict=True):
            one.detach().copy_(mean.view_as(one))

    def spread(self, tensors: Sequence[Any]) -> None:
        """Put the first process's values into each tensor of all."""
        if self.size > 1:
            for one in tensors:
                distributed.broadcast(one.detach(), src=0)

    def told(self, value: Any) -> Any:
        """What the first process says (plain values), in all."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]


@contextmanager
def joined(kind: str) -> Iterator[World]:
    """The processes that ``torchrun`` started, by its environment variables; without any, this one alone.

    Parameters
    ----------
    kind
        ``"cuda"`` joins them by NCCL, ``"cpu"`` by Gloo.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    world = World(int(os.environ["RANK"]), size, int(os.environ.get("LOCAL_RANK", "0")))
    if kind == "cuda":
        torch.cuda.set_device(world.local_rank)
    outside = distributed.is_initialized()  # whoever joined them before also parts them
    if not outside:
        distributed.init_process_group("nccl" if kind == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield world
    finally:
        if not outside:
            distributed.destroy_process_group()
