"""Structure set: what an RT Structure Set (PS3.3 A.19, C.8.8.5, C.8.8.6, C.8.8.8) says. Nothing is drawn here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.codes import Code
from isocenter.dicom.annotations.naming import CODE, code_of
from isocenter.dicom.annotations.objects import OpenObject
from isocenter.dicom.file import parsing
from isocenter.dicom.file.elements import WANTED as COMMON
from isocenter.dicom.file.nested import Item, Wanted
from isocenter.errors import InputError

Floats = npt.NDArray[np.float64]

_ROIS, _NUMBER, _FRAME, _NAME, _WAY = 0x30060020, 0x30060022, 0x30060024, 0x30060026, 0x30060036
_DRAWN, _DRAWN_NUMBER, _COLOR = 0x30060039, 0x30060084, 0x3006002A
_CONTOURS, _TYPE, _SLAB, _OFFSET = 0x30060040, 0x30060042, 0x30060044, 0x30060045
_COUNT, _POINTS = 0x30060046, 0x30060050
_OBSERVED, _LABEL, _KIND, _IDENTITY = 0x30060080, 0x30060085, 0x300600A4, 0x30060086
_CONTOUR: Wanted = dict.fromkeys((_TYPE, _SLAB, _OFFSET, _COUNT, _POINTS))
_WANTED: Wanted = {
    _ROIS: dict.fromkeys((_NUMBER, _FRAME, _NAME, _WAY)),
    _DRAWN: {_DRAWN_NUMBER: None, _COLOR: None, _CONTOURS: _CONTOUR},
    _OBSERVED: {_DRAWN_NUMBER: None, _LABEL: None, _KIND: None, _IDENTITY: CODE},
}
_CLOSED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})
_FARTHEST_MM = 1e6
_TARGET = {
    "GTV": codes.GROSS_TUMOR_VOLUME,
    "CTV": codes.CLINICAL_TARGET_VOLUME,
    "PTV": codes.PLANNING_TARGET_VOLUME,
}
_THINGS = frozenset({"BOLUS", "SUPPORT", "FIXATION", "MARKER", "BRACHY_DEVICE", "BRACHY_SRC_APP", "BRACHY_CHNL_SHLD"})


@dataclass(frozen=True, eq=False, slots=True)
class Structure:
    """A structure (ROI).

    Parameters
    ----------
    number
        ROI Number.
    title
        ROI Name.
    property_type, property_category
        What it is.
    color
        sRGB from 0 to 255; None if not given.
    way
        ROI Generation Algorithm, in lower case; empty if not given.
    frame_of_reference_uid
        Empty if not given.
    contours
        The closed ones: (n, 3) points in LPS millimetres each; None if any is damaged.
    open_count
        How many contours it has that are points, open lines or of no stated kind.
    slab_mm
        The least thickness that the contours say they stand for; 0 where they say nothing.
    """

    number: int
    title: str
    property_type: Code
    property_category: Code
    color: tuple[int, int, int] | None
    way: str
    frame_of_reference_uid: str
    contours: tuple[Floats, ...] | None
    open_count: int
    slab_mm: float


def structures_of(opened: OpenObject) -> tuple[tuple[Structure, ...], int]:
    """The structures of an RT Structure Set in its order, and how many are drawn that it does not name.

    Raises
    ------
    InputError
        If it does not number its structures, each by a number of its own.
    """
    found = opened.take(_WANTED)
    charset = opened.header.values.get(COMMON["SpecificCharacterSet"], b"")
    drawn, observed = (_by_number(found.get(tag, []), _DRAWN_NUMBER) for tag in (_DRAWN, _OBSERVED))
    rois = _by_number(found.get(_ROIS, []), _NUMBER)
    if any(len(items) > 1 for items in rois.values()):
        raise InputError("The RT Structure Set has several structures of one number: export it again.")
    frame_uid = opened.instance.frame_of_reference_uid
    structures = tuple(
        _structure(number, {**next(iter(observed[number]), {}), **roi, _DRAWN: drawn[number]}, charset, frame_uid)
        for number, (roi,) in list(rois.items())
    )
    return structures, len(drawn.keys() - rois.keys())


def _by_number(items: Iterable[Item], tag: int) -> defaultdict[int, list[Item]]:
    numbered: defaultdict[int, list[Item]] = defaultdict(list)
    for item in items:
        number = parsing.integer(item.get(tag, b""))
        if number is None:
            raise InputError("The RT Structure Set does not number its structures: export it again.")
        numbered[number].append(item)
    return numbered


def _structure(number: int, said: Item, charset: bytes, frame_uid: str) -> Structure:
    """A structure of what was said of it in the three sequences."""
    type_, category = _meaning(parsing.text(said.get(_KIND, b"")).upper())
    contours = [contour for item in said[_DRAWN] for contour in item.get(_CONTOURS, [])]
    closed = [contour for contour in contours if parsing.text(contour.get(_TYPE, b"")) in _CLOSED]
    points = [_points_mm(contour) for contour in closed]
    slabs = [parsing.length_mm(contour.get(_SLAB, b"")) for contour in closed]
    title = parsing.words(said.get(_NAME, b"") or said.get(_LABEL, b""), charset)
    return Structure(
        number=number,
        title=title or f"Structure {number}",
        property_type=code_of(said.get(_IDENTITY, []), charset) or type_,
        property_category=category,
        color=next((_color(item) for item in said[_DRAWN]), None),
        way=parsing.text(said.get(_WAY, b"")).lower(),
        frame_of_reference_uid=parsing.text(said.get(_FRAME, b"")) or frame_uid,
        contours=tuple(one for one in points if one is not None) if all(one is not None for one in points) else None,
        open_count=len(contours) - len(closed),
        slab_mm=min((slab for slab in slabs if slab), default=0.0),
    )


def _meaning(interpreted: str) -> tuple[Code, Code]:
    """Property type and category of an RT ROI Interpreted Type (PS3.3 C.8.8.8.1)."""
    if interpreted in _TARGET:
        return _TARGET[interpreted], codes.SPATIAL_CONCEPT
    if interpreted == "EXTERNAL":
        return codes.BODY, codes.ANATOMICAL_STRUCTURE
    if interpreted in _THINGS:
        return codes.PHYSICAL_OBJECT, codes.PHYSICAL_OBJECT
    return codes.ANATOMICAL_STRUCTURE, codes.ANATOMICAL_STRUCTURE


def _color(item: Item) -> tuple[int, int, int] | None:
    parts = parsing.numbers(item.get(_COLOR, b""))
    if len(parts) != 3 or not all(0 <= part <= 255 for part in parts):
        return None
    red, green, blue = map(int, parts)
    return red, green, blue


def _points_mm(contour: Item) -> Floats | None:
    """(n, 3) points; None if they are no places in a patient, or not as many as stated."""
    text = contour.get(_POINTS, b"")
    try:
        points = np.array(text.split(b"\\")).astype(np.float64).reshape(-1, 3)
    except ValueError:
        return None
    stated = parsing.integer(contour.get(_COUNT, b""))
    is_moved = any(parsing.numbers(contour.get(_OFFSET, b"")))  # retired: what it is added to is not agreed upon
    if b"_" in text or is_moved or stated not in (None, len(points)) or not (np.abs(points) < _FARTHEST_MM).all():
        return None
    return points
