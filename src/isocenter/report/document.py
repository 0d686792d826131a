"""Document: what a report says, as values, and how its numbers are written. HTML and PDF are made from it.

No patient data gets in by itself: the facts of the study are the caller's choice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby

from isocenter import codes
from isocenter.codes import Code
from isocenter.findings import Measurement, Segment
from isocenter.reasons import Reason, Severity, Verdict
from isocenter.report.figure import Figure
from isocenter.report.planes import Plane
from isocenter.report.standing import Standing, concerned, standing

INTENDED_USE = (
    "Not for diagnosis without review. This report was made by software that is no medical device; a qualified "
    "person must check contours and values against the images before they are used."
)
CONVENTION = (
    "Axial sections are seen from the feet and coronal ones from the front: the patient's right is on the left of the "
    "picture. Sagittal sections are seen from the left: anterior is on the left. Pixels are square; the letters name "
    "the direction in the patient (R right, L left, A anterior, P posterior, H head, F feet)."
)

_UNIT_SIGNS = {codes.HU: "HU", codes.ONE: ""}
_ALARMING = (Severity.REJECTED, Severity.HELD, Severity.REVIEW)


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What the report tells of the study, in order: (title, value) pairs."""

    pairs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """A table of texts under a heading, for what is no measurement of a structure.

    Parameters
    ----------
    title
        The heading.
    columns
        Heads of the columns; the first names the rows.
    rows
        A text for each column.
    words
        What to know to read it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report says.

    Parameters
    ----------
    title
        Heading: ``"Lungs on CT"``.
    facts
        Facts of the study and the series.
    verdict
        What the series is worth.
    reasons
        What the software repaired, guessed, held or refused.
    segments
        What was found, in the order of the columns.
    measurements
        What was measured.
    figures
        Pictures, in order.
    provenance
        Software, settings, inputs and outputs: (title, value) pairs.
    made_at
        When, with its time zone.
    identity
        Whose images these are, and of when, in one line that every printed page carries; empty if nobody may know.
    instance_numbers
        SOP Instance UID -> Instance Number of the images, to name those that a reason concerns.
    listings
        Tables, after the measurements.
    state
        The state that it opens with; by default that which verdict and reasons lead to.

    Raises
    ------
    ValueError
        If the time has no time zone.
    """

    title: str
    facts: StudyFacts
    verdict: Verdict
    reasons: tuple[Reason, ...]
    segments: tuple[Segment, ...]
    measurements: tuple[Measurement, ...]
    figures: tuple[Figure, ...]
    provenance: tuple[tuple[str, str], ...]
    made_at: datetime
    identity: str = ""
    instance_numbers: Mapping[str, str] = field(default_factory=dict)
    listings: tuple[Listing, ...] = ()
    state: Standing | None = None

    def __post_init__(self) -> None:
        if self.made_at.tzinfo is None:
            raise ValueError("The time of a report needs a time zone.")

    @property
    def alarms(self) -> tuple[Reason, ...]:
        """Reasons that a person has to look at before relying on the result, heaviest first."""
        found = [reason for reason in self.reasons if reason.severity in _ALARMING]
        return tuple(sorted(found, key=lambda reason: -reason.severity.rank))

    @property
    def notes(self) -> tuple[Reason, ...]:
        """All other reasons, heaviest first."""
        found = [reason for reason in self.reasons if reason.severity not in _ALARMING]
        return tuple(sorted(found, key=lambda reason: -reason.severity.rank))

    @property
    def standing(self) -> Standing:
        """The one state that the report opens with."""
        return self.state or standing(self.verdict, self.reasons)

    def concerned(self, reason: Reason) -> str:
        """The images that a reason concerns, in words; empty if it names none."""
        return concerned(reason, self.instance_numbers)

    @property
    def time_words(self) -> str:
        """The time, to the second, with its offset: ``"2026-11-21 09:30:00 +00:00"``."""
        return self.made_at.isoformat(sep=" ", timespec="seconds").replace("+", " +")

    @property
    def chapters(self) -> tuple[Chapter, ...]:
        """The figures in order, with sections that follow each other in one chapter, two of a plane side by side."""
        found = []
        for are_sections, group in groupby(self.figures, key=lambda figure: _plane(figure) != ""):
            figures = list(group)
            if are_sections:
                planes = [tuple(row) for _, row in groupby(figures, key=_plane)]
                rows = tuple(plane[start : start + 2] for plane in planes for start in range(0, len(plane), 2))
                found.append(Chapter("Key slices", rows, CONVENTION))
            else:
                found += [Chapter(figure.title, ((figure,),)) for figure in figures]
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Chapter:
    """Pictures under one heading.

    Parameters
    ----------
    title
        The heading.
    rows
        Pictures side by side, row by row.
    words
        What to know to read them.
    """

    title: str
    rows: tuple[tuple[Figure, ...], ...]
    words: str = ""


def _plane(figure: Figure) -> str:
    start = figure.name.split("_")[0]
    return start if start in list(Plane) else ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of the table; empty text where nothing was measured."""

    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of measurements."""

    title: str
    unit: str
    cells: tuple[Cell, ...]
    method: str


@dataclass(frozen=True, slots=True)
class Table:
    """Measurements, a line for each kind and a column for each structure.

    Parameters
    ----------
    columns
        (title, colour or None for a union of several segments).
    rows
        The lines.
    """

    columns: tuple[tuple[str, tuple[int, int, int] | None], ...]
    rows: tuple[Row, ...]

    def parts(self, most: int) -> tuple[Table, ...]:
        """The table as some with no more columns than ``most``, one below another."""
        cuts = [slice(start, start + most) for start in range(0, len(self.columns), most)]
        return tuple(
            Table(self.columns[cut], tuple(replace(row, cells=row.cells[cut]) for row in self.rows)) for cut in cuts
        )


def table(measurements: Sequence[Measurement], segments: Sequence[Segment]) -> Table:
    """Measurements as a table: a column for each set of segments, unions after the single ones."""
    known = {segment.name: segment for segment in segments}
    order = [segment.name for segment in segments]
    sets = sorted(
        dict.fromkeys(measurement.segments for measurement in measurements),
        key=lambda names: (len(names), [order.index(name) if name in order else len(order) for name in names]),
    )
    by_line: dict[tuple[str, str, Code], dict[tuple[str, ...], Measurement]] = {}
    for measurement in measurements:
        line = (measurement.name, measurement.title, measurement.unit)
        by_line.setdefault(line, {})[measurement.segments] = measurement
    rows = _without_repeats([_row(title, unit, found, sets) for (_, title, unit), found in by_line.items()])
    columns = [(_column_title(names, known), known[names[0]].color if len(names) == 1 else None) for names in sets]
    return Table(tuple(columns), tuple(rows))


def _row(title: str, unit: Code, found: Mapping[tuple[str, ...], Measurement], sets: Sequence[tuple[str, ...]]) -> Row:
    cells = [Cell(number(found[names].value, unit) if names in found else "") for names in sets]
    method = next((m.method for m in found.values() if m.method), "")
    return Row(title, unit_sign(unit), tuple(cells), method)


def _without_repeats(rows: Sequence[Row]) -> list[Row]:
    """The lines, with a method said once where neighbouring lines share it."""
    before = ["", *(row.method for row in rows)]
    return [
        replace(row, method="" if row.method == last else row.method)
        for row, last in zip(rows, before[:-1], strict=True)
    ]


def _column_title(names: tuple[str, ...], known: Mapping[str, Segment]) -> str:
    titles = [known[name].title if name in known else name for name in names]
    if len(titles) == 2 and {titles[0].split(" ")[0], titles[1].split(" ")[0]} == {"Left", "Right"}:
        tails = {title.split(" ", 1)[-1] for title in titles}
        if len(tails) == 1:
            return f"Both {tails.pop()}s"
    return " + ".join(titles)


def unit_sign(unit: Code) -> str:
    """A unit for people: ``"HU"`` where UCUM writes ``"[hnsf'U]"``, nothing for a bare number."""
    return _UNIT_SIGNS.get(unit, unit.value)


def number(value: float, unit: Code) -> str:
    """A number for people: three figures or all whole ones, a true minus sign, a dash where there is no number.

    HU are whole and percent have one decimal, since more would not be measured.
    """
    if not math.isfinite(value):
        return "–"
    text = f"{value:.{_decimals(value, unit)}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def _decimals(value: float, unit: Code) -> int:
    if unit == codes.HU or not value:
        return 0
    if unit == codes.PERCENT:
        return 1
    return max(0, min(3, 2 - math.floor(math.log10(abs(value)))))
