"""Thresholds: a volume to segments, by fixed values or by levels found in its histogram.

Values without a number (NaN) and infinite ones are in no segment and in no histogram; a reason says how many there
were. The levels used stand in the settings of the algorithm.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import numpy as np

from isocenter.errors import Refused, UsageError
from isocenter.findings import Algorithm, Mask, Segmentation
from isocenter.kernels import kernel, over_slices
from isocenter.ops.lattice import expect_one_grid
from isocenter.ops.masks import levels
from isocenter.ops.masks.layers import VERSION, found, mask_of, values_of
from isocenter.reasons import Reason, counted
from isocenter.volume import Array, Volume, read_only

_BINS = 65536  # of values that are not whole, or too many
_MOST_CLASSES = 255

Level = Callable[[levels.Histogram], float]


def threshold(
    volume: Volume,
    low: float = -np.inf,
    high: float = np.inf,
    *,
    inside: Segmentation | None = None,
    name: str = "threshold",
) -> Segmentation:
    """The voxels from ``low`` to ``high``, both included.

    Parameters
    ----------
    volume
        (slice, row, column), in any unit.
    low, high
        In the unit of the volume; left out, that side is open.
    inside
        Where to look; everywhere by default. What lies outside is in no segment.
    name
        Name of the segment.

    Raises
    ------
    UsageError
        If ``low`` is above ``high``, or the volume has further axes.
    """
    values = values_of(volume)
    if not low <= high:
        raise UsageError(f"The lower limit {low} is above the upper limit {high}, or one is no number.")
    mask = between(values, low, high)
    settings = (("low", float(low)), ("high", float(high)))
    return _segments(volume, mask, inside, (name,), Algorithm("Threshold", VERSION, settings))


def otsu(volume: Volume, *, inside: Segmentation | None = None, name: str = "otsu") -> Segmentation:
    """The voxels above Otsu's threshold: the largest variance between both classes (Otsu 1979).

    Parameters
    ----------
    volume
        (slice, row, column), in any unit. Whole numbers are counted one by one if their range is below 65536; other
        values in 65536 bins of one width.
    inside
        Where to look; everywhere by default. What lies outside is in no segment.
    name
        Name of the segment.

    Raises
    ------
    Refused
        With ``NOTHING_TO_PART`` if there are fewer than two different values.
    UsageError
        If the volume has further axes.
    """
    return _above(volume, inside, name, ("Otsu threshold", levels.otsu))


def li(volume: Volume, *, inside: Segmentation | None = None, name: str = "li") -> Segmentation:
    """The voxels above the threshold of least cross entropy (Li and Tam 1998); as :func:`otsu` else."""
    return _above(volume, inside, name, ("Li threshold", levels.li))


def multi_otsu(volume: Volume, classes: int = 3, *, inside: Segmentation | None = None) -> Segmentation:
    """Every voxel in one of several classes, parted where the variance between them is largest (Liao et al. 2001).

    Parameters
    ----------
    volume, inside
        As for :func:`otsu`.
    classes
        How many.

    Returns
    -------
    Segments ``class_1`` (lowest values), ``class_2``, ...; the levels, the largest value of each class but the last,
    stand in the settings.

    Raises
    ------
    Refused
        With ``NOTHING_TO_PART`` if there are fewer different values than classes.
    """
    return _classes(volume, classes, inside, "Multi-Otsu thresholds")


def kmeans(volume: Volume, classes: int = 3, *, inside: Segmentation | None = None) -> Segmentation:
    """Every voxel in the class with the nearest mean, where the means are the best there are (k-means).

    On single values the best means can be found exactly, without a start to choose; the classes are those of
    :func:`multi_otsu`, and the settings have the means.
    """
    return _classes(volume, classes, inside, "K-means clustering of values")


# --- levels of a volume ----------------------------------------------------------------------------------------------


def _above(volume: Volume, inside: Segmentation | None, name: str, method: tuple[str, Level]) -> Segmentation:
    title, level_of = method
    level = float(level_of(histogram(volume, inside, 2)))
    return _segments(
        volume, ~between(volume.array, -np.inf, level), inside, (name,), Algorithm(title, VERSION, (("level", level),))
    )


def _classes(volume: Volume, number: int, inside: Segmentation | None, title: str) -> Segmentation:
    if not isinstance(number, int | np.integer) or not 2 <= number <= _MOST_CLASSES:
        raise UsageError(f"The number of classes is from 2 to {_MOST_CLASSES}, not {number!r}.")
    cuts, means = levels.classes(histogram(volume, inside, number), number)
    labels = np.full(volume.array.shape, number, np.uint8)
    for cut in cuts.tolist():
        labels -= between(volume.array, -np.inf, cut)
    settings = (("levels", tuple(cuts.tolist())), ("means", tuple(means.tolist())))
    names = tuple(f"class_{n}" for n in range(1, number + 1))
    return _segments(volume, labels, inside, names, Algorithm(title, VERSION, settings))


def _segments(
    volume: Volume, labels: Array, inside: Segmentation | None, names: tuple[str, ...], algorithm: Algorithm
) -> Segmentation:
    """The labels as segments, without what has no finite value or lies outside; they are changed in place."""
    if inside is not None:
        expect_one_grid(volume, inside)
        labels[~mask_of(inside)] = 0
    finite = np.isfinite(volume.array) if volume.array.dtype.kind == "f" else None
    odd = 0 if finite is None else finite.size - int(np.count_nonzero(finite))
    if finite is None or odd == 0:
        return found(labels, volume, names, algorithm)
    labels[~finite] = 0
    text = (
        f"{counted(odd, 'voxel has', 'voxels have')} no finite value and {'is' if odd == 1 else 'are'} in no segment."
    )
    return found(labels, volume, names, algorithm).with_reasons([Reason("NO_NUMBER_LEFT_OUT", text)])


def between(values: Array, low: float, high: float) -> Mask:
    """Where a value is from ``low`` to ``high``; NaN is not. Whole numbers are compared with whole numbers."""
    if values.dtype.kind in "ui":
        limits = np.iinfo(values.dtype)
        if low > limits.max or high < limits.min:
            return np.zeros(values.shape, bool)
        low, high = int(np.ceil(max(low, limits.min))), int(np.floor(min(high, limits.max)))
    mask: Mask = values <= high
    if low > (limits.min if values.dtype.kind in "ui" else -np.inf):
        mask &= values >= low
    return mask


def histogram(volume: Volume, inside: Segmentation | None, least: int) -> levels.Histogram:
    """The values of a volume, counted: whole numbers one by one if their range is below 65536, else in as many bins.

    Parameters
    ----------
    volume, inside
        What to count, and where.
    least
        How many bins there must be that hold something.
    """
    values = values_of(volume)
    if inside is not None:
        expect_one_grid(volume, inside)
        values = values[mask_of(inside)]
    values = read_only(np.ascontiguousarray(values).reshape(-1))
    low, high = _range(values)
    if not np.isfinite(high - low) or high <= low:
        raise _nothing(1 if high == low else 0, least)
    whole = values.dtype.kind in "ui" and high - low < _BINS
    bins, scale = (int(high - low) + 1, 1.0) if whole else (_BINS, _BINS / (high - low))
    counts, sums, tops = np.zeros(bins, np.int64), np.zeros(bins), np.full(bins, -np.inf)
    lock = Lock()

    def count(start: int, stop: int) -> None:
        part = np.zeros_like(counts), np.zeros_like(sums), np.full_like(tops, -np.inf)
        _count(values[start:stop], low, scale, part)
        with lock:
            np.add(counts, part[0], out=counts)
            np.add(sums, part[1], out=sums)
            np.maximum(tops, part[2], out=tops)

    over_slices(count, values.shape)
    held = np.flatnonzero(counts)
    if len(held) < least:
        raise _nothing(len(held), least)
    return levels.Histogram(counts[held], low + sums[held] / counts[held], tops[held])


def _nothing(number: int, least: int) -> Refused:
    text = f"{counted(number, 'different value', 'different values')} cannot make {least} classes."
    return Refused([Reason("NOTHING_TO_PART", text)])


def _range(values: Array) -> tuple[float, float]:
    """The least and the largest finite value; (inf, -inf) if there is none."""
    if values.size == 0:
        return np.inf, -np.inf
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(low + high):
        finite = values[np.isfinite(values)]
        return _range(finite)
    return low, high


@kernel
def _count(values: Array, low: float, scale: float, into: tuple[Array, Array, Array]) -> None:
    counts, sums, tops = into
    last = len(counts) - 1
    for value in values:
        if np.isfinite(value):
            above = value - low
            place = min(int(above * scale), last)
            counts[place] += 1
            sums[place] += above
            tops[place] = max(tops[place], value)
