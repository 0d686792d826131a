"""Parsing: bytes of single attributes to typed values (PS3.5 6.2). What is empty is None; nothing is guessed."""

from __future__ import annotations

import math
import struct
from functools import lru_cache
from itertools import repeat

from isocenter.dicom.file.quiet import quietly

NOTHING = repeat(b"")
"""Stands in for each of many values that a header may not have: ``map(values.get, tags, NOTHING)``."""
Triple = tuple[float, float, float]

SHORTEST_MM, LONGEST_MM = 1e-6, 1e5
"""What is shorter or longer is no size of a pixel or slice: a thousandth of a wavelength of light, a hundred metres."""


def text(raw: bytes) -> str:
    """Text of the default character set, without padding."""
    return raw.decode("ascii", "replace").strip("\0 ")


@lru_cache(maxsize=4096)
def words(raw: bytes, charset: bytes) -> str:
    """Text in the file's character sets (PS3.5 6.1)."""
    if raw.isascii() and b"\x1b" not in raw:
        return text(raw)
    from pydicom.charset import convert_encodings, decode_bytes

    try:
        with quietly():
            encodings = convert_encodings(text(charset).split("\\"))
            return decode_bytes(raw, encodings, {ord("\\")}).strip("\0 ")
    except (LookupError, ValueError):  # a ValueError of a null within the name of a character set
        return raw.decode("ascii", "replace").strip("\0 ")


def unsigned(raw: bytes) -> int | None:
    """A little endian number; None where there is none."""
    return int.from_bytes(raw, "little") if raw else None


def short(raw: bytes) -> int | None:
    """A little endian number of 16 bits; None where there is none of that width."""
    return int.from_bytes(raw, "little") if len(raw) == 2 else None


def numbers(raw: bytes) -> tuple[float, ...]:
    """Decimal strings; NaN for what is no number. Empty where there is nothing."""
    text = raw.rstrip(b"\0 ").lstrip(b" ")  # a null pads at the end only
    if not text:
        return ()
    try:
        values = tuple(map(float, text.split(b"\\")))
    except ValueError:
        return (math.nan,)
    is_sound = all(map(math.isfinite, values)) and b"_" not in text  # Python reads 1_0 as 10, DICOM does not
    return values if is_sound else (math.nan,)


@lru_cache(maxsize=65536)
def number(raw: bytes) -> float | None:
    """A decimal; None where there is none, NaN where it is no number, or several."""
    values = numbers(raw)
    return (values[0] if len(values) == 1 else math.nan) if values else None


def double(raw: bytes) -> float | None:
    """A little endian double; None where there is none."""
    return float(struct.unpack("<d", raw[:8])[0]) if len(raw) >= 8 else None


def integer(raw: bytes) -> int | None:
    """An integer string; None where there is none that is a number."""
    value = number(raw)
    return None if value is None or math.isnan(value) else int(value)


def length_mm(raw: bytes) -> float | None:
    """A decimal that can be a length; None where there is none."""
    value = number(raw)
    return value if value is not None and _is_length(value) else None


def _is_length(value: float) -> bool:
    return SHORTEST_MM <= value <= LONGEST_MM


def triple(raw: bytes) -> Triple | None:
    """Three decimals, NaN for what is no number; None where there are not three."""
    try:
        x, y, z = map(float, raw.split(b"\\"))
    except ValueError:  # not three, or padded by zeros
        values = numbers(raw)
        return (values[0], values[1], values[2]) if len(values) == 3 else None
    is_sound = math.isfinite(x) and math.isfinite(y) and math.isfinite(z) and b"_" not in raw
    return (x, y, z) if is_sound else None


@lru_cache(maxsize=4096)
def direction(raw: bytes) -> tuple[float, ...] | None:
    """Six decimals; None where there are not six."""
    values = numbers(raw)
    return values if len(values) == 6 else None


@lru_cache(maxsize=4096)
def spacing(raw: bytes) -> tuple[float, float] | None:
    """Two decimals that can be lengths; None where there are not two."""
    values = numbers(raw)
    return (values[0], values[1]) if len(values) == 2 and all(map(_is_length, values)) else None
