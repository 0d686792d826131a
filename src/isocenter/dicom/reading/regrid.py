"""Regrid: slices of uneven distances, linearly onto an even grid. Asked for by ``read(series, gaps="regrid")`` alone.

Slices that lie where the even grid has one are kept as they are; the others are made between their neighbours, have no
source, and are told in a reason. Nothing is made beyond the first and last slice, nor across an absurd gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.frames.frame import Frame
from isocenter.dicom.sorting import stack
from isocenter.dicom.sorting.series import Series
from isocenter.errors import Refused
from isocenter.geometry import Grid
from isocenter.reasons import Reason, Severity
from isocenter.volume import Source

UNEVEN = frozenset({"SLICE_GAP", "SPACING_VARIES"})
"""The reasons that regridding answers."""
FARTHEST_BRIDGED = 10
"""How many steps a gap may be wide."""
MOST_SLICES = 3
"""How many times as many slices as there are may come of it."""
_Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Plan:
    """How uneven slices come onto an even grid.

    Parameters
    ----------
    series
        The series, usable: with the reason why slices are made in place of the one why they were missing. Its grid is
        that of its slices as if they were evenly spaced.
    grid
        The even grid; sheared where the gantry was tilted.
    below
        Of each slice of the grid the slice at or below it.
    share
        Of each slice of the grid how much the next slice counts, from 0 to 1.
    """

    series: Series
    grid: Grid
    below: npt.NDArray[np.int64]
    share: npt.NDArray[np.float64]

    def array(self, array: _Array) -> _Array:
        """Values of the uneven slices, on the even grid; of integers the nearest."""
        out = np.empty((self.grid.shape[0], *array.shape[1:]), array.dtype)
        for place, (below, share) in enumerate(zip(self.below, self.share, strict=True)):
            if share == 0:
                out[place] = array[below]
                continue
            blend = array[below] * (1 - share) + array[below + 1] * share
            out[place] = np.rint(blend) if array.dtype.kind in "iu" else blend
        return out

    def sources(self, sources: Sequence[Source | None]) -> list[Source | None]:
        """Sources of the slices of the even grid; None of those that were made."""
        pairs = zip(self.below, self.share, strict=True)
        return [sources[below] if share == 0 else None for below, share in pairs]


def plan(series: Series) -> Plan | None:
    """How the slices of a series come onto an even grid; None if it is held for no uneven distances.

    Raises
    ------
    Refused
        If the gaps are absurdly wide, or something else is wrong with the series as well.
    """
    others = [reason for reason in series.reasons if reason.code not in UNEVEN]
    if len(others) == len(series.reasons):
        return None
    rest = replace(series, reasons=tuple(others))
    if not rest.verdict.usable or series.axis:
        raise Refused(reason for reason in series.reasons if reason.severity in (Severity.HELD, Severity.REJECTED))
    frames = series.frames
    depths = stack.depths_mm(frames)
    step, count = _step(depths)
    even = depths[0] + step * np.arange(count)
    below, share = _shares(depths, even)
    grid = _grid(frames, depths, step, count)
    fault = _too_far(depths, step, count) or (None if grid is not None else "they do not lie along one line")
    if fault is not None or grid is None:
        message = f"The slices cannot be brought onto an even grid: {fault}."
        raise Refused([*(reason for reason in series.reasons if reason.code in UNEVEN), Reason("GAPS_ABSURD", message)])
    made = np.flatnonzero(share > 0)
    where = ", ".join(str(place) for place in made[:12]) + (", ..." if len(made) > 12 else "")
    message = f"{len(made)} of {count} slices, {step:.4g} mm apart, were made between their neighbours ({where})."
    lost = len(frames) - (count - len(made))
    if lost > 0:
        message += f" {lost} of the {len(frames)} given slices lie between those of the grid."
    reasons = [*others, Reason("SLICES_MADE", message), *stack.tilts(grid, frames)]
    as_if_even = Grid((len(frames), *grid.shape[1:]), grid.affine, grid.frame_of_reference_uid)
    return Plan(replace(rest, grid=as_if_even, reasons=tuple(reasons)), grid, below, share)


def _step(depths: stack.Floats) -> tuple[float, int]:
    """Distance and number of the slices of the even grid, from the first slice to the last.

    The distance is the smallest that occurs at least twice, else the middle one.
    """
    gaps = np.sort(np.diff(depths))
    twice = np.flatnonzero(np.diff(gaps) <= stack.tolerance_mm(gaps[:-1]))
    common = float(gaps[twice[0]] if twice.size else gaps[(len(gaps) - 1) // 2])
    length = float(depths[-1] - depths[0])
    count = round(length / common) + 1
    return length / (count - 1), count


def _shares(depths: stack.Floats, even: stack.Floats) -> tuple[npt.NDArray[np.int64], stack.Floats]:
    """Of each even depth the slice at or below it, and the share of the next one; near slices are taken as they are."""
    nearest = np.abs(even[:, None] - depths[None]).argmin(axis=1)
    below = np.clip(np.searchsorted(depths, even, side="right") - 1, 0, len(depths) - 2)
    share = np.clip((even - depths[below]) / (depths[below + 1] - depths[below]), 0, 1)
    is_there = np.abs(even - depths[nearest]) <= stack.tolerance_mm(even[1] - even[0])
    return np.where(is_there, nearest, below), np.where(is_there, 0.0, share)


def _too_far(depths: stack.Floats, step: float, count: int) -> str | None:
    widest = float(np.diff(depths).max())
    if widest > FARTHEST_BRIDGED * step:
        return f"a gap of {widest:.4g} mm is more than {FARTHEST_BRIDGED} times as wide as the others"
    if count > MOST_SLICES * len(depths):
        return f"{count} slices would have to be made of {len(depths)}"
    return None


def _grid(frames: Sequence[Frame], depths: stack.Floats, step: float, count: int) -> Grid | None:
    """The even grid; None if the slices do not follow one line, or one that is too aslant to them."""
    direction = stack.line_of(frames, depths)
    grid = None if direction is None else stack.grid_of(frames[0], direction * step, count)
    return None if grid is not None and stack.swells(grid) else grid
