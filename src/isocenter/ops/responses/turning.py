"""Separable filters: one pass along each axis, their turns by right angles, the pooling of responses (IBSI 2, 2.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, permutations, product

import numpy as np
import numpy.typing as npt

from isocenter.ops.responses.mapping import SCIPY_MODE, Boundary, Pooling, Singles

Kernel = npt.NDArray[np.float64]
Pass = tuple[int, Kernel]
"""A convolution along an axis with a kernel."""
Path = tuple[Pass, ...]
"""Passes one after the other."""


def path(steps: Sequence[Sequence[Kernel]], axes: Sequence[int]) -> Path:
    """The passes of steps that each have a kernel for each axis."""
    return tuple((axis, kernel) for kernels in steps for axis, kernel in zip(axes, kernels, strict=True))


def turned(steps: Sequence[Sequence[Kernel]], axes: Sequence[int]) -> list[Path]:
    """The passes in every orientation that right angles give, each different one once: at most 4 in 2D, 24 in 3D.

    A turn permutes the axes and flips some; an odd permutation goes with an odd number of flips, an even one with an
    even number, so that nothing is mirrored.
    """
    found: dict[tuple[bytes, ...], Path] = {}
    for order in permutations(range(len(axes))):
        for flips in product((1, -1), repeat=len(axes)):
            if _sign(order) * np.prod(flips) > 0:
                one = path([_turn(kernels, order, flips) for kernels in steps], axes)
                found.setdefault(tuple(kernel.tobytes() for _, kernel in one), one)
    return list(found.values())


def _turn(kernels: Sequence[Kernel], order: Sequence[int], flips: Sequence[int]) -> list[Kernel]:
    return [np.ascontiguousarray(kernels[axis][::flip]) for axis, flip in zip(order, flips, strict=True)]


def _sign(order: Sequence[int]) -> int:
    swaps = sum(a > b for i, a in enumerate(order) for b in order[i + 1 :])
    return -1 if swaps % 2 else 1


def responses(array: Singles, paths: Sequence[Path], boundary: Boundary) -> Iterator[Singles]:
    """The response to each path; passes that paths begin with together are done once."""
    from scipy import ndimage

    if not paths[0]:
        yield array
        return
    for _, together in groupby(sorted(paths, key=_first), key=_first):
        same = list(together)
        axis, kernel = same[0][0]
        passed = ndimage.convolve1d(array, kernel, axis=axis, mode=SCIPY_MODE[boundary])
        yield from responses(passed, [one[1:] for one in same], boundary)


def _first(one: Path) -> tuple[int, bytes]:
    axis, kernel = one[0]
    return axis, kernel.tobytes()


def pooled(maps: Iterator[Singles], pooling: Pooling) -> Singles:
    """One response of several, voxel by voxel; one is held at a time."""
    total = next(maps).copy()
    count = 1
    for response in maps:
        count += 1
        if pooling == "mean":
            total += response
        else:
            (np.maximum if pooling == "max" else np.minimum)(total, response, out=total)
    return total / np.float32(count) if pooling == "mean" else total
