"""Segment frames: what the header of a Segmentation (PS3.3 A.51, C.8.20) says of its frames. No pixel is read here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isocenter.dicom.annotations.objects import OpenObject
from isocenter.dicom.file import parsing
from isocenter.dicom.file.nested import Item, Wanted
from isocenter.dicom.file.parsing import Triple
from isocenter.dicom.sorting import stack
from isocenter.errors import InputError, Refused
from isocenter.reasons import Reason
from isocenter.volume import Source

_POSITION_SEQUENCE, _POSITION = 0x00209113, 0x00200032
_ORIENTATION_SEQUENCE, _ORIENTATION = 0x00209116, 0x00200037
_MEASURES_SEQUENCE, _SPACING, _THICKNESS, _BETWEEN = 0x00289110, 0x00280030, 0x00180050, 0x00180088
_IDENTIFICATION_SEQUENCE, _NUMBER = 0x0062000A, 0x0062000B
_DERIVATION_SEQUENCE, _IMAGE_SEQUENCE, _INSTANCE, _FRAME = 0x00089124, 0x00082112, 0x00081155, 0x00081160
_SLIDE_SEQUENCE = 0x0048021A
_SHARED, _PER_FRAME = 0x52009229, 0x52009230
_TOTAL_COLUMNS = 0x00480006

_GROUPS: Wanted = {
    _POSITION_SEQUENCE: {_POSITION: None},
    _ORIENTATION_SEQUENCE: {_ORIENTATION: None},
    _MEASURES_SEQUENCE: {_SPACING: None, _THICKNESS: None, _BETWEEN: None},
    _IDENTIFICATION_SEQUENCE: {_NUMBER: None},
    _DERIVATION_SEQUENCE: {_IMAGE_SEQUENCE: {_INSTANCE: None, _FRAME: None}},
    _SLIDE_SEQUENCE: {},
}
WANTED: Wanted = {_SHARED: _GROUPS, _PER_FRAME: _GROUPS, _TOTAL_COLUMNS: None}
"""What is taken of the header for :func:`frames_of`."""


@dataclass(frozen=True, slots=True)
class SegmentFrame:
    """One frame.

    Parameters
    ----------
    index
        Its place in the pixel data, from 0.
    segment
        Number of its segment; 0 where it holds labels.
    position_mm
        LPS of its first pixel's centre; None where not given.
    source
        The frame that it was drawn on, if there is one.
    """

    index: int
    segment: int
    position_mm: Triple | None
    source: Source | None


@dataclass(frozen=True, slots=True)
class Layout:
    """What all frames share.

    Parameters
    ----------
    orientation
        Image Orientation (Patient): direction of growing column index, then of growing row index; None if not given.
    pixel_spacing_mm
        Between rows, then between columns; None if not given.
    between_slices_mm, thickness_mm
        Spacing Between Slices and Slice Thickness; None if not given.
    """

    orientation: tuple[float, ...] | None
    pixel_spacing_mm: tuple[float, float] | None
    between_slices_mm: float | None
    thickness_mm: float | None


def frames_of(opened: OpenObject) -> tuple[list[SegmentFrame], Layout]:
    """The frames of a Segmentation, and what they share.

    Raises
    ------
    Refused
        If they have several orientations or pixel spacings, or tile a slide.
    InputError
        If a frame does not say what segment it is of, or the number of frames is not that of the header.
    """
    found = opened.take(WANTED)
    items: list[Item] = found.get(_PER_FRAME, [])
    if _TOTAL_COLUMNS in found or any(item.get(_SLIDE_SEQUENCE) for item in items[:1]):
        raise Refused([Reason("UNSUPPORTED", "Segmentations of slides, tile by tile, are not read.")])
    if len(items) != opened.instance.format.frames:
        raise InputError("The Segmentation does not describe each of its frames: export it again.")
    shared: Item = next(iter(found.get(_SHARED, [])), {})
    groups = [{tag: _first(item, shared, tag) for tag in _GROUPS} for item in items]
    return [_frame(index, group) for index, group in enumerate(groups)], _layout(groups)


def _first(item: Item, shared: Item, tag: int) -> Item:
    """The functional group of a frame, or the one that all frames share."""
    within = item.get(tag) or shared.get(tag) or [{}]
    return within[0] if isinstance(within, list) else {}


def _frame(index: int, group: dict[int, Item]) -> SegmentFrame:
    return SegmentFrame(
        index,
        int.from_bytes(group[_IDENTIFICATION_SEQUENCE].get(_NUMBER, b"")[:2], "little"),
        parsing.triple(group[_POSITION_SEQUENCE].get(_POSITION, b"")),
        _source(group[_DERIVATION_SEQUENCE].get(_IMAGE_SEQUENCE, [])),
    )


def _source(images: Sequence[Item]) -> Source | None:
    """The one frame that a frame was drawn on; None where there are none or several."""
    if len(images) != 1 or not images[0].get(_INSTANCE):
        return None
    frames = parsing.numbers(images[0].get(_FRAME, b""))
    return None if len(frames) > 1 else Source(parsing.text(images[0][_INSTANCE]), int(frames[0]) if frames else 1)


def _layout(groups: Sequence[dict[int, Item]]) -> Layout:
    orientations = _distinct(parsing.direction(g[_ORIENTATION_SEQUENCE].get(_ORIENTATION, b"")) for g in groups)
    spacings = _distinct(parsing.spacing(g[_MEASURES_SEQUENCE].get(_SPACING, b"")) for g in groups)
    first_orientation, first_spacing = next(iter(orientations), None), next(iter(spacings), None)
    if any(not _agree(stack.same_direction, first_orientation, other) for other in orientations):
        raise Refused([Reason("SEGMENTATION_UNEVEN", "Its frames have several orientations.")])
    if any(not _agree(stack.same_spacing, first_spacing, other) for other in spacings):
        raise Refused([Reason("SEGMENTATION_UNEVEN", "Its frames have several pixel spacings.")])
    measures = groups[0][_MEASURES_SEQUENCE] if groups else {}
    between, thickness = (parsing.length_mm(measures.get(tag, b"")) for tag in (_BETWEEN, _THICKNESS))
    return Layout(first_orientation, first_spacing, between, thickness)


def _distinct(values: Any) -> list[Any]:
    return list(dict.fromkeys(values))


def _agree(are_equal: Any, one: Any, other: Any) -> bool:
    return one is other if one is None or other is None else bool(are_equal(one, other))
