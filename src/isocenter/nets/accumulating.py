"""Weighted sums of overlapping windows, a band of slices at a time: by compiled loops on the CPU, by torch on a GPU.

Where windows lie, and in which order they come, is decided in ``window``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Triple
from isocenter.kernels import compiled, over_slices
from isocenter.volume import Array

Singles = npt.NDArray[np.float32]
Place = tuple[int, int]
"""First row and column of a window."""


@dataclass(frozen=True, eq=False)
class Along:
    """Windows along one axis.

    Parameters
    ----------
    starts
        First voxel of each.
    weights
        float32, how much each voxel of a window counts; that of a voxel in space is the product of its three.
    sums
        float32, what the weights of all windows that hold a voxel add up to.
    """

    starts: tuple[int, ...]
    weights: Singles
    sums: Singles


class Band(Protocol):
    """Sums of the windows that are not finished yet: as many slices as a window has, each channel of the outputs."""

    def patches(self, first: int, places: Sequence[Place]) -> Any:
        """The input (window, channel, slice, row, column) of the windows that begin at a slice and at places."""
        ...

    def add(self, outputs: Any, first: int, places: Sequence[Place]) -> None:
        """Add the outputs (window, channel, slice, row, column) of these windows."""
        ...

    def averages(self, first: int, stop: int) -> Any:
        """Averages (channel, slice, row, column) of finished slices, which are forgotten."""
        ...


def band_for(device: str, array: Singles, axes: tuple[Along, Along, Along], neighbours: int) -> Band:
    """The band of an input (channel, slice, row, column), on the device that its network runs on."""
    kind: Any = OnCpu if device == "cpu" else OnGpu
    made: Band = kind(array, axes, neighbours, device)
    return made


class OnCpu:
    """A band of NumPy arrays. Slices lie in it in turn (slice modulo its depth), so that none is ever moved."""

    def __init__(self, array: Singles, axes: tuple[Along, Along, Along], neighbours: int, device: str) -> None:
        del device
        self._array, self._axes, self._neighbours = array, axes, neighbours
        self._roi: Triple = tuple(axis.weights.size for axis in axes)  # type: ignore[assignment]
        self._sums: Singles | None = None

    def patches(self, first: int, places: Sequence[Place]) -> Singles:
        """As of :class:`Band`."""
        depth, height, width = self._roi
        reach = range(-self._neighbours, self._neighbours + 1)
        channels, last = self._array.shape[0], self._array.shape[1] - 1
        out = np.empty((len(places), channels * len(reach), *self._roi), np.float32)
        for one, (row, column) in zip(out, places, strict=True):
            for place, offset in enumerate(reach):
                slices = np.clip(np.arange(first + offset, first + offset + depth), 0, last) if offset else None
                box = (slice(row, row + height), slice(column, column + width))
                part = self._array[:, first : first + depth] if slices is None else self._array[:, slices]
                one[place :: len(reach)] = part[:, :, *box]
        return out

    def add(self, outputs: Singles, first: int, places: Sequence[Place]) -> None:
        """As of :class:`Band`."""
        if self._sums is None:
            shape = (outputs.shape[1], self._roi[0], *self._array.shape[2:])
            self._sums = np.zeros(shape, np.float32)
        sums, weights = self._sums, tuple(axis.weights for axis in self._axes)
        for one, place in zip(np.asarray(outputs, np.float32), places, strict=True):

            def work(begin: int, end: int, one: Singles = one, place: Place = place) -> None:
                _add(one, weights, (first, *place, begin, end), sums)

            over_slices(work, one.shape[1:])

    def averages(self, first: int, stop: int) -> Singles:
        """As of :class:`Band`."""
        if self._sums is None:
            raise ValueError("No window was added yet.")
        sums, scale = self._sums, tuple(1 / axis.sums for axis in self._axes)
        out = np.empty((sums.shape[0], stop - first, *sums.shape[2:]), np.float32)

        def work(begin: int, end: int) -> None:
            _average(sums, scale, (first + begin, begin, end), out)

        over_slices(work, out.shape[1:])
        return out


class OnGpu:
    """A band of tensors; the input, the sums and the averages stay on the device."""

    def __init__(self, array: Singles, axes: tuple[Along, Along, Along], neighbours: int, device: str) -> None:
        import torch

        self._torch, self._neighbours = torch, neighbours
        self._array = torch.from_numpy(array).to(device)
        self._axes = axes
        self._roi = tuple(axis.weights.size for axis in axes)
        along = [torch.from_numpy(axis.weights).to(device) for axis in axes]
        self._weights = along[0][:, None, None] * along[1][:, None] * along[2]
        self._scale = [torch.from_numpy(1 / axis.sums).to(device) for axis in axes]
        self._sums: Any = None
        self._first = 0

    def patches(self, first: int, places: Sequence[Place]) -> Any:
        """As of :class:`Band`."""
        depth, height, width = self._roi
        last = self._array.shape[1] - 1
        shifts = range(-self._neighbours, self._neighbours + 1)
        near = [[min(max(first + shift + n, 0), last) for n in range(depth)] for shift in shifts]
        parts = self._torch.stack([self._array[:, slices] for slices in near], dim=1).flatten(0, 1)
        return self._torch.stack([parts[:, :, r : r + height, c : c + width] for r, c in places])

    def add(self, outputs: Any, first: int, places: Sequence[Place]) -> None:
        """As of :class:`Band`."""
        depth, height, width = self._roi
        if self._sums is None:
            shape = (outputs.shape[1], depth, *self._array.shape[2:])
            self._sums, self._first = outputs.new_zeros(shape, dtype=self._torch.float32), first
        if first > self._first:  # what lies before was taken by averages
            self._sums = self._sums.roll(self._first - first, 1)
            self._sums[:, self._first - first :] = 0
            self._first = first
        for one, (r, c) in zip(outputs.float(), places, strict=True):
            self._sums[:, :, r : r + height, c : c + width].addcmul_(one, self._weights)

    def averages(self, first: int, stop: int) -> Any:
        """As of :class:`Band`."""
        by_slice, by_row, by_column = self._scale
        part = self._sums[:, first - self._first : stop - self._first]
        return part * (by_slice[first:stop, None, None] * by_row[:, None] * by_column)


# --- kernels ---------------------------------------------------------------------------------------------------------


@compiled(fastmath={"contract"})
def _add(patch: Array, weights: Any, place: Any, sums: Array) -> None:
    """Add slices of a window, times its weights, to the sums."""
    by_slice, by_row, by_column = weights
    first, row, column, begin, end = place
    for channel in range(patch.shape[0]):
        for z in range(begin, end):
            plane = sums[channel, (first + z) % sums.shape[1]]
            for y in range(patch.shape[2]):
                weight, line = by_slice[z] * by_row[y], patch[channel, z, y]
                target = plane[row + y, column : column + line.size]
                for x in range(line.size):
                    target[x] += weight * by_column[x] * line[x]


@compiled(fastmath={"contract"})
def _average(sums: Array, scale: Any, place: Any, out: Array) -> None:
    """Take finished slices out of the sums, over what their weights add up to, and leave zeros."""
    by_slice, by_row, by_column = scale
    first, begin, end = place
    for channel in range(out.shape[0]):
        for z in range(begin, end):
            at = first - begin + z
            plane = sums[channel, at % sums.shape[1]]
            for y in range(out.shape[2]):
                factor = by_slice[at] * by_row[y]
                line, target = plane[y], out[channel, z, y]
                for x in range(target.size):
                    target[x] = line[x] * factor * by_column[x]
                    line[x] = 0
