"""Thresholds: a volume to segments, by fixed values or by levels found in its histogram.

Values without a number (NaN) and infinite ones are in no segment and in no histogram; a reason says how many there
were. The levels used stand in the settings of the algorithm.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused, UsageError
from isocenter.findings import Algorithm, Segmentation
from isocenter.kernels import kernel, over_slices
from isocenter.ops.masks import levels
from isocenter.ops.masks.layers import VERSION, found, mask_of, on_one_grid, values_of
from isocenter.reasons import Reason, counted
from isocenter.volume import Array, Volume

_BINS = 65536
_MOST_CLASSES = 255

Level = Callable[[levels.Counts, levels.Floats], float]


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
    mask = (values >= low) & (values <= high)
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
    counts, values = histogram(volume, inside, 2)
    level = float(level_of(counts, values))
    return _segments(volume, volume.array > level, inside, (name,), Algorithm(title, VERSION, (("level", level),)))


def _classes(volume: Volume, number: int, inside: Segmentation | None, title: str) -> Segmentation:
    if not isinstance(number, int | np.integer) or not 2 <= number <= _MOST_CLASSES:
        raise UsageError(f"The number of classes is from 2 to {_MOST_CLASSES}, not {number!r}.")
    counts, values = histogram(volume, inside, number)
    cuts, means = levels.classes(counts, values, number)
    labels = np.full(volume.array.shape, 1, np.uint8)
    for cut in cuts:
        labels += volume.array > cut
    settings = (("levels", tuple(cuts.tolist())), ("means", tuple(means.tolist())))
    names = tuple(f"class_{n}" for n in range(1, number + 1))
    return _segments(volume, labels, inside, names, Algorithm(title, VERSION, settings))


def _segments(
    volume: Volume, labels: Array, inside: Segmentation | None, names: tuple[str, ...], algorithm: Algorithm
) -> Segmentation:
    """The labels as segments, without what has no finite value or lies outside; they are changed in place."""
    if inside is not None:
        on_one_grid(volume, inside)
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


def histogram(volume: Volume, inside: Segmentation | None, least: int) -> tuple[levels.Counts, levels.Floats]:
    """How often each value occurs, and these values, rising; of one bin, its middle.

    Parameters
    ----------
    volume, inside
        What to count, and where.
    least
        How many different values there must be.
    """
    values = values_of(volume)
    if inside is not None:
        on_one_grid(volume, inside)
        values = values[mask_of(inside)]
    values = np.ascontiguousarray(values).reshape(-1)
    low, high = _range(values)
    whole = values.dtype.kind in "ui" and high - low < _BINS
    if not np.isfinite(high - low) or high <= low:
        raise _nothing(1 if high == low else 0, least)
    scale = 1.0 if whole else _BINS / (high - low)
    counts = np.zeros(int(high - low) + 1 if whole else _BINS, np.int64)
    lock = Lock()

    def count(start: int, stop: int) -> None:
        part = np.zeros_like(counts)
        _count(values[start:stop], low, scale, part)
        with lock:
            np.add(counts, part, out=counts)

    over_slices(count, values.shape)
    places = np.flatnonzero(counts)
    if len(places) < least:
        raise _nothing(len(places), least)
    middles = low + (places if whole else (places + 0.5) / scale)
    return counts[places], middles.astype(np.float64, copy=False)


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
def _count(values: Array, low: float, scale: float, counts: npt.NDArray[np.int64]) -> None:
    last = len(counts) - 1
    for value in values:
        if np.isfinite(value):
            counts[min(int((value - low) * scale), last)] += 1
