"""Whether the facts of a model that were read from its file can be those of one: each field of the right kind.

What is told by them lives in ``proof`` and ``card``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isocenter.reasons import CODES


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field is to be, in words, and whether a value is that."""

    words: str
    fits: Callable[[Any], bool]


def faults(facts: Any) -> Iterator[str]:
    """What is wrong with the facts of a model, each as a sentence that names the field; nothing of sound ones."""
    if not isinstance(facts, Mapping):
        yield "facts is to be a table."
        return
    for name, wanted in _FIELDS.items():
        if name not in facts:
            continue
        value = facts[name]
        if isinstance(wanted, Kind):
            yield from _fault(f"facts.{name}", value, wanted)
        elif not isinstance(value, Mapping):
            yield f"facts.{name} is to be a table."
        else:
            for field, kind in wanted.items():
                if field in value:
                    yield from _fault(f"facts.{name}.{field}", value[field], kind)


def _fault(path: str, value: Any, kind: Kind) -> Iterator[str]:
    if not kind.fits(value):
        yield f"{path} is to be {kind.words}."


def is_number(value: Any) -> bool:
    """Whether a plain value is a number; NaN is one."""
    return type(value) in (int, float)


def _is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list | tuple) and all(map(fits, value))


def _table_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Mapping) and all(map(fits, value.values()))


def _record_of(**kinds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A table that has at least these fields."""
    return lambda value: (
        isinstance(value, Mapping) and all(name in value and fits(value[name]) for name, fits in kinds.items())
    )


def _is_range(value: Any) -> bool:
    """The least and the greatest of three numbers each."""
    if not _list_of(_list_of(_is_finite))(value) or [len(side) for side in value] != [3, 3]:
        return False
    return all(low <= high for low, high in zip(*value, strict=True))


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_share(value: Any) -> bool:
    return _is_finite(value) and 0 <= value <= 1


def _is_reason(value: Any) -> bool:
    return _record_of(code=_is_text, message=_is_text)(value) and value["code"] in CODES


def _is_result(value: Any) -> bool:
    return _is_plain(value) or _table_of(_table_of(_is_plain))(value)


_COUNT = Kind("a whole number", _is_count)
_NUMBER = Kind("a number", is_number)
_TEXT = Kind("a text", _is_text)
_TEXTS = Kind("a list of texts", _list_of(_is_text))
_RANGE = Kind("the least and the greatest of three finite numbers", _is_range)
_SCORES = Kind("a table of numbers", _table_of(is_number))
_PLAIN = Kind("a table of plain values", _table_of(_is_plain))
_TABLES = Kind("a table of tables of plain values", _table_of(_table_of(_is_plain)))
_POINT = _record_of(step=_is_count, loss=is_number, rate=is_number, seconds_s=is_number, scores=_table_of(is_number))
_OUT_OF_FOLD = _record_of(
    case=_is_text,
    fold=_is_count,
    dice=_table_of(lambda value: value is None or is_number(value)),
    features=_table_of(is_number),
)

_FIELDS: Mapping[str, Kind | Mapping[str, Kind]] = {
    "identity": _TEXT,
    "training_cases": Kind("a whole number, or none", lambda value: value is None or _is_count(value)),
    "domain": {
        "images": _COUNT,
        "percentiles": Kind("a list of finite numbers", _list_of(_is_finite)),
        "spacing_mm": _RANGE,
        "values": _RANGE,
        "modalities": _TEXTS,
    },
    "calibration": {
        "names": _TEXTS,
        "features": Kind("a list of lists of finite numbers", _list_of(_list_of(_is_finite))),
        "scores": Kind("a list of numbers from 0 to 1", _list_of(_is_share)),
        "level": Kind("a number from 0 to 1", _is_share),
    },
    "training": {
        "identity": _TEXT,
        "dataset": _TEXT,
        "step": _COUNT,
        "seconds_s": _NUMBER,
        "device": _TEXT,
        "precision": _TEXT,
        "settings": Kind("a table", lambda value: isinstance(value, Mapping)),
        "learned_from": _TEXTS,
        "held_out": _TEXTS,
        "curve": Kind("a list of points (step, loss, rate, seconds_s, scores)", _list_of(_POINT)),
    },
    "held_out": _SCORES,
    "results": Kind("a table of plain values, and of tables of them by structure", _table_of(_is_result)),
    "subgroups": _TABLES,
    "out_of_fold": Kind("a list of cases (case, fold, dice, features)", _list_of(_OUT_OF_FOLD)),
    "members": Kind("a list of tables", _list_of(lambda value: isinstance(value, Mapping))),
    "reasons": Kind("a list of reasons (code, message), each of a known code", _list_of(_is_reason)),
    "trial": _PLAIN,
    "exports": _TABLES,
}
