"""Patch and batch of a plan made to fit a stated memory, and on a CPU an hour, by what the network really costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isocenter.errors import Refused
from isocenter.extras import needed
from isocenter.geometry import Triple
from isocenter.nets.plan import Network, Plan
from isocenter.reasons import Reason

if TYPE_CHECKING:
    from isocenter.nets.networks.cost import Cost

_MIB = 1024**2
_SHARE = 0.7  # of the memory; the rest is for what convolution libraries take beside the tensors
_CPU_MACS = 24e9
"""Multiplications of a step, forward, on a CPU: on two cores with bf16 half a second with the way back (measured with
the residual U-Net), so that some 6,000 steps are done in an hour."""
_KEPT = 20  # bytes of a weight with its gradient, the moments of AdamW and the running mean
_LEAST = 8  # voxels along an axis that is seen at all
_TRIES = 60

Build = Callable[[Triple], Network]
"""The network that suits a patch."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a step of learning may take.

    Parameters
    ----------
    memory_bytes
        Memory of the device.
    macs
        Multiplications forward of a batch.
    most
        Patches in a batch at most.
    """

    memory_bytes: int
    macs: float
    most: int

    @classmethod
    def on(cls, device: str, memory_bytes: int, *, most: int) -> Room:
        """The room of a device."""
        return cls(memory_bytes, _CPU_MACS if device == "cpu" else math.inf, most)

    def share(self, needs: Cost, batch: int) -> float:
        """How much larger or smaller a patch may be, since what it takes grows with its voxels; 0 if none fits."""
        fixed = _KEPT * needs.parameters
        free = max(_SHARE * self.memory_bytes - fixed, 0)
        return min(free / max(needs.training_bytes - fixed, 1), self.macs / max(batch * needs.macs, 1))


def fitted(plan: Plan, whole: Sequence[float], room: Room, *, build: Build, steps: Callable[[Triple], Triple]) -> Plan:
    """The plan with the largest patch that fits, not larger than its own, and then the largest batch.

    Parameters
    ----------
    plan
        The plan; its patch is the first that is tried.
    whole
        Median shape of the images on the plan's grid: the axis of which the patch sees the most is shortened first.
    room
        What a step may take.
    build
        The network that suits a patch.
    steps
        By how many voxels each axis of a patch can be shortened.

    Raises
    ------
    Refused
        If not even the smallest patch fits (``PLAN_TOO_LARGE``).
    MissingExtra
        If torch is not installed.
    """
    needed("torch", "nets")
    from isocenter.nets.networks.cost import cost

    batch = min(2, room.most)
    for _ in range(_TRIES):
        tried = replace(plan, network=build(plan.patch), batch=batch)
        needs = cost(tried)
        share = room.share(needs, batch)
        if share >= 1:
            return _with_batch(tried, needs, room)
        smaller = _smaller(plan.patch, whole, steps, voxels=math.prod(plan.patch) * share)
        if smaller == plan.patch:
            break
        plan = replace(plan, patch=smaller)
    text = (
        f"The smallest patch, {' x '.join(map(str, plan.patch))}, needs {_size(needs.training_bytes)} to learn from; "
        f"{_size(room.memory_bytes)} were stated, of which {_SHARE:.0%} can be used."
    )
    raise Refused([Reason("PLAN_TOO_LARGE", text)])


def _smaller(patch: Triple, whole: Sequence[float], steps: Callable[[Triple], Triple], *, voxels: float) -> Triple:
    """The patch shortened, one step at least, until it has no more voxels than wanted or cannot be shortened."""
    found = list(patch)
    is_first = True
    while is_first or math.prod(found) > voxels:
        step = steps((found[0], found[1], found[2]))
        free = [axis for axis in range(3) if found[axis] - step[axis] >= _LEAST]
        if not free:
            break
        axis = max(free, key=lambda one: found[one] / whole[one])
        found[axis] -= step[axis]
        is_first = False
    return found[0], found[1], found[2]


def _with_batch(plan: Plan, needs: Cost, room: Room) -> Plan:
    """The plan with as many patches in a batch as fit: memory grows evenly with them."""
    fixed = _KEPT * needs.parameters
    each = max(needs.training_bytes - fixed, 1) / plan.batch
    by_memory = (_SHARE * room.memory_bytes - fixed) / each
    batch = int(min(by_memory, room.macs / max(needs.macs, 1), room.most))
    return replace(plan, batch=max(plan.batch, batch))


def _size(count: int) -> str:
    return f"{count / _MIB / 1024:.1f} GiB" if count >= 1024 * _MIB else f"{count / _MIB:.3g} MiB"
