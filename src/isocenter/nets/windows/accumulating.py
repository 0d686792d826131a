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
        """The input (window, channel, slice, row, column) of the windows that begin at a slice and at places.

        Good until the next call.
        """
        ...

    def add(self, outputs: Any, first: int, places: Sequence[Place]) -> None:
        """Add the outputs (window, channel, slice, row, column) of these windows."""
        ...

    def averages(self, first: int, stop: int) -> Any:
        """Averages (channel, slice, row, column) of finished slices, from the first on: good until the next window.

        They may be fewer than asked for, one at least.
        """
        ...


@dataclass(frozen=True, eq=False)
class Scene:
    """What windows are of.

    Parameters
    ----------
    array
        float32 (channel, slice, row, column).
    axes
        The windows along (slice, row, column).
    neighbours
        Slices on each side that are further channels.
    depth
        Slices that are held: those of a window, or all.
    """

    array: Singles
    axes: tuple[Along, Along, Along]
    neighbours: int
    depth: int

    @property
    def roi(self) -> Triple:
        """Voxels of a window."""
        k, r, c = (axis.weights.size for axis in self.axes)
        return k, r, c


def band_for(device: str, scene: Scene) -> Band:
    """The band of a scene on the device that its network runs on."""
    return OnCpu(scene) if device == "cpu" else OnGpu(scene, device)


class OnCpu:
    """A band of NumPy arrays. Slices lie in it in turn (slice modulo its depth), so that none is ever moved."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._sums: Singles | None = None
        self._given = np.empty(0, np.float32)  # windows that the network sees, in memory that is there already
        self._end = 0  # slices before it lie in the band, or did

    def patches(self, first: int, places: Sequence[Place]) -> Singles:
        """As of :class:`Band`."""
        array, (depth, height, width) = self._scene.array, self._scene.roi
        reach = range(-self._scene.neighbours, self._scene.neighbours + 1)
        channels, last = array.shape[0], array.shape[1] - 1
        out = self._room((len(places), channels * len(reach), depth, height, width))

        def work(begin: int, end: int) -> None:
            for one, (row, column) in zip(out, places, strict=True):
                box = (slice(row, row + height), slice(column, column + width))
                for place, offset in enumerate(reach):
                    slices = np.clip(np.arange(begin, end) + first + offset, 0, last) if offset else None
                    part = array[:, first + begin : first + end] if slices is None else array[:, slices]
                    one[place :: len(reach), begin:end] = part[:, :, *box]

        over_slices(work, (depth, height, width))
        return out

    def _room(self, shape: tuple[int, ...]) -> Singles:
        """Room for windows, the same each time: fresh memory costs more than what is copied into it."""
        if self._given.shape != shape:
            self._given = np.empty(shape, np.float32)
        return self._given

    def add(self, outputs: Singles, first: int, places: Sequence[Place]) -> None:
        """As of :class:`Band`."""
        if self._sums is None:
            self._sums = np.zeros((outputs.shape[1], self._scene.depth, *self._scene.array.shape[2:]), np.float32)
            self._end = self._scene.depth
        sums, weights = self._sums, tuple((axis.weights, 1 / axis.sums) for axis in self._scene.axes)
        for entering in range(max(first, self._end), first + self._scene.roi[0]):
            sums[:, entering % self._scene.depth] = 0
        self._end = max(self._end, first + self._scene.roi[0])
        windows = list(zip(np.asarray(outputs, np.float32), places, strict=True))

        def work(begin: int, end: int) -> None:
            for one, place in windows:
                _add(one, weights, (first, *place, begin, end), sums)

        over_slices(work, (outputs.shape[2], *outputs.shape[3:]))

    def averages(self, first: int, stop: int) -> Singles:
        """As of :class:`Band`."""
        if self._sums is None:
            raise ValueError("No window was added yet.")
        place = first % self._scene.depth
        return self._sums[:, place : min(place + stop - first, self._scene.depth)]


class OnGpu:
    """A band of tensors; the input, the sums and the averages stay on the device."""

    def __init__(self, scene: Scene, device: str) -> None:
        import torch

        self._torch, self._scene, axes = torch, scene, scene.axes
        self._array = torch.from_numpy(scene.array).to(device)
        along = [torch.from_numpy(axis.weights).to(device) for axis in axes]
        self._weights = along[0][:, None, None] * along[1][:, None] * along[2]
        self._scale = [torch.from_numpy(1 / axis.sums).to(device) for axis in axes]
        self._sums: Any = None
        self._first = 0

    def patches(self, first: int, places: Sequence[Place]) -> Any:
        """As of :class:`Band`."""
        depth, height, width = self._scene.roi
        last = self._array.shape[1] - 1
        shifts = range(-self._scene.neighbours, self._scene.neighbours + 1)
        near = [[min(max(first + shift + n, 0), last) for n in range(depth)] for shift in shifts]
        parts = self._torch.stack([self._array[:, slices] for slices in near], dim=1).flatten(0, 1)
        return self._torch.stack([parts[:, :, r : r + height, c : c + width] for r, c in places])

    def add(self, outputs: Any, first: int, places: Sequence[Place]) -> None:
        """As of :class:`Band`."""
        depth, height, width = self._scene.roi
        if self._sums is None:
            shape = (outputs.shape[1], self._scene.depth, *self._array.shape[2:])
            self._sums = outputs.new_zeros(shape, dtype=self._torch.float32)
        if first + depth > self._first + self._scene.depth:  # what lies before was taken by averages
            self._sums = self._sums.roll(self._first - first, 1)
            self._sums[:, self._first - first :] = 0
            self._first = first
        begin = first - self._first
        for one, (r, c) in zip(outputs.float(), places, strict=True):
            self._sums[:, begin : begin + depth, r : r + height, c : c + width].addcmul_(one, self._weights)

    def averages(self, first: int, stop: int) -> Any:
        """As of :class:`Band`."""
        by_slice, by_row, by_column = self._scale
        part = self._sums[:, first - self._first : stop - self._first]
        return part * (by_slice[first:stop, None, None] * by_row[:, None] * by_column)


# --- kernels ---------------------------------------------------------------------------------------------------------


@compiled(fastmath={"contract"})
def _add(patch: Array, weights: Any, place: Any, sums: Array) -> None:
    """Add slices of a window to the sums, times what it counts among all windows that hold a voxel."""
    (by_slice, of_slice), (by_row, of_row), (by_column, of_column) = weights
    first, row, column, begin, end = place
    across = by_column * of_column[column : column + by_column.size]
    for channel in range(patch.shape[0]):
        for z in range(begin, end):
            plane = sums[channel, (first + z) % sums.shape[1]]
            for y in range(patch.shape[2]):
                weight = by_slice[z] * of_slice[first + z] * by_row[y] * of_row[row + y]
                line, target = patch[channel, z, y], plane[row + y, column : column + across.size]
                for x in range(across.size):
                    target[x] += weight * across[x] * line[x]
