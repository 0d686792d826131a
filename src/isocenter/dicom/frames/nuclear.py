"""Nuclear: the frames of a nuclear medicine image, by the vectors that its frame increments point to (PS3.3 C.8.4.8).

Reconstructed tomographic slices lie along the normal of the first one; all others are projections without a place.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from isocenter.dicom.file import parsing
from isocenter.dicom.file.nested import Item
from isocenter.dicom.file.parsing import Triple
from isocenter.dicom.frames.frame import Frame
from isocenter.reasons import Reason

_POINTER, _SPACING, _DETECTORS, _SLICE = 0x00280009, 0x00180088, 0x00540022, 0x00540080
_POSITION, _ORIENTATION = 0x00200032, 0x00200037
_VECTORS = {
    0x00540010: "energy window",
    0x00540020: "detector",
    0x00540030: "phase",
    0x00540050: "rotation",
    0x00540060: "R-R interval",
    0x00540070: "time slot",
    _SLICE: "slice",
    0x00540090: "angular view",
    0x00540100: "time slice",
}
WANTED_NUCLEAR = {
    _POINTER: None,
    _SPACING: None,
    _DETECTORS: {_POSITION: None, _ORIENTATION: None},
    **dict.fromkeys(_VECTORS),
}
"""What is taken of the header, for :func:`isocenter.dicom.file.nested.read`."""
_TOMOGRAPHIC = ("RECON TOMO", "RECON GATED TOMO")


def frames_of(base: Frame, item: Item, count: int) -> tuple[Frame, ...]:
    """The frames of a nuclear medicine image.

    Parameters
    ----------
    base
        What the header's top level says of all of them.
    item
        :data:`WANTED_NUCLEAR` of the header.
    count
        Number of frames.
    """
    vectors, doubts = _vectors(base, item, count)
    places = _places(base, item, vectors.get(_SLICE), count)
    orientation = _orientation(base, item)
    return tuple(
        replace(
            base,
            number=index + 1,
            position_mm=places[index],
            orientation=orientation,
            mark=replace(base.mark, dimensions=_dimensions(vectors, index)),
            reasons=doubts,
        )
        for index in range(count)
    )


def _vectors(base: Frame, item: Item, count: int) -> tuple[Mapping[int, Sequence[int]], tuple[Reason, ...]]:
    """The vectors that the frames run along, each with an index per frame; and what is wrong with them."""
    raw = item.get(_POINTER, b"")
    pairs = struct.unpack(f"<{len(raw) // 4 * 2}H", raw[: len(raw) // 4 * 4])
    named = [group << 16 | element for group, element in zip(pairs[::2], pairs[1::2], strict=True)]
    found = {tag: _shorts(item.get(tag, b"")) for tag in dict.fromkeys(named) if tag in _VECTORS}
    sound = {tag: vector for tag, vector in found.items() if len(vector) == count and min(vector) > 0}
    if len(sound) == len(found):
        return sound, ()
    wrong = ", ".join(_VECTORS[tag] for tag in found if tag not in sound)
    message = f"The vectors of {wrong} do not have one index from 1 for each of {count} frames."
    return sound, (Reason("FRAMES_CONTRADICT", message, (base.instance.name,)),)


def _shorts(raw: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(raw) // 2}H", raw[: len(raw) // 2 * 2])


def _dimensions(vectors: Mapping[int, Sequence[int]], index: int) -> tuple[tuple[str, int], ...]:
    return tuple((_VECTORS[tag], vector[index]) for tag, vector in vectors.items() if tag != _SLICE)


def _orientation(base: Frame, item: Item) -> tuple[float, ...] | None:
    raw = _detector(item).get(_ORIENTATION, b"")
    return parsing.direction(raw) or base.orientation


def _detector(item: Item) -> Item:
    found: list[Item] = item.get(_DETECTORS) or [{}]
    return found[0]


def _places(base: Frame, item: Item, slices: Sequence[int] | None, count: int) -> list[Triple | None]:
    """Where reconstructed slices lie: a positive spacing stacks them along the normal (PS3.3 C.8.4.15)."""
    nowhere: list[Triple | None] = [None] * count
    if not any(word in base.image_type for word in _TOMOGRAPHIC):
        return nowhere
    first = parsing.triple(_detector(item).get(_POSITION, b"")) or base.position_mm
    orientation = _orientation(base, item)
    spacing = parsing.number(item.get(_SPACING, b""))
    if first is None or orientation is None:
        return nowhere
    if count == 1:
        return [first]
    if slices is None or spacing is None or not parsing.SHORTEST_MM <= abs(spacing) <= parsing.LONGEST_MM:
        return nowhere
    step = spacing * np.cross(orientation[:3], orientation[3:])
    found = np.array(first) + np.outer(np.array(slices) - 1, step)
    return [(float(x), float(y), float(z)) for x, y, z in found]
