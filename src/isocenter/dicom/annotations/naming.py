"""Naming: what a stored object says of its segments (names, codes, colours) as a :class:`Segment` has it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from isocenter.codes import Code
from isocenter.dicom.file import parsing
from isocenter.dicom.file.nested import Item, Wanted

_VALUE, _LONG_VALUE, _URN_VALUE, _SCHEME, _MEANING = 0x00080100, 0x00080119, 0x00080120, 0x00080102, 0x00080104
CODE: Wanted = {_VALUE: None, _LONG_VALUE: None, _URN_VALUE: None, _SCHEME: None, _MEANING: None}
"""What is taken of an item of a Code Sequence."""
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


def code_of(items: Iterable[Item], charset: bytes) -> Code | None:
    """The first code of a Code Sequence (PS3.3 8.8); None where there is none that is whole.

    Parameters
    ----------
    items
        Of the sequence, with what :data:`CODE` names.
    charset
        Specific Character Set, as stored.
    """
    for item in items:
        value = next((parsing.text(item[tag]) for tag in (_VALUE, _LONG_VALUE, _URN_VALUE) if item.get(tag)), "")
        if value:
            scheme, meaning = parsing.text(item.get(_SCHEME, b"")), parsing.words(item.get(_MEANING, b""), charset)
            return Code(value, scheme, meaning)
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
