"""Remarks: what is to be said of the values of a series once they are read: their unit, and what was met."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.codes import Code
from isocenter.dicom.file.quiet import quietly
from isocenter.dicom.frames.frame import Rescale, names_of
from isocenter.dicom.sorting.series import Series
from isocenter.dicom.values import tables
from isocenter.dicom.values.meaning import AIR_HU, PARAMETRIC_MAP, Meaning, is_colour
from isocenter.dicom.values.realize import Outcome
from isocenter.errors import Refused
from isocenter.reasons import Reason

Pixels = npt.NDArray[Any]
_GAS_BELOW_HU = -500
_TISSUE_HU = (-200, 200)


def unit_of(series: Series, meanings: Sequence[Meaning], array: Pixels) -> tuple[Code, list[Reason]]:
    """Unit of the values, and what is unsure of it.

    Raises
    ------
    Refused
        UNITS_DIFFER: the slices are in different units.
    """
    if is_colour(series.frames[0]):
        return codes.ONE, []
    if all(meaning.is_hu for meaning in meanings):
        return _hounsfield(series, meanings, array)
    units = {meaning.unit for meaning in meanings}
    if len(units) > 1:
        message = f"The slices say {len(units)} units ({', '.join(sorted(u.value if u else 'none' for u in units))})."
        raise Refused([Reason("UNITS_DIFFER", message, names_of(series.frames))])
    unit = units.pop()
    if unit is not None:
        return unit, []
    if series.modality == "MR":
        return codes.ONE, []
    return codes.ONE, [Reason("UNIT_UNKNOWN", "The instances do not state one known unit.")]


def _hounsfield(series: Series, meanings: Sequence[Meaning], array: Pixels) -> tuple[Code, list[Reason]]:
    stated = {frame.rescale.unit for frame in series.frames if not frame.rescale.has_table}
    stated |= {meaning.table.unit for meaning in meanings if meaning.table is not None}
    if "US" not in stated:
        return codes.HU, []
    message = "Rescale Type says that the unit is unspecified; the values"
    if not _looks_like_hu(array):
        return codes.ONE, [Reason("UNIT_UNKNOWN", f"{message} do not look like HU.")]
    return codes.HU, [Reason("UNIT_GUESSED", f"{message} were taken as HU: they hold air and soft tissue.")]


def remarks(series: Series, meanings: Sequence[Meaning], array: Pixels, outcomes: Sequence[Outcome]) -> list[Reason]:
    """What was met in the values.

    Raises
    ------
    Refused
        RESCALE_UNKNOWN: a CT without slope and intercept does not look like HU.
    """
    return [
        *_padding(series, meanings, outcomes),
        *_unmapped(series, outcomes),
        *_strays(series, outcomes),
        *_missing_rescale(series, meanings, array),
        *_inverse(series),
        *_other_maps(series),
    ]


def _padding(series: Series, meanings: Sequence[Meaning], outcomes: Sequence[Outcome]) -> list[Reason]:
    found = []
    emptied = [(frame, one.emptied) for frame, one in zip(series.frames, outcomes, strict=True) if one.emptied]
    if emptied:
        count, place = sum(number for _, number in emptied), f"{len(emptied)} of {len(outcomes)} slices"
        is_hu, nothing = meanings[0].is_hu, meanings[0].nothing
        code, value = ("OUTSIDE_SCAN_CIRCLE", f"{AIR_HU} HU") if is_hu else ("PADDING_EMPTIED", f"{nothing:g}")
        message = f"{count} voxels in {place} were set to {value}."
        found.append(Reason(code, message, names_of(frame for frame, _ in emptied)))
    padded = [(frame, one.padded) for frame, one in zip(series.frames, outcomes, strict=True) if one.padded]
    if padded:
        count, place = sum(number for _, number in padded), f"{len(padded)} of {len(outcomes)} slices"
        message = f"{count} pixels in {place} hold the value of padding and were left as they are."
        found.append(Reason("PADDING_KEPT", message, names_of(frame for frame, _ in padded)))
    return found


def _unmapped(series: Series, outcomes: Sequence[Outcome]) -> list[Reason]:
    beyond = [(frame, one.unmapped) for frame, one in zip(series.frames, outcomes, strict=True) if one.unmapped]
    if not beyond:
        return []
    count = sum(number for _, number in beyond)
    message = f"{count} stored values in {len(beyond)} of {len(outcomes)} frames are beyond the map's first and last."
    return [Reason("VALUES_UNMAPPED", message, names_of(frame for frame, _ in beyond))]


def _strays(series: Series, outcomes: Sequence[Outcome]) -> list[Reason]:
    odd = [(frame, one.strays) for frame, one in zip(series.frames, outcomes, strict=True) if one.strays]
    if not odd:
        return []
    count = sum(number for _, number in odd)
    message = f"{count} pixels in {len(odd)} of {len(outcomes)} frames hold more than their stored bits."
    return [Reason("BITS_DROPPED", message, names_of(frame for frame, _ in odd))]


def _missing_rescale(series: Series, meanings: Sequence[Meaning], array: Pixels) -> list[Reason]:
    if not meanings[0].is_hu or meanings[0].table is not None or series.frames[0].rescale.slope is not None:
        return []
    message = "No slice has a Rescale Slope and Intercept; the stored values"
    if not _looks_like_hu(array):
        raise Refused([Reason("RESCALE_UNKNOWN", f"{message} do not look like HU.")])
    return [Reason("RESCALE_MISSING", f"{message} were taken as HU: they hold air and soft tissue.")]


def _inverse(series: Series) -> list[Reason]:
    inverse = [frame for frame in series.frames if frame.instance.format.photometric == "MONOCHROME1"]
    if not inverse:
        return []
    message = "Low values are meant to be shown bright (MONOCHROME1); the values are as they are stored."
    return [Reason("MONOCHROME1", message, names_of(inverse))]


@quietly()
def _other_maps(series: Series) -> list[Reason]:
    """The real-world value maps that were not applied, by their units, as the first frame has them."""
    frame = series.frames[0]
    is_map = frame.instance.sop_class_uid == PARAMETRIC_MAP
    if is_colour(frame) or not (is_map or frame.rescale.has_map):
        return []
    header = frame.instance.dataset()
    try:
        holder = tables.of_frame(header, frame.number, "RealWorldValueMappingSequence")
        maps = tables.real_world_maps(holder) if holder is not None else ()
        others = maps[1:] if is_map else [one for one in maps if not _is_rescale(one, frame.rescale)]
        units = sorted({one.unit.value for one in others})
    except Exception:  # noqa: BLE001 - pydicom decodes now; a damaged map that is not applied does no harm
        units = [] if is_map else ["unknown"]
    if not units:
        return []
    message = f"The header maps the stored values to another quantity as well (unit {', '.join(units)})."
    return [Reason("REAL_WORLD_MAP", message, names_of(series.frames))]


def _is_rescale(one: tables.RealWorldMap, rescale: Rescale) -> bool:
    """Whether a map without a unit says what slope and intercept say already."""
    slope, intercept = (1.0, 0.0) if rescale.slope is None else (rescale.slope, rescale.intercept or 0.0)
    is_same = math.isclose(one.slope, slope, rel_tol=1e-6) and math.isclose(one.intercept, intercept, rel_tol=1e-6)
    return one.table is None and is_same and one.unit.value == codes.ONE.value


def _looks_like_hu(array: Pixels) -> bool:
    """Whether the values hold air or lung, and tissue; padding at -1024 does not count as air."""
    gas = tissue = 0
    for part in array:  # slice by slice: masks of all would take more memory than the volume
        gas += int(np.count_nonzero((part > AIR_HU) & (part <= _GAS_BELOW_HU)))
        tissue += int(np.count_nonzero((part >= _TISSUE_HU[0]) & (part <= _TISSUE_HU[1])))
    return min(gas, tissue) >= array.size / 1000
