"""The sliding window: a network seen through overlapping windows, of which the middle counts most.

Windows go along the slices. As soon as no further window can reach a slice it is handed on and forgotten, so that what
is held of a volume is one window's depth, whatever becomes of it: labels, whole outputs, or how sure they are
(``deciding``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from isocenter.errors import UsageError
from isocenter.geometry import Triple
from isocenter.nets.plan import Plan
from isocenter.nets.runtimes import Head, Runtime
from isocenter.nets.windows.accumulating import Along, Band, Scene, Singles
from isocenter.nets.windows.heads import numbers, outputs_of

_SIGMA = 1 / 8  # of a window's length, as nnU-Net and MONAI have it
_SLICES_AT_ONCE = 8  # of a network of two dimensions


@dataclass(frozen=True, slots=True)
class Window:
    """How a volume is cut into windows.

    Parameters
    ----------
    roi
        Voxels (slice, row, column) of a window. One slice is for networks of two dimensions.
    overlap
        Share of a window, along each axis, that the next one sees too, from 0 to below 1.
    batch
        Windows that a network is given at once. It changes no result.
    neighbours
        Slices on each side that are further channels, for a network of two dimensions.

    Raises
    ------
    UsageError
        If a number makes no sense.
    """

    roi: Triple
    overlap: float = 0.5
    batch: int = 1
    neighbours: int = 0

    def __post_init__(self) -> None:
        if len(self.roi) != 3 or min(self.roi) < 1:
            raise UsageError(f"A window is three positive numbers of voxels (slice, row, column), not {self.roi}.")
        if not 0 <= self.overlap < 1:
            raise UsageError(f"Windows overlap by a share from 0 to below 1, not {self.overlap}.")
        if self.batch < 1 or self.neighbours < 0 or (self.neighbours and self.roi[0] > 1):
            raise UsageError("A batch is one window or more; only networks of two dimensions take neighbours.")

    @classmethod
    def of(cls, plan: Plan, *, overlap: float = 0.5, batch: int = 1) -> Window:
        """The window of a plan."""
        return cls(plan.patch, overlap, batch, plan.neighbours)


@dataclass(frozen=True, eq=False)
class Part:
    """Some slices of what a network gives for a volume.

    Parameters
    ----------
    start
        The first of them.
    values
        float32 (channel, slice, row, column), averaged over windows: outputs, or features where there is a head.
        NumPy's on the CPU, else a tensor on the GPU. They are good until the next part is asked for.
    head
        What makes outputs of features.
    """

    start: int
    values: Any
    head: Head | None = None


def parts(array: Singles, runtime: Runtime, window: Window) -> Iterator[Part]:
    """What a network gives for a volume, some finished slices at a time.

    Parameters
    ----------
    array
        float32 (channel, slice, row, column). Where it is smaller than a window, zeros are put around it.
    runtime
        The network.
    window
        How it is seen.

    Yields
    ------
    Part
        Slices in order, each once: averages over all windows that hold a voxel, weighted by a Gaussian of an eighth of
        the window's length around its middle (Isensee 2021). Windows lie as MONAI's.

    Raises
    ------
    UsageError
        If the network's output is not of its input's size.
    InputError
        If it holds values that are no numbers.
    """
    course = _course(array, runtime, window, whole=False)
    for first, end in course.run():
        yield from course.finished(first, end)


def whole(array: Singles, runtime: Runtime, window: Window) -> Singles | None:
    """All averages of a network at once, without a copy; None if it has a head, or runs on a GPU.

    Parameters and errors as of :func:`parts`.
    """
    if runtime.device != "cpu" or (runtime.head is not None and not _is_narrow(runtime.head)):
        return None
    course = _course(array, runtime, window, whole=True)
    for first, end in course.run():
        numbers(course.band.averages(first, end))
    values: Singles = course.band.all()[:, *course.kept]
    return values


@dataclass(frozen=True, eq=False)
class _Course:
    """One way of a network through a volume."""

    run_network: Any
    head: Head | None
    scene: Scene
    band: Band
    kept: tuple[slice, slice, slice]
    batch: int

    def run(self) -> Iterator[tuple[int, int]]:
        """Run all windows, and say after each row of them which slices are finished: from, and up to."""
        by_slice, by_row, by_column = (axis.starts for axis in self.scene.axes)
        places = list(product(by_row, by_column))
        for first, end in zip(by_slice, [*by_slice[1:], self.scene.array.shape[1]], strict=True):
            for number in range(0, len(places), self.batch):
                some = places[number : number + self.batch]
                given = self.band.patches(first, some)
                self.band.add(_fitting(self.run_network(given), given.shape), first, some)
            yield first, end

    def finished(self, first: int, end: int) -> Iterator[Part]:
        """Finished slices, without what was put around the volume."""
        slices, rows, columns = self.kept
        while first < end:
            values = numbers(self.band.averages(first, end))  # what is no number in a window is none in the average
            stop = first + values.shape[1]
            begin, last = max(first, slices.start), min(stop, slices.stop)
            if begin < last:
                yield Part(begin - slices.start, values[:, begin - first : last - first, rows, columns], self.head)
            first = stop


def _course(array: Singles, runtime: Runtime, window: Window, *, whole: bool) -> _Course:
    run, roi, head = _in_space(runtime, window, array.shape[1])
    around = [_around(length, size) for length, size in zip(array.shape[1:], roi, strict=True)]
    padded = np.pad(array, [(0, 0), *around]) if any(map(sum, around)) else array
    k, r, c = (along(n, size, overlap=window.overlap) for n, size in zip(padded.shape[1:], roi, strict=True))
    scene = Scene(padded, (k, r, c), window.neighbours, padded.shape[1] if whole else roi[0])
    begun = [slice(before, before + n) for (before, _), n in zip(around, array.shape[1:], strict=True)]
    kept = begun[0], begun[1], begun[2]
    return _Course(run, head, scene, Band(scene, runtime.device), kept, window.batch)


def along(length: int, roi: int, *, overlap: float) -> Along:
    """Windows along an axis: so far apart as the overlap says, the last one moved back to end with the axis."""
    step = max(1, int(roi * (1 - overlap)))
    count = math.ceil((length - roi) / step) + 1
    starts = tuple(min(number * step, length - roi) for number in range(count))
    from_middle = (np.arange(roi) - (roi - 1) / 2) / (roi * _SIGMA)
    weights = np.exp(-(from_middle**2) / 2)
    sums = np.zeros(length)
    for start in starts:
        sums[start : start + roi] += weights
    return Along(starts, weights.astype(np.float32), sums.astype(np.float32))


def _around(length: int, roi: int) -> tuple[int, int]:
    """Voxels to put before and behind an axis that is shorter than a window."""
    missing = max(0, roi - length)
    return missing // 2, missing - missing // 2


def _in_space(runtime: Runtime, window: Window, depth: int) -> tuple[Any, Triple, Head | None]:
    """The network as one of three dimensions that gives the fewer of features and outputs, its window and its head."""
    head, run = runtime.head, runtime.__call__
    if head is not None and _is_narrow(head):
        run, head = _with_head(run, head), None
    if window.roi[0] > 1:
        return run, window.roi, head
    return _slice_by_slice(run), (min(_SLICES_AT_ONCE, depth), *window.roi[1:]), head


def _is_narrow(head: Head) -> bool:
    """Whether outputs are no more than features, so that averaging them costs less."""
    return bool(head.weight.shape[0] <= head.weight.shape[1])


def _with_head(run: Any, head: Head) -> Any:
    """A network that ends with its head, where outputs are no more than features."""

    def whole(batch: Any) -> Any:
        return outputs_of(run(batch), head)

    return whole


def _slice_by_slice(run: Any) -> Any:
    """A network of two dimensions as one that takes some slices."""

    def slices(batch: Any) -> Any:
        count, channels, depth, *plane = batch.shape
        flat = batch.swapaxes(1, 2).reshape(count * depth, channels, *plane)
        out = run(flat)
        return out.reshape(count, depth, *out.shape[1:]).swapaxes(1, 2)

    return slices


def _fitting(outputs: Any, given: Sequence[int]) -> Any:
    if tuple(outputs.shape[2:]) != tuple(given[2:]) or outputs.shape[0] != given[0]:
        raise UsageError(
            f"The network gives {tuple(outputs.shape)} for {tuple(given)}: a sliding window needs outputs of the size "
            "of the input. Check the plan's patch and network."
        )
    return outputs
