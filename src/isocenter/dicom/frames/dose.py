"""Dose: the planes of an RT Dose grid, by its Grid Frame Offset Vector, and their scaling (PS3.3 C.8.8.3). Pure."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from isocenter.dicom.file import parsing
from isocenter.dicom.file.nested import Item
from isocenter.dicom.file.parsing import Triple
from isocenter.dicom.frames.frame import Frame
from isocenter.reasons import Reason

RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
_OFFSETS, _SCALING, _UNITS = 0x3004000C, 0x3004000E, 0x30040002
WANTED_DOSE = dict.fromkeys((_OFFSETS, _SCALING, _UNITS))
"""What is taken of the header, for :func:`isocenter.dicom.file.nested.read`."""
_SAME_MM = 0.01
_AXIAL = 1 - 1e-3


def frames_of(base: Frame, item: Item, count: int) -> tuple[Frame, ...]:
    """The planes of a dose grid.

    Parameters
    ----------
    base
        What the header's top level says; its position is that of the first plane.
    item
        :data:`WANTED_DOSE` of the header.
    count
        Number of planes.

    Returns
    -------
    In their stored order, which need not be that of the offsets; all but a single one without a place where the offsets
    do not tell it.
    """
    scaling = parsing.number(item.get(_SCALING, b""))
    rescale = replace(
        base.rescale,
        slope=math.nan if scaling is None else scaling,  # without one the stored numbers are no dose
        intercept=0.0,
        unit=parsing.text(item.get(_UNITS, b"")).upper(),
    )
    places = [base.position_mm] if count == 1 else _places(base, item)
    if isinstance(places, str) or len(places) != count:
        message = places if isinstance(places, str) else f"{len(places)} offsets are given for {count} planes."
        doubt = Reason("FRAMES_CONTRADICT", f"RT Dose: {message}", (base.instance.name,))
        unplaced = replace(base, position_mm=None, rescale=rescale, reasons=(doubt,))
        return tuple(replace(unplaced, number=number) for number in range(1, count + 1))
    return tuple(
        replace(base, number=number, position_mm=place, rescale=rescale) for number, place in enumerate(places, 1)
    )


def _places(base: Frame, item: Item) -> list[Triple | None] | str:
    """Position of each plane; a sentence where the offsets do not tell it.

    The offsets are distances from the first plane along the normal if the first is zero; of axial planes they are z
    coordinates if the first is that of Image Position (Patient).
    """
    offsets = np.array(parsing.numbers(item.get(_OFFSETS, b"")))
    if base.position_mm is None or base.orientation is None:
        return []
    if offsets.size == 0 or not np.isfinite(offsets).all():
        return "the planes have no Grid Frame Offset Vector of numbers."
    normal = np.cross(base.orientation[:3], base.orientation[3:])
    if abs(offsets[0]) > _SAME_MM:
        if abs(offsets[0] - base.position_mm[2]) > _SAME_MM or abs(normal[2]) < _AXIAL:
            return "the first offset is neither zero nor the z coordinate of axial planes."
        offsets = (offsets - offsets[0]) * np.sign(normal[2])
    found = np.array(base.position_mm) + np.outer(offsets, normal)
    return [(float(x), float(y), float(z)) for x, y, z in found]
