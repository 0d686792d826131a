"""Groups: shared and per-frame functional groups of an enhanced multi-frame object to frames (PS3.3 C.7.6.16). Pure.

What stands for a frame wins over what is shared, and that over the header's top level, attribute by attribute. What is
nowhere stays unknown: no position, spacing or rescale is made up, and a position at the top level is none of many.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from isocenter.dicom.file import parsing
from isocenter.dicom.file.moments import second_of_day
from isocenter.dicom.file.nested import Item, Wanted
from isocenter.dicom.file.parsing import Triple
from isocenter.dicom.frames.dimensions import DIMENSIONS, Dimension, dimensions_of, values_of
from isocenter.dicom.frames.frame import Frame, Mark, Rescale
from isocenter.reasons import Reason

SHARED, PER_FRAME = 0x52009229, 0x52009230
_POSITION, _ORIENTATION = 0x00200032, 0x00200037
_VOLUME_POSITION, _VOLUME_ORIENTATION = 0x00209301, 0x00209302
_SPACING, _THICKNESS = 0x00280030, 0x00180050
_SLOPE, _INTERCEPT, _TYPE = 0x00281053, 0x00281052, 0x00281054
_STACK, _TIME, _ACQUISITION, _DIMENSION_VALUES = 0x00209056, 0x00209128, 0x00209156, 0x00209157
_ACQUIRED, _REFERENCE = 0x00189074, 0x00189151
_ECHO_TIME, _B_VALUE, _GRADIENT = 0x00189082, 0x00189087, 0x00189089
_HEART_DELAY, _BREATH_DELAY = 0x00209153, 0x00209255
_FRAME_TYPE, _COMPONENT, _KERNEL = 0x00089007, 0x00089208, 0x00181210
_MAP_SLOPE, _MAP_INTERCEPT, _MAP_UNITS, _CODE = 0x00409225, 0x00409224, 0x004008EA, 0x00080100
_MAPS = 0x00409096

_FRAME_TYPES = (0x00189226, 0x00189329, 0x00189751, 0x00189504, 0x00409092)  # MR, CT, PET, X-ray 3D, parametric map
_MACROS: Wanted = {
    0x00209113: {_POSITION: None},
    0x00209116: {_ORIENTATION: None},
    0x0020930E: {_VOLUME_POSITION: None},
    0x0020930F: {_VOLUME_ORIENTATION: None},
    0x00289110: {_SPACING: None, _THICKNESS: None},
    0x00289145: {_SLOPE: None, _INTERCEPT: None, _TYPE: None},
    0x00209111: dict.fromkeys((_STACK, _TIME, _ACQUISITION, _DIMENSION_VALUES, _ACQUIRED, _REFERENCE)),
    0x00189114: {_ECHO_TIME: None},
    0x00189117: {_B_VALUE: None, 0x00189076: {_GRADIENT: None}},
    0x00189118: {_HEART_DELAY: None},
    0x00209253: {_BREATH_DELAY: None},
    0x00189314: {_KERNEL: None},
    **{tag: {_FRAME_TYPE: None, _COMPONENT: None} for tag in _FRAME_TYPES},
    _MAPS: {_MAP_SLOPE: None, _MAP_INTERCEPT: None, _MAP_UNITS: {_CODE: None}},
}
"""The macros that tell where a frame lies, what tells it from others, and what its values mean."""
WANTED_GROUPS: Wanted = {SHARED: _MACROS, PER_FRAME: _MACROS, **DIMENSIONS}
"""What is taken of the header, for :func:`isocenter.dicom.file.nested.read`."""


def frames_of(base: Frame, item: Item, count: int) -> tuple[Frame, ...]:
    """The frames of an object with functional groups.

    Parameters
    ----------
    base
        What the header's top level says of all of them.
    item
        :data:`WANTED_GROUPS` of the header.
    count
        Number of frames.

    Returns
    -------
    So many; those for which there is no group have no place. Where there are more groups than frames, none has one: it
    cannot be told which group belongs to which.
    """
    shared = _flat((item.get(SHARED) or [{}])[0])
    own = item.get(PER_FRAME) or []
    doubts = _doubts(base, len(own), count) if PER_FRAME in item else ()
    described = _Described(base if count == 1 else replace(base, position_mm=None), dimensions_of(item), doubts)
    missing = None if own else shared
    found: list[Frame] = []
    for number in range(1, count + 1):
        facts = {**shared, **_flat(own[number - 1])} if number <= len(own) else missing
        found.append(described.frame(number, facts if len(own) <= count else None))
    return tuple(found)


def _doubts(base: Frame, groups: int, count: int) -> tuple[Reason, ...]:
    if groups == count:
        return ()
    message = f"The header has {groups} per-frame functional groups for {count} frames."
    return (Reason("FRAMES_CONTRADICT", message, (base.instance.name,)),)


def _flat(group: Mapping[int, object]) -> dict[int, bytes]:
    """Attributes of the first item of each macro, and of what is nested within."""
    found: dict[int, bytes] = {}
    for tag, value in group.items():
        if isinstance(value, bytes):
            found[tag] = value
        elif isinstance(value, list) and value:
            found |= _flat(value[0])
    return found


@dataclass(frozen=True)
class _Described:
    """Makes frames of their flattened groups."""

    base: Frame
    dimensions: Sequence[Dimension]
    doubts: tuple[Reason, ...]

    def frame(self, number: int, facts: Mapping[int, bytes] | None) -> Frame:
        """A frame of its facts; without a place where there are none."""
        base = self.base
        if facts is None:
            return replace(base, number=number, position_mm=None, orientation=None, reasons=self.doubts)
        get = facts.get
        position, orientation = parsing.triple(get(_POSITION, b"")), parsing.direction(get(_ORIENTATION, b""))
        reasons = self.doubts
        if position is None and orientation is None and _VOLUME_POSITION in facts:
            position, orientation = _in_volume(get(_VOLUME_POSITION, b""), get(_VOLUME_ORIENTATION, b""))
            reasons = (*reasons, _place_in_volume(base.instance.name))
        return Frame(
            instance=base.instance,
            number=number,
            position_mm=base.position_mm if position is None else position,
            orientation=base.orientation if orientation is None else orientation,
            pixel_spacing_mm=parsing.spacing(get(_SPACING, b"")) or base.pixel_spacing_mm,
            slice_thickness_mm=parsing.length_mm(get(_THICKNESS, b"")) or base.slice_thickness_mm,
            mark=self._mark(facts),
            rescale=_rescale(base.rescale, *(get(tag) for tag in _RESCALE_TAGS)),
            reasons=reasons,
        )

    def _mark(self, facts: Mapping[int, bytes]) -> Mark:
        get, base = facts.get, self.base.mark
        acquired = second_of_day(get(_ACQUIRED, b""))
        reference = second_of_day(get(_REFERENCE, b""))
        shared = _shared_mark(base, *(get(tag, b"") for tag in _MARK_TAGS))
        return replace(
            shared,
            dimensions=values_of(self.dimensions, get(_DIMENSION_VALUES, b"")),
            acquisition_time_s=base.acquisition_time_s if acquired is None else acquired,
            content_time_s=base.content_time_s if reference is None else reference,
        )


@lru_cache(maxsize=64)
def _place_in_volume(name: str) -> Reason:
    return Reason("PLACE_IN_VOLUME", "The positions are those in the volume of the transducer.", (name,))


def _in_volume(position: bytes, orientation: bytes) -> tuple[Triple | None, tuple[float, ...] | None]:
    """Image Position (Volume) and Image Orientation (Volume), which are doubles."""
    place, directions = _doubles(position), _doubles(orientation)
    return (
        (place[0], place[1], place[2]) if len(place) == 3 else None,
        directions if len(directions) == 6 else None,
    )


def _doubles(raw: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(raw) // 8}d", raw[: len(raw) // 8 * 8])


# --- what is equal in most frames of an object: parsed once ----------------------------------------------------------

_MARK_TAGS = (
    _TIME,
    _B_VALUE,
    _GRADIENT,
    _ECHO_TIME,
    _HEART_DELAY,
    _BREATH_DELAY,
    _ACQUISITION,
    _FRAME_TYPE,
    _COMPONENT,
    _KERNEL,
    _STACK,
)
_RESCALE_TAGS = (_SLOPE, _INTERCEPT, _TYPE, _MAP_SLOPE, _MAP_INTERCEPT, _CODE)
_UNITS = {"Bq/ml": "BQML", "Bq/mL": "BQML", "g/ml{SUVbw}": "GML", "[hnsf'U]": "HU", "{counts}": "CNTS"}


@lru_cache(maxsize=4096)
def _shared_mark(base: Mark, *raw: bytes) -> Mark:
    time, b_value, gradient, echo_time, heart, breath, acquisition, frame_type, component, kernel, stack = raw
    direction = _doubles(gradient)
    echo, delay, breath_delay = parsing.double(echo_time), parsing.double(heart), parsing.double(breath)
    number = parsing.unsigned(acquisition)
    return replace(
        base,
        temporal_position=base.temporal_position if not time else parsing.unsigned(time),
        b_value=base.b_value if not b_value else parsing.double(b_value),
        direction=(direction[0], direction[1], direction[2]) if len(direction) == 3 else None,
        echo_time_ms=base.echo_time_ms if echo is None else echo,
        trigger_time_ms=next((one for one in (delay, breath_delay) if one is not None), base.trigger_time_ms),
        acquisition_number=base.acquisition_number if number is None else number,
        image_type=tuple(p.strip() for p in parsing.text(frame_type).split("\\")) if frame_type else base.image_type,
        component=parsing.text(component) or base.component,
        kernel=parsing.text(kernel) or base.kernel,
        stack_id=parsing.text(stack),
    )


@lru_cache(maxsize=4096)
def _rescale(base: Rescale, *raw: bytes | None) -> Rescale:
    """Of the Pixel Value Transformation; a real-world value map of equal numbers names its unit better."""
    slope, intercept, type_, map_slope, map_intercept, code = raw
    numbers = (parsing.number(slope or b""), parsing.number(intercept or b""))
    unit = parsing.text(type_ or b"").upper()
    mapped = (parsing.double(map_slope or b""), parsing.double(map_intercept or b""))
    agrees = _agree(numbers, mapped)
    has_map = base.has_map or (mapped != (None, None) and not agrees)
    if numbers == (None, None):
        return replace(base, unit=unit or base.unit, has_map=has_map)
    if unit in ("", "US") and agrees:
        unit = _unit_of(parsing.text(code or b""), unit)
    return replace(base, slope=numbers[0], intercept=numbers[1], unit=unit or base.unit, has_map=has_map)


def _unit_of(code: str, unit: str) -> str:
    """The name of a unit code, as :func:`isocenter.dicom.values.units.unit_named` knows it."""
    return unit if code in ("", "1") else _UNITS.get(code, f"UCUM {code}")


def _agree(one: Sequence[float | None], other: Sequence[float | None]) -> bool:
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    return len(pairs) == 2 and all(abs(a - b) <= 1e-6 * max(abs(a), abs(b)) for a, b in pairs)
