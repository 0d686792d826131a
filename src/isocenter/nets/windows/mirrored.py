"""A network that sees mirror images too (test-time augmentation): the same interface, the outputs averaged."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, combinations
from typing import Any

import numpy as np

from isocenter.nets.runtimes import Head, Runtime

Flip = tuple[int, ...]


class Mirrored:
    """A network that sees each patch mirrored in some ways, and gives the average.

    Features may be averaged in place of outputs, since the head looks at each voxel by itself.

    Parameters
    ----------
    runtime
        The network.
    flips
        Of each way the axes of a batch that are mirrored, one at least; none leaves the patch as it is.
    """

    def __init__(self, runtime: Runtime, flips: Sequence[Flip]) -> None:
        self._runtime, self._flips = runtime, tuple(flips)

    @property
    def name(self) -> str:
        """As of the network."""
        return self._runtime.name

    @property
    def device(self) -> str:
        """As of the network."""
        return self._runtime.device

    @property
    def head(self) -> Head | None:
        """As of the network."""
        return self._runtime.head

    def __call__(self, batch: Any) -> Any:
        """Average over all mirror images, each mirrored back. Categories have nothing to mirror back."""
        total = self._seen(batch, self._flips[0])
        for flip in self._flips[1:]:
            total = total + self._seen(batch, flip)
        return total / len(self._flips)

    def _seen(self, batch: Any, flip: Flip) -> Any:
        if not flip:
            return self._runtime(batch)
        given = self._runtime(_flipped(batch, flip))
        return _flipped(given, flip) if given.ndim == batch.ndim else given


def flips_of(axes: Sequence[int], dimensions: int) -> tuple[Flip, ...]:
    """Every choice among axes (0 slice, 1 row, 2 column) as axes of a batch; a network of two has none of slices."""
    missing = 3 - dimensions
    inside = sorted({2 - missing + axis for axis in axes if axis >= missing})
    return tuple(chain.from_iterable(combinations(inside, count) for count in range(len(inside) + 1)))


def _flipped(array: Any, axes: Flip) -> Any:
    return np.ascontiguousarray(np.flip(array, axes)) if isinstance(array, np.ndarray) else array.flip(axes)
