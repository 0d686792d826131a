"""Second look: what rare attributes say of volumes that lie at the same positions, from their files.

Most series need none of these; only where slices share positions and the common attributes explain nothing is each
header looked at again. Vendors' private attributes are taken where their creator is stated (PS3.5 7.8).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime

from isocenter.dicom.file import parsing
from isocenter.dicom.file.elements import DamagedHeaderError, Header, NotDicomError
from isocenter.dicom.file.files import MEMBER_FAULTS, ByteSource, Opener
from isocenter.dicom.file.header import read_header
from isocenter.dicom.file.nested import Item, Wanted, read
from isocenter.dicom.frames.frame import Frame
from isocenter.dicom.frames.instance import Instance

Facts = dict[str, Hashable]
Read = Callable[[bytes], Hashable]


def _packed(form: str) -> Read:
    """Reads binary numbers: several as a tuple."""
    size = struct.calcsize(form)

    def unpack(raw: bytes) -> Hashable:
        values = tuple(round(value, 6) for value in struct.unpack(form, raw[:size])) if len(raw) >= size else ()
        is_sound = all(map(math.isfinite, values))
        return None if not values or not is_sound else values[0] if len(values) == 1 else values

    return unpack


def _b_of_ge(raw: bytes) -> float | None:
    """GE adds a thousand million to the b-values of some protocols (as dcm2niix knows)."""
    number = _number(raw)
    return number % 1_000_000_000 if number is not None and number >= 0 else None


def _component_of_ge(raw: bytes) -> str:
    return {0: "MAGNITUDE", 1: "PHASE", 2: "REAL", 3: "IMAGINARY"}.get(int.from_bytes(raw[:2], "little"), "")


def _number(raw: bytes) -> float | None:
    """The first of one or several decimals."""
    values = parsing.numbers(raw)
    return values[0] if values and math.isfinite(values[0]) else None


_PUBLIC: tuple[tuple[str, int, Read], ...] = (
    ("b_value", 0x00189087, _packed("<d")),
    ("direction", 0x00189089, _packed("<3d")),
    ("phase", 0x00209241, _packed("<f")),
    ("inversion_time", 0x00180082, _number),
    ("flip_angle", 0x00181314, _number),
    ("repetition_time", 0x00180080, _number),
    ("kilovolt", 0x00180060, _number),
    ("frame_time", 0x00541300, _number),
    ("component", 0x00089208, parsing.text),
    ("contrast", 0x00180010, parsing.text),
    ("reconstruction", 0x00181160, parsing.text),
    ("sequence", 0x00180024, parsing.text),
    ("corrections", 0x00280051, parsing.text),
)
"""Fact, tag, and how its value is read; the first that is there counts."""
_PRIVATE: tuple[tuple[str, int, bytes, int, Read], ...] = (
    ("b_value", 0x0043, b"GEMS_PARM_01", 0x39, _b_of_ge),
    ("component", 0x0043, b"GEMS_PARM_01", 0x2F, _component_of_ge),
    ("b_value", 0x0019, b"SIEMENS MR HEADER", 0x0C, _number),
    ("direction", 0x0019, b"SIEMENS MR HEADER", 0x0E, _packed("<3d")),
    ("b_value", 0x2001, b"Philips Imaging DD 001", 0x03, _packed("<f")),
    ("phase", 0x2001, b"Philips Imaging DD 001", 0x08, _number),
    ("reconstruction", 0x2001, b"Philips Imaging DD 001", 0x1D, _number),
    ("b_value", 0x0065, b"Image Private Header", 0x09, _packed("<d")),
    ("direction", 0x0065, b"Image Private Header", 0x37, _packed("<3d")),
    *(("direction", 0x0019, b"GEMS_ACQU_01", element, _number) for element in (0xBB, 0xBC, 0xBD)),
    *(("direction", 0x2005, b"Philips MR Imaging DD 001", element, _packed("<f")) for element in (0xB0, 0xB1, 0xB2)),
)
"""Fact, group, private creator, element within its block, and how its value is read; of a direction all three parts."""
_BLOCKS = range(0x10, 0x18)
"""Where private creators are looked for."""
_TIMES = {"acquisition_time": (0x00080022, 0x00080032), "content_time": (0x00080023, 0x00080033)}
_WANTED: Wanted = dict.fromkeys(
    (
        *(tag for _, tag, _ in _PUBLIC),
        *(tag for tags in _TIMES.values() for tag in tags),
        *(group << 16 | block for _, group, *_ in _PRIVATE for block in _BLOCKS),
        *(group << 16 | block << 8 | element for _, group, _, element, _ in _PRIVATE for block in _BLOCKS),
    )
)


def looker(opener: Opener) -> Callable[[Frame], Mapping[str, Hashable]]:
    """Further facts of frames from the headers of their instances, each of which is looked at once."""
    known: dict[int, Mapping[str, Hashable]] = {}

    def look(frame: Frame) -> Mapping[str, Hashable]:
        instance = frame.instance
        if id(instance) not in known:
            known[id(instance)] = _looked_at(instance, opener)
        return known[id(instance)]

    return look


def _looked_at(instance: Instance, opener: Opener) -> Mapping[str, Hashable]:
    try:
        source = opener.open(instance.file)
    except MEMBER_FAULTS:
        return {}
    try:
        return facts_of(source, read_header(source))
    except (NotDicomError, DamagedHeaderError, *MEMBER_FAULTS):
        return {}
    finally:
        source.close()


def facts_of(source: ByteSource, header: Header) -> Mapping[str, Hashable]:
    """What a header says that may tell its slice from others at the same position.

    Parameters
    ----------
    source
        The file's bytes.
    header
        What the common walk found in it.

    Returns
    -------
    Fact -> value; what is missing or no value is left out. Times are in seconds since any fixed moment.
    """
    item = read(source, header, _WANTED)
    found: Facts = {}
    for name, tag, as_value in _PUBLIC:
        _note(found, name, as_value(item[tag]) if item.get(tag) else None)
    for name, (date, time) in _TIMES.items():
        _note(found, name, _seconds(parsing.text(item.get(date, b"")), parsing.text(item.get(time, b""))))
    parts: dict[bytes, list[Hashable]] = {}
    for name, group, creator, element, as_value in _PRIVATE:
        raw = _private(item, group, creator, element)
        value = as_value(raw) if raw else None
        if name == "direction" and isinstance(value, float):
            parts.setdefault(creator, []).append(value)
        else:
            _note(found, name, value)
    for part in parts.values():
        _note(found, "direction", tuple(part) if len(part) == 3 else None)
    return found


def _note(found: Facts, name: str, value: Hashable) -> None:
    if value not in (None, "", ()):
        found.setdefault(name, value)


def _private(item: Item, group: int, creator: bytes, element: int) -> bytes:
    """Bytes of a private attribute; empty where its creator has no block, or it is not there."""
    for block in _BLOCKS:
        if bytes(item.get(group << 16 | block, b"")).strip(b"\0 ") == creator:
            return bytes(item.get(group << 16 | block << 8 | element, b""))
    return b""


def _seconds(date: str, time: str) -> float | None:
    """Seconds of a date and time since any fixed moment; of a time alone since midnight."""
    digits = time.replace(":", "")
    try:
        whole, _, part = digits.partition(".")
        seconds = int(whole[:2]) * 3600 + int(whole[2:4] or 0) * 60 + int(whole[4:6] or 0) + float(f"0.{part or 0}")
        day = datetime.strptime(date, "%Y%m%d").toordinal() if date else 0  # noqa: DTZ007 - dates have no zone
    except ValueError:
        return None
    return day * 86400 + seconds
