"""Weighted sums of overlapping windows, a band of slices at a time, by torch, whose threads wait for the next window.

Where windows lie, and in which order they come, is decided in ``window``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Triple

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


class Band:
    """Sums of the windows that are not finished yet: as many slices as are held, of each channel of the outputs.

    The image, the sums and the averages stay on the device. Slices lie in the band in turn (slice modulo its depth),
    so that none is ever moved.

    Parameters
    ----------
    scene
        What windows are of.
    device
        Where the network runs. On ``"cpu"`` it takes and gives arrays, elsewhere tensors.
    """

    def __init__(self, scene: Scene, device: str) -> None:
        import torch

        self._torch, self._scene, self._device = torch, scene, device
        self._array = torch.from_numpy(np.require(scene.array, np.float32, "W")).to(device)
        along = [torch.from_numpy(axis.weights).to(device) for axis in scene.axes]
        self._weights = along[0][:, None, None] * along[1][:, None] * along[2]
        self._scale = [torch.from_numpy(1 / axis.sums).to(device) for axis in scene.axes]
        self._given = torch.empty(0)  # windows for the network, in the same memory each time: fresh one costs more
        self._sums: Any = None
        self._end = scene.depth  # slices before it lie in the band, or did

    def patches(self, first: int, places: Sequence[Place]) -> Any:
        """The input (window, channel, slice, row, column) of the windows that begin at a slice and at places.

        Good until the next call.
        """
        depth, height, width = self._scene.roi
        shifts = range(-self._scene.neighbours, self._scene.neighbours + 1)
        if self._device == "cpu" and len(places) == len(shifts) == 1:
            r, c = places[0]
            there = self._array[None, :, first : first + depth, r : r + height, c : c + width]
            if not there.is_contiguous():  # runtimes copy such an array, so that no network can change the image
                return there.numpy()
        shape = (len(places), self._array.shape[0] * len(shifts), depth, height, width)
        if self._given.shape != shape:
            self._given = self._torch.empty(shape, device=self._device)
        for place, shift in enumerate(shifts):
            slices = self._slices(first + shift)
            for one, (r, c) in zip(self._given, places, strict=True):
                one[place :: len(shifts)] = self._array[:, slices, r : r + height, c : c + width]
        return self._handed(self._given)

    def add(self, outputs: Any, first: int, places: Sequence[Place]) -> None:
        """Add the outputs (window, channel, slice, row, column) of these windows."""
        if isinstance(outputs, np.ndarray):
            outputs = self._torch.from_numpy(np.require(outputs, np.float32, "W"))
        depth, height, width = self._scene.roi
        held = self._scene.depth
        if self._sums is None:
            self._sums = self._torch.zeros((outputs.shape[1], held, *self._array.shape[2:]), device=self._device)
        for entering in range(max(first, self._end), first + depth):
            self._sums[:, entering % held] = 0
        self._end = max(self._end, first + depth)
        for one, (r, c) in zip(outputs.float(), places, strict=True):
            for begin, stop in self._pieces(first):
                at = (first + begin) % held
                sums = self._sums[:, at : at + stop - begin, r : r + height, c : c + width]
                sums.addcmul_(one[:, begin:stop], self._weights[begin:stop])

    def averages(self, first: int, stop: int) -> Any:
        """Averages (channel, slice, row, column) of finished slices, from the first on: good until the next window.

        They are made of the sums where these lie, so that each is to be asked for once. They may be fewer than asked
        for, one at least.
        """
        if self._sums is None:
            raise ValueError("No window was added yet.")
        place = first % self._scene.depth
        values = self._sums[:, place : min(place + stop - first, self._scene.depth)]
        by_slice, by_row, by_column = self._scale
        for one, scale in enumerate(by_slice[first : first + values.shape[1]]):
            values[:, one] *= scale * by_row[:, None] * by_column
        return self._handed(values)

    def all(self) -> Any:
        """Everything that is held (channel, slice, row, column)."""
        return self._handed(self._sums)

    def _pieces(self, first: int) -> list[tuple[int, int]]:
        """Slices of a window, from and up to, that follow each other in the band: it begins anew after its last one."""
        depth, held = self._scene.roi[0], self._scene.depth
        turn = held - first % held
        return [(0, depth)] if turn >= depth else [(0, turn), (turn, depth)]

    def _slices(self, first: int) -> slice | list[int]:
        """As many slices as a window has; beyond the ends of the image the last one there again."""
        depth, count = self._scene.roi[0], self._array.shape[1]
        if 0 <= first <= count - depth:
            return slice(first, first + depth)
        return [min(max(first + number, 0), count - 1) for number in range(depth)]

    def _handed(self, tensor: Any) -> Any:
        return tensor.numpy() if self._device == "cpu" else tensor
