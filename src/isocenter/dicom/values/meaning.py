"""Meaning: what the stored values of a frame stand for: line or table, unit, padding. From headers alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from isocenter.codes import Code
from isocenter.dicom.file.quiet import quietly
from isocenter.dicom.frames.frame import Frame
from isocenter.dicom.values import tables, units
from isocenter.dicom.values.decay import refusal
from isocenter.dicom.values.suv import UNITS, Kind, told_factors
from isocenter.errors import Refused
from isocenter.reasons import Reason

if TYPE_CHECKING:
    from pydicom import Dataset

AIR_HU = -1024
"""What pixels outside the scanner's circle are set to; nothing measured lies below."""
PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
_CT_CLASSES = frozenset({"", *(f"1.2.840.10008.5.1.4.1.1.2{end}" for end in ("", ".1", ".2"))})
_NOTHING = {"MR": 0.0, "PT": 0.0, "NM": 0.0}
"""Modality -> the value of no signal."""


@dataclass(frozen=True, slots=True, eq=False)
class Meaning:
    """What stored values stand for.

    Parameters
    ----------
    slope, intercept
        Real value = stored value * slope + intercept.
    table
        In place of these: a modality table, a real-world table, or a palette.
    is_hu
        Whether they are Hounsfield units, or to be taken for them.
    unit
        Unit of the real values; None where the header states none.
    padding
        Lowest and highest stored value that is padding; empty where there is none.
    nothing
        The real value that padding becomes; None where no value says "not measured", so that padding stays.
    limits
        First and last stored value that a real-world value map is for; None where any is.
    """

    slope: float = 1.0
    intercept: float = 0.0
    table: tables.Table | None = None
    is_hu: bool = False
    unit: Code | None = None
    padding: tuple[float, ...] = ()
    nothing: float | None = None
    limits: tuple[float, float] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether whole stored values become whole real ones."""
        if self.table is not None:
            return self.table.entries.dtype.kind in "iu"
        return float(self.slope).is_integer() and float(self.intercept).is_integer()

    @property
    def is_padding_harmless(self) -> bool:
        """Whether padding becomes by itself what it is to become."""
        if self.nothing is None or self.table is not None:
            return False
        reals = [value * self.slope + self.intercept for value in self.padding]
        return max(reals) <= AIR_HU if self.is_hu else set(reals) == {self.nothing}

    def times(self, factor: float, unit: Code) -> Meaning:
        """The meaning in another unit."""
        return replace(self, slope=self.slope * factor, intercept=self.intercept * factor, unit=unit)


def is_colour(frame: Frame) -> bool:
    """Whether a frame becomes red, green and blue."""
    form = frame.instance.format
    return form.samples == 3 or form.photometric == "PALETTE COLOR"


def speaks_hu(frame: Frame) -> bool:
    """Whether the values of a frame are Hounsfield units unless it says otherwise."""
    return frame.modality == "CT" and frame.instance.sop_class_uid in _CT_CLASSES and not is_colour(frame)


@quietly()
def meanings_of(frames: Sequence[Frame]) -> list[Meaning]:
    """What the stored values of each frame stand for; headers are parsed anew where tables stand in them.

    Raises
    ------
    Refused
        TABLE_INVALID: a table is damaged.
    InputError
        If a header cannot be read any more.
    """
    headers: dict[int, Dataset] = {}
    known: dict[tuple[int, int, int], Meaning] = {}
    found: list[Meaning] = []
    for frame in frames:
        instance = frame.instance
        is_map = instance.sop_class_uid == PARAMETRIC_MAP
        has_palette = instance.format.photometric == "PALETTE COLOR"
        if is_colour(frame) and not has_palette:
            found.append(Meaning())
            continue
        if not (frame.rescale.has_table or has_palette or is_map):
            found.append(_by_line(frame))
            continue
        key = id(instance), id(frame.rescale), frame.number if is_map else 0
        if key not in known:
            if id(instance) not in headers:
                headers[id(instance)] = instance.dataset()
            known[key] = _told(frame, headers[id(instance)])
        found.append(known[key])
    return found


def _told(frame: Frame, header: Dataset) -> Meaning:
    try:
        return _by_header(frame, header)
    except tables.TableError as error:
        raise Refused([Reason("TABLE_INVALID", str(error), (frame.name,))]) from error
    except Exception as error:  # of pydicom, which decodes values when they are asked for
        message = "The tables of the header cannot be read."
        raise Refused([Reason("TABLE_INVALID", message, (frame.name,))]) from error


@quietly()
def in_suv(meanings: Sequence[Meaning], frames: Sequence[Frame], kind: Kind) -> tuple[list[Meaning], list[Reason]]:
    """The meanings as standardized uptake values, and what was guessed for them.

    Raises
    ------
    Refused
        SUV_UNKNOWN: something that is needed is missing, or cannot be.
    """
    if any(frame.modality != "PT" for frame in frames):
        raise refusal("the images are not PET")
    if any(frame.instance.format.frames > 1 for frame in frames):
        raise refusal("multi-frame PET is not converted")
    if any(meaning.table is not None for meaning in meanings):
        raise refusal("the values come from a table")
    factors = told_factors([frame.instance.dataset() for frame in frames], kind)
    guessed = []
    if any(factor.is_day_guessed for factor in factors):
        message = "The injection has a time without a date, later than the scan's: it was taken for the day before."
        guessed.append(Reason("INJECTION_DAY_GUESSED", message))
    return [meaning.times(one.value, UNITS[kind]) for meaning, one in zip(meanings, factors, strict=True)], guessed


def _by_line(frame: Frame) -> Meaning:
    rescale = frame.rescale
    slope, intercept = rescale.slope, rescale.intercept
    is_known = slope is not None and intercept is not None
    hu = speaks_hu(frame)
    return Meaning(
        slope=slope if slope is not None and is_known else 1.0,
        intercept=intercept if intercept is not None and is_known else 0.0,
        is_hu=hu,
        unit=units.unit_named(rescale.unit) if is_known or frame.modality != "PT" else None,
        padding=(min(rescale.padding), max(rescale.padding)) if rescale.padding else (),
        nothing=AIR_HU if hu else _NOTHING.get(frame.modality),
    )


def _by_header(frame: Frame, header: Dataset) -> Meaning:
    if frame.instance.format.photometric == "PALETTE COLOR":
        return Meaning(table=tables.palette(header))
    if frame.instance.sop_class_uid == PARAMETRIC_MAP:
        return _by_real_world(frame, header)
    table = tables.modality_table(header)
    if table is None:
        return _by_line(frame)
    plain = _by_line(frame)
    is_hu = plain.is_hu and table.unit in ("HU", "US", "")
    return replace(
        plain,
        slope=1.0,
        intercept=0.0,
        table=table,
        is_hu=is_hu,
        unit=units.unit_named(table.unit),
        nothing=plain.nothing if is_hu == plain.is_hu else None,
    )


def _by_real_world(frame: Frame, header: Dataset) -> Meaning:
    """Of a parametric map, whose values mean nothing without their real-world value map (PS3.3 A.75)."""
    plain = replace(_by_line(frame), padding=_float_padding(header) or _by_line(frame).padding, nothing=math.nan)
    holder = tables.of_frame(header, frame.number, "RealWorldValueMappingSequence")
    maps = tables.real_world_maps(holder) if holder is not None else ()
    if not maps:
        return plain
    if len({one.limits for one in maps}) > 1:
        raise tables.TableError("Several real-world value maps are each for a part of the stored values.")
    first = maps[0]
    limits = None if "PixelData" not in header and _is_float(frame) else first.limits
    return replace(
        plain, slope=first.slope, intercept=first.intercept, table=first.table, unit=first.unit, limits=limits
    )


def _is_float(frame: Frame) -> bool:
    pixels = frame.instance.pixels
    return pixels is not None and pixels.tag != 0x7FE00010


def _float_padding(header: Dataset) -> tuple[float, ...]:
    names: Iterable[str] = ("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit")
    if "DoubleFloatPixelPaddingValue" in header:
        names = ("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit")
    found = [float(header[name].value) for name in names if header.get(name) is not None]
    return (min(found), max(found)) if found else ()
