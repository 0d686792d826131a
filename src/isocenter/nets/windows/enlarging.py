"""A network that gives more voxels than it takes, seen through the same windows as any other.

What it gives for a voxel is folded into channels of that voxel (the shuffling of Shi 2016, backwards); these are
averaged over windows, and unfolded at the end.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from isocenter.geometry import Triple
from isocenter.nets.plan import Plan
from isocenter.nets.runtimes import Runtime
from isocenter.nets.windows.accumulating import Singles


def times_of(plan: Plan) -> Triple:
    """Voxels along (slice, row, column) that the network of a plan gives for one."""
    given = plan.network.options.get("scale", 2) if plan.network.name == "super_resolution" else 1
    scale = (given,) * plan.dimensions if isinstance(given, int) else tuple(given)
    k, r, c = (1,) * (3 - len(scale)) + scale
    return k, r, c


class Folded:
    """A network as one whose outputs have the size of its input, and more channels.

    Parameters
    ----------
    runtime
        The network.
    times
        As of :func:`times_of`.
    """

    head = None

    def __init__(self, runtime: Runtime, times: Triple) -> None:
        self._runtime, self._times = runtime, times
        self.name, self.device = runtime.name, runtime.device

    def __call__(self, batch: Any) -> Any:
        """Outputs (batch, output * times, *space)."""
        given = self._runtime(batch)
        times = self._times[3 - (given.ndim - 2) :]
        count, outputs, *space = given.shape
        pairs = [n for size, one in zip(space, times, strict=True) for n in (size // one, one)]
        axes = range(2, 2 + len(pairs))
        order = [0, 1, *axes[1::2], *axes[::2]]
        split = given.reshape(count, outputs, *pairs)
        moved = split.transpose(order) if isinstance(split, np.ndarray) else split.permute(order)
        return moved.reshape(count, outputs * prod(times), *pairs[::2])


def unfolded(array: Singles, times: Triple) -> Singles:
    """What a folded network gave of an image, (output * times, slice, row, column), as voxels of the finer one."""
    channels, *space = array.shape
    parts = array.reshape(channels // prod(times), *times, *space).transpose(0, 4, 1, 5, 2, 6, 3)
    return parts.reshape(parts.shape[0], *(n * one for n, one in zip(space, times, strict=True)))
