"""Second look: what rare attributes say of volumes that lie at the same positions, from the whole header. Pure.

Most series need none of these; only where slices share positions and the common attributes explain nothing are the
headers parsed as a whole. Vendors' private attributes are taken where their creator is stated (PS3.5 7.8).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydicom import Dataset

Facts = dict[str, Hashable]

_PRIVATE: tuple[tuple[str, int, str, int, str], ...] = (
    ("b_value", 0x0043, "GEMS_PARM_01", 0x39, "text"),
    ("component", 0x0043, "GEMS_PARM_01", 0x2F, "<h"),
    ("b_value", 0x0019, "SIEMENS MR HEADER", 0x0C, "text"),
    ("direction", 0x0019, "SIEMENS MR HEADER", 0x0E, "<3d"),
    ("b_value", 0x2001, "Philips Imaging DD 001", 0x03, "<f"),
    ("phase", 0x2001, "Philips Imaging DD 001", 0x08, "text"),
    ("reconstruction", 0x2001, "Philips Imaging DD 001", 0x1D, "text"),
    ("b_value", 0x0065, "Image Private Header", 0x09, "<d"),
    ("direction", 0x0065, "Image Private Header", 0x37, "<3d"),
)
"""Fact, group, private creator, element within its block, how a value of unknown representation is packed."""
_DIRECTIONS = (
    (0x0019, "GEMS_ACQU_01", (0xBB, 0xBC, 0xBD), "text"),
    (0x2005, "Philips MR Imaging DD 001", (0xB0, 0xB1, 0xB2), "<f"),
)
"""Where the direction of diffusion weighting lies in three elements: group, private creator, elements, packing."""
_NOTHING = (None, "", ())
_GE_COMPONENTS = {0: "MAGNITUDE", 1: "PHASE", 2: "REAL", 3: "IMAGINARY"}
_GE_B_OFFSET = 1_000_000_000
"""GE adds this to b-values of some protocols (as dcm2niix knows)."""
_NUMBERS = {
    "b_value": "DiffusionBValue",
    "phase": "NominalPercentageOfCardiacPhase",
    "inversion_time": "InversionTime",
    "flip_angle": "FlipAngle",
    "repetition_time": "RepetitionTime",
    "kilovolt": "KVP",
    "frame_time": "FrameReferenceTime",
}


def facts_of(dataset: Dataset) -> Facts:
    """What a header says that may tell its slice from others at the same position.

    Parameters
    ----------
    dataset
        The whole header.

    Returns
    -------
    Fact -> value; what is missing or no value is left out. Times are in seconds.
    """
    found: Facts = {}
    for name, keyword in _NUMBERS.items():
        found[name] = _number(_value(dataset, keyword))
    found["direction"] = _numbers(_value(dataset, "DiffusionGradientOrientation"))
    found["component"] = str(_value(dataset, "ComplexImageComponent") or "").upper()
    found["contrast"] = str(_value(dataset, "ContrastBolusAgent") or "")
    found["reconstruction"] = str(_value(dataset, "FilterType") or "")
    for name in ("Acquisition", "Content"):
        found[f"{name.lower()}_time"] = _seconds(_value(dataset, f"{name}Date"), _value(dataset, f"{name}Time"))
    known = {name: value for name, value in found.items() if value not in _NOTHING}
    for name, value in _private_facts(dataset):
        if value not in _NOTHING:
            known.setdefault(name, value)
    return known


def _value(dataset: Dataset, keyword: str) -> Any:
    try:
        return dataset.get(keyword)
    except Exception:  # noqa: BLE001 - a malformed value may fail anywhere in pydicom; it says nothing then
        return None


def _private_facts(dataset: Dataset) -> list[tuple[str, Hashable]]:
    found: list[tuple[str, Hashable]] = []
    for name, group, creator, element, packed in _PRIVATE:
        found.append((name, _READ[name](_private(dataset, group, creator, element, packed))))
    for group, creator, elements, packed in _DIRECTIONS:
        parts = [_number(_private(dataset, group, creator, element, packed)) for element in elements]
        found.append(("direction", () if None in parts else tuple(parts)))
    return found


def _private(dataset: Dataset, group: int, creator: str, element: int, packed: str) -> Any:
    try:
        return _unpacked(dataset.private_block(group, creator)[element].value, packed)
    except Exception:  # noqa: BLE001 - no such block, or a malformed value: it says nothing then
        return None


def _unpacked(value: Any, packed: str) -> Any:
    """A private value; from its bytes where the file does not say how it is represented."""
    if not isinstance(value, bytes):
        return value
    if packed == "text":
        return value.decode("ascii", "replace").strip("\0 ").split("\\")
    size = struct.calcsize(packed)
    return struct.unpack(packed, value[:size]) if len(value) >= size else None


def _b_value(value: Any) -> float | None:
    number = _number(value)
    return number % _GE_B_OFFSET if number is not None and number >= 0 else None


def _component(value: Any) -> str:
    number = _number(value)
    return "" if number is None else _GE_COMPONENTS.get(int(number), "")


def _number(value: Any) -> float | None:
    numbers = _numbers(value)
    return numbers[0] if numbers else None


def _numbers(value: Any) -> tuple[float, ...]:
    values = value if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else (value,)
    try:
        return tuple(round(float(one), 6) for one in values)
    except (TypeError, ValueError):
        return ()


_READ: Mapping[str, Callable[[Any], Hashable]] = {
    "b_value": _b_value,
    "component": _component,
    "direction": _numbers,
    "phase": _number,
    "reconstruction": _number,
}


def _seconds(date: Any, time: Any) -> float | None:
    """Seconds of a date and time since any fixed moment; of a time alone since midnight."""
    digits = str(time or "").strip().replace(":", "")
    try:
        whole, _, part = digits.partition(".")
        seconds = int(whole[:2]) * 3600 + int(whole[2:4] or 0) * 60 + int(whole[4:6] or 0) + float(f"0.{part or 0}")
        day = datetime.strptime(str(date), "%Y%m%d").toordinal() if date else 0  # noqa: DTZ007 - dates have no zone
    except ValueError:
        return None
    return day * 86400 + seconds
