"""Mosaic: the slices of a volume that Siemens scanners tile into one picture, found by its CSA header. Pure.

The picture's own Image Position (Patient) is that of a slice as large as the whole mosaic around the centre of the
first one; the CSA header tells how many slices there are and to which side of the first one they lie. Its layout is
not published; it is read as nibabel and dcm2niix read it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from isocenter.dicom.file import parsing
from isocenter.dicom.file.nested import Item
from isocenter.dicom.frames.frame import Frame, Window
from isocenter.reasons import Reason

_CREATORS = {0x00290010 + block: 0x00291010 + 0x100 * block for block in range(3)}
"""Where a private creator stands, and the CSA image header in its block."""
_CREATOR = "SIEMENS CSA HEADER"
_SPACING = 0x00180088
WANTED_MOSAIC = dict.fromkeys((*_CREATORS, *_CREATORS.values(), _SPACING))
"""What is taken of the header, for :func:`isocenter.dicom.file.nested.read`."""
_MOST_TAGS = 1024
_MOST_ITEMS = 1000
_PARALLEL = 1 - 1e-3
"""Cosine of the angle between the normal of the CSA header and that of the orientation, at least."""


def is_mosaic(frame: Frame) -> bool:
    """Whether the picture is a mosaic, by its Image Type."""
    return "MOSAIC" in frame.image_type


def tiles_of(picture: Frame, item: Item) -> tuple[Frame, ...]:
    """The slices of a mosaic.

    Parameters
    ----------
    picture
        The mosaic as if it were one slice.
    item
        :data:`WANTED_MOSAIC` of its header.

    Returns
    -------
    One frame per tile; the picture itself, without a place, where the header does not tell what lies where.
    """
    plan = _plan(picture, item)
    if isinstance(plan, str):
        reason = Reason("MOSAIC_UNCLEAR", plan, (picture.instance.name,))
        return (replace(picture, position_mm=None, reasons=(reason,)),)
    return tuple(_tiles(picture, plan))


@dataclass(frozen=True)
class _Plan:
    """How slices are tiled: their number, tiles in a row, size of a tile, and the step between slices in LPS."""

    count: int
    side: int
    shape: tuple[int, int]
    step_mm: tuple[float, ...]


def _plan(picture: Frame, item: Item) -> _Plan | str:
    """How the slices are tiled; a sentence where that is not clear."""
    if picture.position_mm is None or picture.orientation is None or picture.pixel_spacing_mm is None:
        return "The mosaic has no position, orientation or pixel spacing."
    csa = _csa_of(item)
    count = next((int(text) for text in csa.get("NumberOfImagesInMosaic", []) if text.isdigit()), 0)
    normal = _numbers(csa.get("SliceNormalVector", []))
    if count < 1 or len(normal) != 3:
        return "The mosaic has no CSA header that tells the number of its slices and their direction."
    side = math.ceil(math.sqrt(count))
    rows, columns = picture.shape
    if rows % side or columns % side or min(rows, columns) < side:
        return f"{count} slices cannot be tiled evenly into {rows} x {columns} pixels."
    spacing = abs(parsing.number(item.get(_SPACING, b"")) or 0.0)
    if not parsing.SHORTEST_MM <= spacing <= parsing.LONGEST_MM:
        return "The mosaic has no Spacing Between Slices."
    own = np.cross(picture.orientation[:3], picture.orientation[3:])
    along = float(own @ np.array(normal))
    if not abs(along) >= _PARALLEL:
        return "The slices of the mosaic do not lie along the normal of its orientation."
    step = math.copysign(spacing, along) * own
    return _Plan(count, side, (rows // side, columns // side), tuple(float(x) for x in step))


def _tiles(picture: Frame, plan: _Plan) -> Iterator[Frame]:
    assert picture.position_mm is not None and picture.orientation is not None  # noqa: S101, PT018 - asked by _plan
    assert picture.pixel_spacing_mm is not None  # noqa: S101
    rows, columns = plan.shape
    between_rows, between_columns = picture.pixel_spacing_mm
    along_columns, along_rows = np.array(picture.orientation).reshape(2, 3)
    corner = np.array(picture.position_mm)
    corner = corner + along_rows * between_rows * (picture.shape[0] - rows) / 2
    corner = corner + along_columns * between_columns * (picture.shape[1] - columns) / 2
    for index in range(plan.count):
        row, column = divmod(index, plan.side)
        x, y, z = (float(x) for x in corner + index * np.array(plan.step_mm))
        yield replace(picture, position_mm=(x, y, z), window=Window(row * rows, column * columns, rows, columns))


# --- CSA header ------------------------------------------------------------------------------------------------------


def _csa_of(item: Item) -> dict[str, list[str]]:
    """Elements of the CSA image header; nothing where there is none, or it is damaged."""
    for creator, tag in _CREATORS.items():
        if parsing.text(item.get(creator, b"")) == _CREATOR and tag in item:
            try:
                return dict(_csa(item[tag]))
            except (struct.error, ValueError):
                return {}
    return {}


def _csa(raw: bytes) -> Iterator[tuple[str, list[str]]]:
    """Name and texts of each element, of both kinds of CSA header."""
    is_second = raw[:4] == b"SV10"
    position = 8 if is_second else 0
    count = struct.unpack_from("<I", raw, position)[0]
    if not 0 < count <= _MOST_TAGS:
        raise ValueError("no CSA header")
    position += 8
    first_items = 0
    for place in range(count):
        name, _, _, _, items, _ = struct.unpack_from("<64si4s3i", raw, position)
        position += 84
        if not 0 <= items <= _MOST_ITEMS:
            raise ValueError("a damaged CSA header")
        first_items = first_items if place else items
        texts: list[str] = []
        for _ in range(items):
            first, second, _, _ = struct.unpack_from("<4i", raw, position)
            length = second if is_second else first - first_items
            position += 16
            if length < 0 and not is_second:
                break
            if length < 0 or position + length > len(raw):
                raise ValueError("a damaged CSA header")
            texts.append(_text(raw[position : position + length]))
            position += -(-length // 4) * 4
        yield _text(name), [text for text in texts if text]


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("ascii", "replace").strip()


def _numbers(texts: list[str]) -> tuple[float, ...]:
    try:
        values = tuple(float(text) for text in texts)
    except ValueError:
        return ()
    return values if all(map(math.isfinite, values)) else ()
