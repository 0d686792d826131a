"""Images larger than memory: one that stays on the disk and is read part by part, and one that is written so.

Laziness is a step between types: a :class:`Stored` image has a grid and no values; reading a part gives a Volume on its
part of the grid. For ``.zarr`` folders and ``.npy`` files.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from isocenter import codes
from isocenter.disk import replacing
from isocenter.errors import InputError, UsageError, expect
from isocenter.formats import description, numpy, zarr
from isocenter.geometry import Grid
from isocenter.volume import Array, Volume


@dataclass(frozen=True, eq=False)
class Stored:
    """An image on the disk, without its values.

    Parameters
    ----------
    path
        Where it lies.
    outline
        The image as it would be, but with every value 0 and without memory behind them: its grid, unit, axes, sources
        and reasons are those of the file.
    """

    path: Path
    outline: Volume = field(repr=False)
    _values: Any = field(repr=False)
    _is_axes_first: bool = field(default=False, repr=False)

    @property
    def grid(self) -> Grid:
        """Where the voxels lie."""
        return self.outline.grid

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array (slice, row, column, axes)."""
        return self.outline.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.outline.array.dtype

    def read(self, start: Sequence[int] = (0, 0, 0), stop: Sequence[int] | None = None) -> Volume:
        """The voxels ``[start, stop)`` along (slice, row, column), by default all, on their part of the grid.

        Raises
        ------
        UsageError
            If the box is empty or leaves the image.
        InputError
            If the file is damaged there.
        """
        end = self.grid.shape if stop is None else tuple(stop)
        try:
            grid = self.grid.crop(start, end)
        except ValueError as error:
            raise UsageError(str(error)) from error
        box = tuple(slice(int(a), int(b)) for a, b in zip(start, end, strict=True))
        try:
            part = np.asarray(self._values[(..., *box) if self._is_axes_first else box])
        except (ValueError, RuntimeError, OSError) as error:
            raise InputError(f"{self.path.name} is damaged in the part that was asked for.") from error
        values = zarr.from_disk(part) if self._is_axes_first else part
        whole = grid.shape[1:] == self.grid.shape[1:]
        sources = self.outline.sources[box[0]] if whole else ()
        return self.outline.on(grid, np.array(values, values.dtype.newbyteorder("="), order="C"), sources=sources)


def stored(path: str | os.PathLike[str]) -> Stored:
    """An image that stays on the disk until parts of it are read.

    Parameters
    ----------
    path
        A ``.zarr`` folder or a ``.npy`` file. The checksum of the latter is not looked at, as that would read it all.

    Raises
    ------
    UsageError
        If there is no such file, or its format can only be read as a whole.
    InputError
        If it is damaged, or holds a segmentation of overlapping layers.
    """
    file = Path(path)
    ending = _ending(file)
    if not file.exists():
        raise UsageError(f"There is no file {file}.")
    if ending == ".zarr":
        told, arrays = zarr.opened(file)
        values, shape = arrays[0], (*arrays[0].shape[-3:], *arrays[0].shape[:-3])
        if len(arrays) > 1:
            raise InputError("The file holds overlapping segments, which are read as a whole: use load_segmentation.")
        return Stored(file, _outline(told, _nothing(shape, values.dtype)), values, _is_axes_first=True)
    mapped, said = numpy.mapped(file)
    nothing = _nothing(mapped.shape if mapped.ndim > 2 else (1, *mapped.shape), mapped.dtype.newbyteorder("="))
    outline = replace(numpy.unsaid(nothing, file.name), unit=codes.ONE) if said is None else _outline(said, nothing)
    return Stored(file, outline, mapped.reshape(outline.shape))


def save_parts(parts: Iterable[Volume], path: str | os.PathLike[str], grid: Grid) -> None:
    """Write an image from parts of it that come one after another, so that no more than one is in memory.

    Each part goes where its grid says; unit, modality, axes and type of values are those of the first, and the reasons
    of all. The file gets its name when all of it is there.

    Parameters
    ----------
    parts
        Volumes on parts of the grid, without overlap, in any order. Whole slabs of 64 slices are fastest for ``.zarr``.
    path
        A ``.zarr`` folder or a ``.npy`` file.
    grid
        Of the whole image.

    Raises
    ------
    UsageError
        If a part does not lie on the grid's voxels, is of another kind than the first, or the parts do not make up the
        grid.
    TryLater
        If the disk is full.
    """
    file, coming = Path(path), iter(parts)
    is_zarr, first = _ending(file) == ".zarr", next(coming, None)
    if first is None:
        raise UsageError("There is no part to write.")
    expect(first, Volume)
    expect(grid, Grid)
    outline = first.on(grid, _nothing((*grid.shape, *first.shape[3:]), first.array.dtype))
    boxes: list[Box] = []
    check, dtype = "", outline.array.dtype
    with replacing(file) as temporary:
        place = zarr.create(outline, temporary)[0] if is_zarr else numpy.reserved(temporary, outline.shape, dtype)
        for part in chain([first], coming):
            box = _box(part, outline, boxes)
            boxes.append(box)
            place[(..., *box) if is_zarr else box] = zarr.to_disk(part.array) if is_zarr else part.array
            outline = outline.with_reasons(part.reasons)
        missing = math.prod(grid.shape) - sum(math.prod(one.stop - one.start for one in box) for box in boxes)
        if missing:
            raise UsageError(f"The parts leave {missing} voxels of the grid without a value.")
        if is_zarr:
            zarr.describe(outline, temporary)
        else:
            place.flush()
            check = numpy.checksum(place)
    if not is_zarr:
        numpy.write_sidecar(outline, file, check)


Box = tuple[slice, slice, slice]


def _box(part: Volume, outline: Volume, taken: Sequence[Box]) -> Box:
    """Where a part lies in the whole, if it fits there and nothing has been put there yet."""
    expect(part, Volume)
    kinds = ((one.array.dtype, one.shape[3:], one.axes, one.unit, one.modality) for one in (part, outline))
    if next(kinds) != next(kinds):
        raise UsageError("The parts differ in type, unit, modality or further axes: all must be of one kind.")
    start = [round(float(at)) for at in outline.grid.to_index(part.grid.origin_mm)]
    stop = [at + n for at, n in zip(start, part.grid.shape, strict=True)]
    try:
        lies_there = outline.grid.crop(start, stop).coincides(part.grid)
    except ValueError:
        lies_there = False
    if not lies_there:
        raise UsageError("A part does not lie on the voxels of the grid: bring it onto them first (iso.onto).")
    box = (slice(start[0], stop[0]), slice(start[1], stop[1]), slice(start[2], stop[2]))
    for other in taken:
        if all(a.start < b.stop and b.start < a.stop for a, b in zip(box, other, strict=True)):
            raise UsageError("Two parts overlap: each voxel is written once.")
    return box


def _outline(said: dict[str, Any], nothing: Array) -> Volume:
    image = description.image_of(said, [nothing], description.grid_of(said))
    if isinstance(image, Volume):
        return image
    return Volume(image.array, image.grid, codes.ONE, sources=image.sources, reasons=image.reasons)


def _nothing(shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """Zeros of a shape that take no memory."""
    return np.broadcast_to(np.zeros((), dtype), tuple(shape))


def _ending(path: Path) -> str:
    ending = path.suffix.lower()
    if ending not in (".zarr", ".npy"):
        raise UsageError(f"Only .zarr and .npy are read and written part by part, not {path.name!r}.")
    return ending
