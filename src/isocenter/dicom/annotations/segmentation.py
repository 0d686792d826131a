"""Segmentation: stored segmentations as findings: binary, fractional and label map objects, and RT Structure Sets.

Where frames lie is found in ``segmentframes`` and ``lattice``, what their segments are in ``segments``, contours in
``structures``; here their pixels are read. How a Segmentation is written lives in ``seg``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.annotations import kinds, segmentframes, segments
from isocenter.dicom.annotations.contours import Patch
from isocenter.dicom.annotations.lattice import Places, own_lattice, places_on
from isocenter.dicom.annotations.layers import Layers
from isocenter.dicom.annotations.objectpixels import cells_of
from isocenter.dicom.annotations.objects import ObjectSource, OpenObject, open_object
from isocenter.dicom.annotations.segmentframes import Layout, SegmentFrame
from isocenter.dicom.annotations.structures import structures_on
from isocenter.dicom.file import parsing
from isocenter.dicom.file.elements import WANTED
from isocenter.dicom.file.nested import Item
from isocenter.dicom.sorting.stack import flat_grid
from isocenter.errors import InputError, Refused, TryLater, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.reasons import Reason
from isocenter.volume import Source, Volume

Cells = npt.NDArray[Any]

_BITS = {"BINARY": (1,), "FRACTIONAL": (8,), "LABELMAP": (8, 16)}
_TYPE, _HIGHEST, _PADDING = 0x00620001, 0x0062000E, 0x00280120


def read_segmentation(source: ObjectSource, *, grid: Grid | None = None) -> Segmentation:
    """Read a stored segmentation: a DICOM Segmentation, or an RT Structure Set onto a grid.

    Parameters
    ----------
    source
        Path or bytes of the file, or what a scan has found (:attr:`isocenter.dicom.scan.Scan.findings`).
    grid
        Grid to have it on, such as that of the image that it was drawn on. Without one a Segmentation comes on the
        smallest grid that holds its frames; an RT Structure Set has no grid of its own.

    Returns
    -------
    One segment for each that is described, those without a voxel too. Segments that overlap lie in layers. Of a
    fractional segmentation, voxels from one half on. ``sources`` are the frames that it says it was drawn on.

    Raises
    ------
    UsageError
        If there is no such file, an RT Structure Set is read without a grid, or the frames of a Segmentation do not
        lie on the voxels of the grid.
    Refused
        If no right segmentation can be made of it; the reasons say why.
    InputError
        If it is damaged, or something else.
    TryLater
        If it does not fit into memory.
    """
    if isinstance(grid, Volume | Segmentation):
        raise UsageError("Give the grid of the image, not the image: grid=volume.grid.")
    opened = open_object(source)
    with _reading(opened):
        return _read(opened, grid)


@contextmanager
def _reading(opened: OpenObject) -> Iterator[None]:
    """Name the object in what is refused, and tell that memory is short."""
    try:
        yield
    except MemoryError:
        raise TryLater("There is no room in memory for the segmentation: read it onto a smaller grid.") from None
    except Refused as error:
        raise Refused(_named(error.reasons, opened)) from error


def _named(reasons: Iterable[Reason], opened: OpenObject) -> tuple[Reason, ...]:
    return tuple(replace(reason, instances=(opened.instance.name,)) for reason in reasons)


def _read(opened: OpenObject, grid: Grid | None) -> Segmentation:
    kind = kinds.kind_of(opened.instance.sop_class_uid)
    if kind is kinds.STRUCTURE_SET:
        if grid is None:
            raise UsageError(
                "An RT Structure Set holds contours, no voxels. Give the image that it was drawn on: "
                "read_segmentation(path, grid=volume.grid), or `isocenter convert --on IMAGE`."
            )
        return structures_on(opened, grid)
    if kind is not kinds.SEGMENTATION:
        raise InputError("This DICOM object is no Segmentation and no RT Structure Set.")
    stored = _stored(opened, grid)
    layers, described, reasons = _label_map(stored) if stored.kind == "LABELMAP" else _masks(stored)
    reasons = [*stored.reasons, *reasons]
    return Segmentation(
        layers, stored.places.grid, described, stored.algorithm, _sources(stored), _named(reasons, opened)
    )


def read_fractions(source: ObjectSource, *, grid: Grid | None = None) -> Volume:
    """The fractions of a stored fractional segmentation: how much of a voxel is filled, or how probable it is.

    Parameters
    ----------
    source, grid
        As of :func:`read_segmentation`.

    Returns
    -------
    (slice, row, column, segment) from 0 to 1, float32; the segments in the order in which they are described.

    Raises
    ------
    UsageError, Refused, InputError, TryLater
        As :func:`read_segmentation`; and UsageError if the segmentation is not fractional.
    """
    opened = open_object(source)
    if kinds.kind_of(opened.instance.sop_class_uid) is not kinds.SEGMENTATION:
        raise InputError("This DICOM object is no Segmentation.")
    with _reading(opened):
        stored = _stored(opened, grid)
        if stored.kind != "FRACTIONAL":
            raise UsageError("This Segmentation holds no fractions: read it with read_segmentation.")
        array = _fractions(stored)
    sources, reasons = _sources(stored), _named(stored.reasons, opened)
    return Volume(array, stored.places.grid, axes=("segment",), modality="SEG", sources=sources, reasons=reasons)


def _fractions(stored: _Stored) -> Cells:
    array = np.zeros((*stored.places.grid.shape, len(stored.segments)), np.float32)
    for channel, segment in enumerate(stored.segments):
        for k, frame in stored.frames:
            if frame.segment == segment.label:
                array[(*_place(stored, k), channel)] = _parts(stored, frame) / np.float32(stored.highest)
    return array


# --- the object ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True)
class _Stored:
    """A Segmentation object whose header was read.

    Parameters
    ----------
    kind
        ``"BINARY"``, ``"FRACTIONAL"`` or ``"LABELMAP"``.
    highest
        The value of a whole fraction.
    segments, algorithm
        What it describes; labels are Segment Numbers.
    background
        The value of no segment, in a label map.
    frames
        The frames on the grid, each with its slice.
    shape
        (rows, columns) of a frame.
    places
        Where they lie.
    cells
        The (row, column) values of a frame, by its place in the pixel data.
    reasons
        What was met.
    """

    kind: str
    highest: int
    segments: tuple[Segment, ...]
    algorithm: Algorithm
    background: int
    frames: tuple[tuple[int, SegmentFrame], ...]
    shape: tuple[int, int]
    places: Places
    cells: Callable[[int], Cells] = field(repr=False)
    reasons: tuple[Reason, ...]


def _stored(opened: OpenObject, grid: Grid | None) -> _Stored:
    charset = opened.header.values.get(WANTED["SpecificCharacterSet"], b"")
    found = opened.take({**segments.WANTED, _TYPE: None, _HIGHEST: None, _PADDING: None})
    kind = parsing.text(found.get(_TYPE, b""))
    described = segments.segments_of(found, charset)
    if opened.instance.format.bits_allocated not in _BITS.get(kind, ()):
        raise InputError("The Segmentation is not binary, fractional or a label map with the bits that these have.")
    if kind == "LABELMAP":
        described = tuple(segment for segment in described if segment.label != _number(found, _PADDING))
    elif any(segment.label == 0 for segment in described):
        raise InputError("The Segmentation numbers a segment 0, which stands for none: export it again.")
    frames, layout = segmentframes.frames_of(opened)
    places = _places(opened, frames, layout, grid)
    known = {0} if kind == "LABELMAP" else {segment.label for segment in described}
    held, reasons = _held(frames, places, known)
    if grid is not None and grid.space is Space.PATIENT and not _share_frame(opened, grid):
        message = "Segmentation or grid do not name their frame of reference; they were taken as one."
        reasons.append(Reason("FRAME_UNKNOWN", message))
    return _Stored(
        kind=kind,
        highest=max(_number(found, _HIGHEST), 1) if kind == "FRACTIONAL" else 1,
        segments=described,
        algorithm=segments.algorithm_of(found, charset),
        background=_number(found, _PADDING),
        frames=tuple(held),
        shape=(opened.instance.format.rows, opened.instance.format.columns),
        places=places,
        cells=cells_of(opened),
        reasons=tuple(reasons),
    )


def _number(found: Item, tag: int) -> int:
    return int.from_bytes(found.get(tag, b"")[:2], "little")


def _places(opened: OpenObject, frames: Sequence[SegmentFrame], layout: Layout, grid: Grid | None) -> Places:
    """Where the frames lie, on the given grid or on one of their own."""
    form, frame_uid = opened.instance.format, opened.instance.frame_of_reference_uid
    shape = form.rows, form.columns
    positions = [frame.position_mm for frame in frames if frame.position_mm is not None]
    if not frames or min(shape) < 1:
        raise InputError("The Segmentation has no frame.")
    if not positions and layout.orientation is None:
        flat = flat_grid(shape, layout.pixel_spacing_mm)
        if grid is not None and (grid.shape != flat.shape or grid.space is Space.PATIENT):
            raise UsageError("The Segmentation is of a picture without a place in the patient; the grid is of another.")
        return Places(grid or flat, (0,) * len(frames))
    if len(positions) < len(frames) or layout.orientation is None or layout.pixel_spacing_mm is None:
        raise Refused([Reason("POSITION_MISSING", "Its frames have no position, orientation or pixel spacing.")])
    if grid is None:
        return own_lattice(positions, layout, shape, frame_uid or None)
    if not _share_frame(opened, grid) and frame_uid and grid.frame_of_reference_uid:
        message = "The Segmentation was made in another frame of reference than that of the grid."
        raise Refused([Reason("FRAME_OTHER", message)])
    return places_on(grid, positions, layout, shape)


def _share_frame(opened: OpenObject, grid: Grid) -> bool:
    """Whether both name the same frame of reference."""
    return bool(grid.frame_of_reference_uid) and grid.frame_of_reference_uid == opened.instance.frame_of_reference_uid


def _held(
    frames: Sequence[SegmentFrame], places: Places, known: set[int]
) -> tuple[list[tuple[int, SegmentFrame]], list[Reason]]:
    """The frames on the grid that belong to known segments, each with its slice; and what was left out."""
    reasons: list[Reason] = []
    held = [(k, frame) for k, frame in zip(places.slices, frames, strict=True) if 0 <= k < places.grid.shape[0]]
    if len(held) < len(frames):
        message = f"{len(frames) - len(held)} of {len(frames)} frames lie beyond the slices of the grid."
        reasons.append(Reason("SEGMENT_CUT", message))
    if len({(k, frame.segment) for k, frame in held}) < len(held):
        message = "Several frames of one segment lie at one position: they may belong to different times."
        raise Refused([Reason("DUPLICATE_POSITION", message)])
    described = [(k, frame) for k, frame in held if frame.segment in known]
    if len(described) < len(held):
        message = f"{len(held) - len(described)} of {len(frames)} frames belong to segments that are not described."
        reasons.append(Reason("SEGMENT_UNDESCRIBED", message))
    return described, reasons


def _sources(stored: _Stored) -> tuple[Source | None, ...]:
    """The frame that each slice was drawn on; empty where no frame names one."""
    found: dict[int, set[Source | None]] = defaultdict(set)
    for k, frame in stored.frames:
        found[k].add(frame.source)
    if not any(source for sources in found.values() for source in sources):
        return ()
    slices = (found.get(k, set()) for k in range(stored.places.grid.shape[0]))
    return tuple(next(iter(sources)) if len(sources) == 1 else None for sources in slices)


# --- voxels ----------------------------------------------------------------------------------------------------------


def _masks(stored: _Stored) -> tuple[tuple[Cells, ...], tuple[Segment, ...], list[Reason]]:
    """Frames of one segment each, to layers."""
    places = stored.places
    layers = Layers(places.grid.shape, max(segment.label for segment in stored.segments))
    frames: dict[int, list[tuple[int, SegmentFrame]]] = defaultdict(list)
    for k, frame in stored.frames:
        frames[frame.segment].append((k, frame))
    described, cut = [], 0
    for segment in stored.segments:
        patches = []
        for k, frame in frames[segment.label]:
            if stored.kind == "BINARY":
                mask = stored.cells(frame.index).view(bool)
            else:
                parts = _parts(stored, frame)
                mask = parts >= stored.highest / 2
                cut += int(np.count_nonzero((parts > 0) & (parts < stored.highest)))
            patches.append(Patch(k, places.row, places.column, mask))
        described.append(replace(segment, layer=layers.add(segment.label, patches)))
    message = f"{cut} voxels hold a fraction; those of one half or more were taken."
    return layers.arrays, tuple(described), [Reason("FRACTIONS_CUT", message)] if cut else []


def _parts(stored: _Stored, frame: SegmentFrame) -> Cells:
    """The fractions of a frame, as they are stored.

    Raises
    ------
    InputError
        If one is more than the whole.
    """
    cells = stored.cells(frame.index)
    if cells.max(initial=0) > stored.highest:
        raise InputError("The Segmentation holds fractions beyond its Maximum Fractional Value: export it again.")
    return cells


def _label_map(stored: _Stored) -> tuple[tuple[Cells, ...], tuple[Segment, ...], list[Reason]]:
    """Frames of labels, to one layer. A segment of number 0, where that is no background, gets a label of its own."""
    numbers = [segment.label for segment in stored.segments]
    highest = max(numbers, default=0)
    labels = {number: number or highest + 1 for number in numbers}
    table = np.zeros(1 << 16, np.min_scalar_type(max(highest + 1, 1)))
    table[list(labels)] = list(labels.values())
    array = np.zeros(stored.places.grid.shape, table.dtype)
    stray = 0
    for k, frame in stored.frames:
        cells = stored.cells(frame.index)
        array[_place(stored, k)] = table[cells]
        stray += int(np.count_nonzero(~np.isin(cells, [stored.background, *numbers])))
    reasons = []
    if stray:
        reasons.append(
            Reason("SEGMENT_UNDESCRIBED", f"{stray} voxels hold numbers of segments that are not described.")
        )
    return (array,), tuple(replace(s, label=labels[s.label]) for s in stored.segments), reasons


def _place(stored: _Stored, k: int) -> tuple[int, slice, slice]:
    row, column = stored.places.row, stored.places.column
    rows, columns = stored.shape
    return k, slice(row, row + rows), slice(column, column + columns)
