"""Cases by what is known of them: an attribute such as sex, or age in decades, or two together. No scores here."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isocenter.errors import UsageError
from isocenter.reasons import Reason

Attributes = Mapping[str, Mapping[str, str]]
"""What is known of each case, by its name: ``{"case_1": {"sex": "F", "age": "61"}}``."""

UNKNOWN = "unknown"
TOGETHER = "*"
"""Stands between two attributes that are taken together: ``"sex*age"``."""

_NOT_SAID = frozenset({"", "unknown", "na", "n/a", "nan", "none", "null", "?", "-"})
_DICOM_AGE = re.compile(r"(\d{3})([DWMY])")
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}
ENOUGH = 10
"""Cases that a group needs to be judged by."""
_FEW = 6
"""Different numbers up to which each is a group of its own."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """Cases in groups, each in one.

    Parameters
    ----------
    attribute
        What they are grouped by.
    groups
        Names of the cases of each group, in order; those of which nothing is known come last, as ``"unknown"``.
    words
        How numbers were put into groups; empty if the values were taken as they are.
    """

    attribute: str
    groups: Mapping[str, tuple[str, ...]]
    words: str = ""

    @property
    def known(self) -> dict[str, tuple[str, ...]]:
        """The groups but ``"unknown"``."""
        return {name: cases for name, cases in self.groups.items() if name != UNKNOWN}


def grouped(attributes: Attributes, by: str) -> Grouping:
    """Cases in groups by an attribute, or by two (``"sex*age"``).

    Ages become decades, other numbers of more than six values thirds of the cases (halves of fewer than 30); what is
    not said is ``"unknown"``, a group like the others, so that no case is left out.

    Raises
    ------
    UsageError
        If no case has the attribute.
    """
    if TOGETHER in by:
        return _together(attributes, [part.strip() for part in by.split(TOGETHER)])
    if not any(by in known for known in attributes.values()):
        there = sorted({name for known in attributes.values() for name in known})
        raise UsageError(f"No case has the attribute {by!r}; there are {', '.join(there) or 'none'}.")
    values = {case: str(known.get(by, "")).strip() for case, known in attributes.items()}
    said = {case: value for case, value in values.items() if value.lower() not in _NOT_SAID}
    name_of, words = _naming(by, list(said.values()))
    names = {case: name_of(said[case]) if case in said else UNKNOWN for case in values}
    return Grouping(by, _sorted(names, said), words)


def _naming(by: str, values: Sequence[str]) -> tuple[Callable[[str], str], str]:
    """How a value becomes the name of a group, and how that is said."""
    numbers = [number_of(value) for value in values]
    if any(math.isnan(number) for number in numbers) or not numbers:
        spelled: dict[str, str] = {}
        for value in sorted(values):
            spelled.setdefault(value.casefold(), value)
        return lambda value: spelled[value.casefold()], ""
    if re.search(r"(^|[^a-z])age($|[^a-z])", by.lower()) or by == "PatientAge":
        return lambda value: _decade(number_of(value)), "Ages are put into decades."
    if len(set(numbers)) <= _FEW:
        return lambda value: f"{number_of(value):g}", ""
    return _parts(by, numbers)


def _parts(by: str, numbers: Sequence[float]) -> tuple[Callable[[str], str], str]:
    """Numbers in thirds of the cases, or halves where thirds would be too small to be judged."""
    if len(numbers) < 3 * ENOUGH:
        middle = float(np.quantile(numbers, 0.5))
        names = (f"{middle:.4g} and below", f"above {middle:.4g}")
        return lambda value: names[number_of(value) > middle], f"The values of {by} are put into halves of the cases."
    low, high = (float(edge) for edge in np.quantile(numbers, [1 / 3, 2 / 3]))
    thirds = (f"{low:.4g} and below", f"{low:.4g} to {high:.4g}", f"above {high:.4g}")
    return (
        lambda value: thirds[int(number_of(value) > low) + int(number_of(value) > high)],
        f"The values of {by} are put into thirds of the cases.",
    )


def _decade(years: float) -> str:
    start = int(years // 10) * 10
    return f"{start} to {start + 9}"


def number_of(value: str) -> float:
    """The number that a value is, an age of DICOM in years (``"061Y"``); NaN if it is none."""
    age = _DICOM_AGE.fullmatch(value.strip())
    if age:
        return int(age[1]) * _YEARS[age[2]]
    try:
        number = float(value)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _sorted(names: Mapping[str, str], said: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Cases by group: groups of numbers in their order, others by name, ``"unknown"`` last."""
    members: dict[str, list[str]] = {}
    for case, name in names.items():
        members.setdefault(name, []).append(case)
    lowest = {name: min(number_of(said.get(case, "")) for case in cases) for name, cases in members.items()}
    order = sorted(members, key=lambda name: (name == UNKNOWN, np.nan_to_num(lowest[name]), name))
    return {name: tuple(members[name]) for name in order}


def _together(attributes: Attributes, parts: Sequence[str]) -> Grouping:
    if len(parts) != 2:
        raise UsageError("Two attributes are taken together, as in sex*age; more leave no cases to a group.")
    one, other = (grouped(attributes, part) for part in parts)
    of_other = {case: name for name, cases in other.groups.items() for case in cases}
    groups: dict[str, list[str]] = {}
    for name, cases in one.groups.items():
        for second in other.groups:
            found = [case for case in cases if of_other[case] == second]
            if found:
                whole = UNKNOWN if UNKNOWN in (name, second) else f"{name}, {second}"
                groups.setdefault(whole, []).extend(found)
    ordered = sorted(groups, key=lambda name: name == UNKNOWN)
    words = " ".join(text for text in (one.words, other.words) if text)
    return Grouping(TOGETHER.join(parts), {name: tuple(groups[name]) for name in ordered}, words)


def about(grouping: Grouping) -> list[Reason]:
    """What is to be said of a grouping: how numbers were binned, and of how many cases nothing is known."""
    reasons = [Reason("ATTRIBUTE_BINNED", grouping.words)] if grouping.words else []
    total = sum(map(len, grouping.groups.values()))
    unknown = len(grouping.groups.get(UNKNOWN, ()))
    if unknown * 5 > total:
        text = f"The attribute {grouping.attribute} is unknown of {unknown} of {total} cases."
        reasons.append(Reason("ATTRIBUTE_UNKNOWN", text))
    return reasons
