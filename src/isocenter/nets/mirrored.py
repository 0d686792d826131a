"""A network that sees mirror images too (test-time augmentation): the same interface, the outputs averaged."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, combinations
from typing import Any

import numpy as np

from isocenter.nets.runtimes import Head, Runtime


class Mirrored:
    """A network that sees each patch as it is and mirrored along every choice of some axes.

    Features may be averaged in place of outputs, since the head looks at each voxel by itself.

    Parameters
    ----------
    runtime
        The network.
    axes
        Axes (0 slice, 1 row, 2 column) along which a mirrored image could be a real one.
    dimensions
        Of the network; one of two has no axis of slices.
    """

    def __init__(self, runtime: Runtime, axes: Sequence[int], dimensions: int = 3) -> None:
        self._runtime = runtime
        first = 2 - (3 - dimensions)  # of a batch, behind window and channel
        inside = sorted({first + axis for axis in axes if axis >= 3 - dimensions})
        self.flips = tuple(chain.from_iterable(combinations(inside, count) for count in range(len(inside) + 1)))

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
        total = self._runtime(batch)
        for flip in self.flips[1:]:
            given = self._runtime(_flipped(batch, flip))
            total = total + (_flipped(given, flip) if given.ndim == batch.ndim else given)
        return total / len(self.flips)


def _flipped(array: Any, axes: tuple[int, ...]) -> Any:
    return np.ascontiguousarray(np.flip(array, axes)) if isinstance(array, np.ndarray) else array.flip(axes)
