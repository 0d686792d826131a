"""Values moved between grids of one lattice (crop, pad, flip, permuted axes): copied, never interpolated."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from isocenter.geometry import Floats, Grid, Triple
from isocenter.volume import Array, Source

_ON_LATTICE = 1e-3  # voxels; a grid nowhere farther than this off another's lattice lies on it


@dataclass(frozen=True, slots=True)
class Shift:
    """How indices of one grid become those of another on the same lattice: ``source[order[i]] = step * i + start``."""

    order: Triple
    step: Triple
    start: Triple


def lattice_shift(transform: Floats, shape: Triple) -> Shift | None:
    """How the target's indices map to the source's if both share one lattice; None if they do not."""
    whole = np.rint(transform[:3])
    linear = np.abs(whole[:, :3])
    corners = np.array([(*corner, 1) for corner in product(*((0, n - 1) for n in shape))])
    drift = np.abs(corners @ (transform[:3] - whole).T).max()
    if drift > _ON_LATTICE or not (linear.sum(0) == 1).all() or not (linear.sum(1) == 1).all():
        return None
    order = [int(axis) for axis in np.argmax(linear, axis=0)]
    step = [int(whole[axis, new]) for new, axis in enumerate(order)]
    start = [int(whole[axis, 3]) for axis in order]
    return Shift((order[0], order[1], order[2]), (step[0], step[1], step[2]), (start[0], start[1], start[2]))


def copied(array: Array, shape: Triple, shift: Shift, outside: float) -> Array:
    """The values on a grid of the same lattice; the array itself, unchanged, if both grids are one."""
    source = array.transpose(*shift.order, *range(3, array.ndim))
    if source.shape[:3] == shape and shift.start == (0, 0, 0) and shift.step == (1, 1, 1):
        return _in_order(source)
    taken, filled = [], []
    for old, new, step, start in zip(source.shape[:3], shape, shift.step, shift.start, strict=True):
        first, last = (-start, old - start) if step > 0 else (start - old + 1, start + 1)
        first, last = min(max(first, 0), new), max(min(last, new), 0)
        if first >= last:
            return np.full((*shape, *array.shape[3:]), outside, array.dtype)
        low, high = sorted((step * first + start, step * (last - 1) + start))
        taken.append(slice(low, high + 1))
        filled.append(slice(first, last))
    part = source[tuple(taken)][tuple(slice(None, None, step) for step in shift.step)]
    if part.shape[:3] == shape:
        return part.copy(order="C") if shift.order == (0, 1, 2) else _in_order(part)
    out = np.full((*shape, *array.shape[3:]), outside, array.dtype)
    out[tuple(filled)] = part
    return out


def _in_order(view: Array) -> Array:
    """The view in C order; itself if it is so."""
    if view.flags.c_contiguous:
        return view
    from isocenter.sampling import contiguous

    return contiguous(view)


def sources_of(
    sources: tuple[Source | None, ...], grids: tuple[Grid, Grid], shift: Shift | None
) -> tuple[Source | None, ...]:
    """The frame behind each slice that is still whole, when an image goes from the first grid to the second."""
    old, grid = grids
    whole_slices = (
        shift is not None
        and shift.order == (0, 1, 2)
        and shift.step[1:] == (1, 1)
        and shift.start[1:] == (0, 0)
        and grid.shape[1:] == old.shape[1:]
    )
    if not sources or shift is None or not whole_slices:
        return ()
    places = [shift.step[0] * k + shift.start[0] for k in range(grid.shape[0])]
    return tuple(sources[place] if 0 <= place < len(sources) else None for place in places)
