"""Comparison of two images in one frame of reference: in turn, one less the other, which values meet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from isocenter import windows
from isocenter.errors import UsageError, expect
from isocenter.ops.lattice import expect_length
from isocenter.report import canvas
from isocenter.report.annotation import Notes, annotated, with_bar
from isocenter.report.colors import DIVERGING, HOT, colored
from isocenter.report.figure import Figure, Kind, Picture
from isocenter.report.pictures.overlaid import Pair, pair, sampled
from isocenter.report.pictures.views import PlaneName, window_for
from isocenter.report.planes import Window, unit_of, window_of
from isocenter.report.stills import still
from isocenter.volume import Volume

_PLOT_PX = 640
_ROOM_PX = (120, 24, 24, 96)  # left, top, right, below
_NOTHING = (56, 56, 56)  # where one of the images has no value
_MOST_POINTS = 4_000_000


def checkerboard(
    fixed: Volume,
    moving: Volume,
    *,
    plane: PlaneName = "axial",
    at_mm: float | None = None,
    window: windows.Window | str | None = None,
    tile_mm: float = 30.0,
) -> Figure:
    """A section of two images in turn, square by square: where they fit, borders run on from one to the other.

    Parameters
    ----------
    fixed
        The image whose section it is, in the first square.
    moving
        The other, sampled where the section lies by linear interpolation.
    plane, at_mm, window
        As for :func:`isocenter.report.pictures.section`. The window is for both if their units are the same; else the
        moving image is shown in its own.
    tile_mm
        Side of a square.

    Raises
    ------
    UsageError
        If the images lie in different frames of reference, or an argument is none of the image.
    """
    expect_length(tile_mm, "The side of a square")
    found = pair(fixed, moving, plane, at_mm)
    first = window_for(still(fixed), window)
    second = first if fixed.unit == moving.unit and fixed.modality == moving.modality else window_of(still(moving))
    rows, columns = (np.arange(n) / found.px_per_mm // tile_mm for n in found.one.shape)
    is_first = (rows[:, None] + columns[None, :]) % 2 == 0
    grey = np.where(is_first, first.grey(found.one), second.grey(found.other))
    picture = np.repeat(grey[..., None], 3, axis=2)
    both = (first,) if first == second else (first, second)
    foot = tuple(line for window in both for line in (window.name, window.levels) if line)
    return Figure(
        name="checkerboard",
        title=f"Checkerboard, {found.seen.kind}",
        caption=f"{_place(found)} Squares of {tile_mm:g} mm, the first of the fixed image. {_windows(both)} "
        f"{found.remark}".strip(),
        image=annotated(picture, found.seen, found.px_per_mm, Notes(_head(found), foot)),
    )


def difference(
    fixed: Volume,
    moving: Volume,
    *,
    plane: PlaneName = "axial",
    at_mm: float | None = None,
    limit: float | None = None,
) -> Figure:
    """A section of the moving image less the fixed one: blue where it is lower, orange where it is higher.

    Parameters
    ----------
    fixed, moving, plane, at_mm
        As for :func:`checkerboard`; both in one unit.
    limit
        The difference that is shown brightest. By default the 99th percentile of its size on this section.

    Raises
    ------
    UsageError
        If the units differ, the images lie in different frames of reference, or an argument is none of the image.
    """
    expect(fixed, Volume)
    expect(moving, Volume)
    if fixed.unit != moving.unit:
        raise UsageError(f"A difference needs one unit, not {fixed.unit.value!r} and {moving.unit.value!r}.")
    found = pair(fixed, moving, plane, at_mm)
    less = found.other - found.one
    known = np.abs(less[np.isfinite(less)])
    reach = float(np.percentile(known, 99)) if limit is None and known.size else float(limit or 0)
    if limit is not None and not (np.isfinite(limit) and limit > 0):
        raise UsageError(f"The limit of a difference is a positive value, not {limit!r}.")
    reach = reach or 1.0
    picture = colored(less, (-reach, reach), DIVERGING)
    picture[~np.isfinite(less)] = _NOTHING
    drawn = annotated(picture, found.seen, found.px_per_mm, Notes(_head(found), ("Moving less fixed",)))
    most = f"{known.max():.4g}" if known.size else "unknown"
    return Figure(
        name="difference",
        title=f"Difference, {found.seen.kind}",
        caption=f"{_place(found)} Moving less fixed image; greatest size here {most} {unit_of(fixed)}".rstrip()
        + ". Grey: no value.",
        image=with_bar(drawn, DIVERGING, (-reach, reach), unit_of(fixed)),
    )


def joint_histogram(fixed: Volume, moving: Volume, *, bins: int = 128) -> Figure:
    """How often each pair of values occurs at one place in two images, on a scale of logarithms.

    Parameters
    ----------
    fixed, moving
        The images in one frame of reference; the moving one is sampled at the voxels of the fixed one, of which at
        most four million, evenly spread, are taken.
    bins
        Along each axis.

    Raises
    ------
    UsageError
        If the images lie in different frames of reference, have colours, or share no place.
    """
    expect(fixed, Volume)
    expect(moving, Volume)
    first, second = still(fixed), still(moving)
    if first.axes or second.axes:
        raise UsageError("A joint histogram is of images without colour: take one of their samples first.")
    if not isinstance(bins, int) or not 2 <= bins <= _PLOT_PX:
        raise UsageError(f"The number of bins is a whole number from 2 to {_PLOT_PX}, not {bins!r}.")
    every = max(1, round((np.prod(first.shape) / _MOST_POINTS) ** (1 / 3) + 0.499))
    affine = first.grid.affine.copy()
    affine[:3, :3] *= every
    array = first.array[::every, ::every, ::every]
    grid = replace(first.grid, shape=array.shape, affine=affine)
    one, other = array.astype(np.float32), sampled(second, grid)
    both = np.isfinite(one) & np.isfinite(other)
    if not both.any():
        raise UsageError("The images share no place where both have a value.")
    ends = [_ends(values[both]) for values in (one, other)]
    counts, _, _ = np.histogram2d(other[both], one[both], bins, [ends[1], ends[0]])
    return Figure(
        name="joint_histogram",
        title="Joint histogram",
        caption=(
            f"{np.count_nonzero(both)} voxels of the fixed image{_thinned(every)}. Across: fixed image; up: moving "
            "image; the brighter, the more often, by logarithm."
        ),
        image=_chart(
            counts,
            ends,
            [f"{n}{', ' if unit_of(v) else ''}{unit_of(v)}" for n, v in (("Fixed", fixed), ("Moving", moving))],
        ),
        kind=Kind.CHART,
    )


def _ends(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    low, high = (float(v) for v in np.percentile(values[:: max(1, values.size // 200_000)], (0.05, 99.95)))
    return (low, high) if low < high else (low - 0.5, low + 0.5)


def _chart(counts: npt.NDArray[np.float64], ends: list[tuple[float, float]], names: list[str]) -> Picture:
    """The counts with the moving image's values upward, and numbers at the ends and in the middle of both axes."""
    level = np.log1p(counts[::-1])
    shown = Image.fromarray(colored(level, (0, max(level.max(), 1)), HOT)).resize(
        (_PLOT_PX, _PLOT_PX), Image.Resampling.NEAREST
    )
    left, top, right, below = _ROOM_PX
    image = Image.new("RGB", (left + _PLOT_PX + right, top + _PLOT_PX + below))
    image.paste(shown, (left, top))
    draw = ImageDraw.Draw(image)
    draw.rectangle([(left - 1, top - 1), (left + _PLOT_PX, top + _PLOT_PX)], outline=canvas.SOFT_INK)
    for share, across, up in ((0.0, "la", "rd"), (0.5, "ma", "rm"), (1.0, "ra", "ra")):
        values = [_number(low + share * (high - low), high - low) for low, high in ends]
        canvas.write(draw, (left + share * _PLOT_PX, top + _PLOT_PX + 10), values[0], size=26, anchor=across)
        canvas.write(draw, (left - 12, top + (1 - share) * _PLOT_PX), values[1], size=26, anchor=up)
    canvas.write(draw, (left + _PLOT_PX / 2, top + _PLOT_PX + below - 10), names[0], size=26, anchor="md")
    canvas.write(draw, (left + 14, top + 10), f"{names[1]} (up)", size=26)
    return np.asarray(image)


def _thinned(every: int) -> str:
    return "" if every == 1 else f", one of {every} along each axis"


def _number(value: float, span: float) -> str:
    """A value to a thousandth of the span that it stands in."""
    step = 10.0 ** np.floor(np.log10(span / 1000))
    return f"{round(value / step) * step + 0.0:.4g}".replace("-", "−")


def _windows(both: tuple[Window, ...]) -> str:
    return f"Window: {both[0]}." if len(both) == 1 else f"Windows: fixed {both[0]}, moving {both[1]}."


def _head(found: Pair) -> tuple[str, str]:
    return f"{found.seen.kind.capitalize()} {found.index + 1}/{len(found.seen)}", found.seen.position(found.index)


def _place(found: Pair) -> str:
    return f"{found.seen.position(found.index) or 'Place in the patient unknown'}."
