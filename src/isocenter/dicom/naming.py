"""Naming: what a stored object says of its segments (names, codes, colours) as a :class:`Segment` has it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from isocenter.codes import Code

if TYPE_CHECKING:
    from pydicom import Dataset

_NO_WORD = re.compile(r"[^0-9a-z]+")
_WHITE = (0.95047, 1.0, 1.08883)  # D65
_XYZ_TO_RGB = ((3.2406, -1.5372, -0.4986), (-0.9689, 1.8758, 0.0415), (0.0557, -0.2040, 1.0570))  # IEC 61966-2-1


def unique_names(titles: Iterable[str]) -> list[str]:
    """Names to have segments by, each once: lower case with underscores, such as ``left_lung`` and ``left_lung_2``."""
    names: list[str] = []
    for title in titles:
        stem = _NO_WORD.sub("_", title.lower()).strip("_") or "segment"
        name, count = stem, 1
        while name in names:
            count += 1
            name = f"{stem}_{count}"
        names.append(name)
    return names


def first_code(items: Sequence[Dataset] | None) -> Code | None:
    """The first code of a Code Sequence (PS3.3 8.8); None where there is none that is whole."""
    for item in items or ():
        value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue")
        if value:
            return Code(str(value), str(item.get("CodingSchemeDesignator", "")), str(item.get("CodeMeaning", "")))
    return None


def rgb_of_cielab(value: Sequence[int]) -> tuple[int, int, int]:
    """SRGB from 0 to 255 of a Recommended Display CIELab Value (PS3.3 C.10.7.1.1: 16 bits for each of L*, a*, b*).

    Colours beyond sRGB are cut to its range.
    """
    lightness, a, b = value[0] / 65535 * 100, value[1] / 65535 * 255 - 128, value[2] / 65535 * 255 - 128
    y = (lightness + 16) / 116
    white = zip((y + a / 500, y, y - b / 200), _WHITE, strict=True)
    xyz = [(f**3 if f > 6 / 29 else 3 * (6 / 29) ** 2 * (f - 4 / 29)) * scale for f, scale in white]
    red, green, blue = (_gamma(sum(m * c for m, c in zip(row, xyz, strict=True))) for row in _XYZ_TO_RGB)
    return red, green, blue


def _gamma(linear: float) -> int:
    value = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(255 * min(max(value, 0.0), 1.0))
