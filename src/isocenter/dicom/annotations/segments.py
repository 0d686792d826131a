"""Segments: what a Segmentation says of the things it shows (PS3.3 C.8.20.4), as :class:`Segment` and Algorithm."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from isocenter import codes
from isocenter.dicom.annotations.naming import CODE, code_of, rgb_of_cielab, unique_names
from isocenter.dicom.file import parsing
from isocenter.dicom.file.nested import Item, Wanted
from isocenter.errors import InputError
from isocenter.findings import Algorithm, Segment

_NUMBER, _LABEL, _COLOR, _TRACKING = 0x00620004, 0x00620005, 0x0062000D, 0x00620020
_CATEGORY, _TYPE, _MODIFIER = 0x00620003, 0x0062000F, 0x00620011
_REGION = 0x00082218
_ALGORITHM_TYPE, _ALGORITHM_NAME = 0x00620008, 0x00620009
_IDENTIFICATION, _FAMILY, _NAME, _VERSION, _PARAMETERS = 0x00620007, 0x0066002F, 0x00660036, 0x00660031, 0x00660032
_SEGMENTS = 0x00620002
_OWN_TRACKING = re.compile(r"([0-9a-z_]+)@\d{8}")  # as isocenter.dicom.derived.seg writes it

WANTED: Wanted = {
    _SEGMENTS: {
        **dict.fromkeys((_NUMBER, _LABEL, _COLOR, _TRACKING, _ALGORITHM_TYPE, _ALGORITHM_NAME)),
        _CATEGORY: CODE,
        _TYPE: {**CODE, _MODIFIER: CODE},
        _REGION: CODE,
        _IDENTIFICATION: {_FAMILY: CODE, _NAME: None, _VERSION: None, _PARAMETERS: None},
    }
}
"""What is taken of the header for :func:`segments_of` and :func:`algorithm_of`."""


def segments_of(found: Item, charset: bytes) -> tuple[Segment, ...]:
    """The segments that a header describes; each one's label is its Segment Number.

    Parameters
    ----------
    found
        What :data:`WANTED` names.
    charset
        Specific Character Set, as stored.

    Raises
    ------
    InputError
        If there is none, or two have one number.
    """
    items: Sequence[Item] = found.get(_SEGMENTS, [])
    numbers = [int.from_bytes(item.get(_NUMBER, b"")[:2], "little") for item in items]
    if not items or len(set(numbers)) < len(numbers):
        raise InputError("The Segmentation does not describe its segments, each by a number: export it again.")
    titles = [
        parsing.words(item.get(_LABEL, b""), charset) or f"Segment {n}" for n, item in zip(numbers, items, strict=True)
    ]
    names = unique_names(_own_name(item) or title for item, title in zip(items, titles, strict=True))
    described = zip(items, numbers, names, titles, strict=True)
    return tuple(
        _segment(item, Segment(name, number, title, codes.ANATOMICAL_STRUCTURE), charset)
        for item, number, name, title in described
    )


def _own_name(item: Item) -> str:
    match = _OWN_TRACKING.fullmatch(parsing.text(item.get(_TRACKING, b"")))
    return match[1] if match else ""


def _segment(item: Item, plain: Segment, charset: bytes) -> Segment:
    types = item.get(_TYPE, [])
    organ = code_of(types, charset) or codes.ANATOMICAL_STRUCTURE
    modifier = code_of(types[0].get(_MODIFIER, []), charset) if types else None
    property_type, modifier = codes.sided(organ, modifier)
    category = code_of(item.get(_CATEGORY, []), charset) or codes.ANATOMICAL_STRUCTURE
    color = item.get(_COLOR, b"")
    return replace(
        plain,
        property_type=property_type,
        property_category=category,
        modifier=modifier,
        region=code_of(item.get(_REGION, []), charset),
        color=plain.color if len(color) != 6 else rgb_of_cielab([color[i] | color[i + 1] << 8 for i in (0, 2, 4)]),
    )


def algorithm_of(found: Item, charset: bytes) -> Algorithm:
    """What made the segments: the algorithm of the first, named with those of the others where they differ."""
    each = list(dict.fromkeys(_algorithm(item, charset) for item in found.get(_SEGMENTS, [])))
    names = ", ".join(dict.fromkeys(one.name for one in each))
    return each[0] if len(each) == 1 else replace(each[0], name=names, settings=())


def _algorithm(item: Item, charset: bytes) -> Algorithm:
    kind = parsing.text(item.get(_ALGORITHM_TYPE, b"")).lower()
    stated: Item = next(iter(item.get(_IDENTIFICATION, [])), {})
    name = parsing.words(stated.get(_NAME, b"") or item.get(_ALGORITHM_NAME, b""), charset) or kind or "unknown"
    family = code_of(stated.get(_FAMILY, []), charset)
    if family is None:
        family = codes.MANUAL_PROCESSING if "manual" in kind or kind == "semiautomatic" else codes.UNKNOWN
    return Algorithm(name, parsing.words(stated.get(_VERSION, b""), charset), _settings(stated, charset), family)


def _settings(stated: Item, charset: bytes) -> tuple[tuple[str, str], ...]:
    """Algorithm Parameters as highdicom writes them: ``name=value,name=value``."""
    text = parsing.words(stated.get(_PARAMETERS, b""), charset)
    pairs = [part.split("=", 1) for part in text.split(",") if "=" in part]
    return tuple((pair[0].strip(), pair[1].strip()) for pair in pairs)
