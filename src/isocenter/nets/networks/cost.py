"""What a network costs, known before anything is allocated: weights, multiplications, memory.

The network of a plan is built and run on tensors that have a shape and no values (torch's fake tensors), under the
precision it will run in, and every storage that would live is counted: the same steps as the real ones, so that what a
checkpointed or branched network keeps is counted as it is kept. What convolution libraries take as working space, and
what torch itself takes, comes on top.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import FlopCounterMode

from isocenter.errors import expect_word
from isocenter.nets.networks import build
from isocenter.nets.plan import Plan

Precision = Literal["fp32", "bf16"]

_KEPT = 12  # bytes for each weight beside it and its gradient: two moments of AdamW, and the running mean


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs.

    Parameters
    ----------
    parameters
        Weights.
    macs
        Multiplications with addition of one patch, forward, in convolutions and matrix products.
    training_bytes
        Memory of a step with the plan's batch: weights, gradients, AdamW, the running mean, and all that is kept for
        the way back.
    inference_bytes
        Memory of one patch: weights, input, output and what lives between.
    """

    parameters: int
    macs: int
    training_bytes: int
    inference_bytes: int


def cost(plan: Plan, *, precision: Precision = "bf16") -> Cost:
    """What the network of a plan costs; nothing of its size is allocated, and no random number drawn.

    Parameters
    ----------
    plan
        The plan; its patch and batch count.
    precision
        Of the forward pass, as ``torch.autocast`` gives it.

    Raises
    ------
    UsageError
        If there is no such network, or it does not take the options or this patch.
    """
    expect_word(precision, Precision, "The precision")
    space = plan.patch[3 - plan.dimensions :]
    with torch.random.fork_rng(devices=[]), FakeTensorMode() as mode, _Living() as living:
        network = _built(plan, mode)
        living.begin()
        count = sum(one.numel() for one in network.parameters())
        with torch.no_grad(), _precisely(precision), FlopCounterMode(display=False) as counted:
            out = network.eval()(torch.zeros(1, plan.inputs, *space))
        inference = living.most
        del out
        living.begin()
        batch = torch.zeros(plan.batch, plan.inputs, *space)
        with _precisely(precision):
            out = network.train()(batch)
        _as_a_loss(out).backward()
        training = living.most + _KEPT * count
    return Cost(count, counted.get_total_flops() // 2, training, inference)


def _built(plan: Plan, mode: FakeTensorMode) -> nn.Module:
    """The network without values.

    One whose builder reads values (Swin UNETR's drop-out rates) is built with them, and its weights are let go at once.
    """
    try:
        return cast("nn.Module", build(plan))
    except DataDependentOutputException:
        with unset_fake_temporarily():
            network: nn.Module = build(plan)
        for module in network.modules():
            for name, one in module.named_parameters(recurse=False):
                fake = mode.from_tensor(one).detach().clone()
                module.register_parameter(name, nn.Parameter(fake, requires_grad=one.requires_grad))
            for name, one in module.named_buffers(recurse=False):
                module.register_buffer(name, mode.from_tensor(one).clone())
        return network


class _Living(TorchDispatchMode):
    """Bytes of all storages made under it that are alive, and the most there were."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.met: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for one in tree_flatten(made)[0]:
            if isinstance(one, torch.Tensor):
                self._meet(one.untyped_storage())
        return made

    def begin(self) -> None:
        """Forget the most there were."""
        self.most = self.now

    def _meet(self, storage: Any) -> None:
        if storage in self.met:
            return
        size = storage.nbytes()
        self.met.add(storage)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._leave, size)

    def _leave(self, size: int) -> None:
        self.now -= size


@contextmanager
def _precisely(precision: Precision) -> Iterator[None]:
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        yield


def _as_a_loss(outputs: Any) -> torch.Tensor:
    """A scalar of all outputs that keeps as much as Dice with cross-entropy does: logs and probabilities."""
    if isinstance(outputs, Mapping):
        outputs = list(outputs.values())
    every = outputs if isinstance(outputs, list | tuple) else [outputs]
    total = torch.zeros(())
    for one in every:
        logs = one.float().log_softmax(1)
        total = total + logs.exp().sum() + logs.sum()
    return total
