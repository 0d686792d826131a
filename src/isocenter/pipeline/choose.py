"""Which series of a study a pipeline takes, by rules that are data. No file is opened here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isocenter.dicom.sorting import listing
from isocenter.dicom.sorting.grouping import together
from isocenter.dicom.sorting.series import Series
from isocenter.errors import UsageError
from isocenter.geometry import Grid
from isocenter.pipeline.spec import Rule
from isocenter.reasons import Reason

_KERNELS = (
    ("soft", r"STANDARD|SOFT|STND|CHST|B[1-4]\d|B[rvq][1-4]\d|[IJT][1-4]\d|[ABC]$|FC0\d|FC1\d"),
    ("lung", r"LUNG|B[6-8]\d|Bl[5-7]\d|B[rv][5-7]\d|[IJ][5-8]\d|L$|YC|FC5\d|FC8[3-6]"),
    ("bone", r"BONE|EDGE|DETAIL|H[6-8]\d|Hr[6-8]\d|[DE]$|YD|FC3\d|FC8[0-2]"),
)
_COUNT = re.compile(r" of \d+(?=,|$)")
_MOST_NAMED = 8
_KIND_OF_PART = re.compile(r" -?\d.*")


@dataclass(frozen=True, slots=True)
class Choice:
    """What a rule made of the series of one study.

    Parameters
    ----------
    taken
        Series to process, each with what the choice has to say about it.
    left
        The others, each with the reason.
    """

    taken: tuple[tuple[Series, tuple[Reason, ...]], ...]
    left: tuple[tuple[Series, Reason], ...]


def kernel_kind(kernel: str) -> str:
    """Kind of a reconstruction kernel by its vendor's name: ``"soft"``, ``"lung"``, ``"bone"`` or ``"unknown"``."""
    for kind, pattern in _KERNELS:
        if re.match(pattern, kernel, re.IGNORECASE):
            return kind
    return "unknown"


def length_mm(grid: Grid) -> float:
    """Length of a grid along the axis of the patient that runs head to feet."""
    axis = next(axis for axis, letter in enumerate(grid.orientation) if letter in "SI")
    return grid.extent_mm[axis]


def choose(series: Sequence[Series], rule: Rule, wanted: str = "best") -> Choice:
    """Choose among the series of one study.

    Parameters
    ----------
    series
        All series of the study.
    rule
        The pipeline's rule.
    wanted
        ``"best"``, ``"all"`` (every usable series that fits), or a series number or Series Instance UID, and behind a
        colon the part of it, such as ``"5:echo 2"``.

    Returns
    -------
    The series to process and the others, each with its reason. Where no series fits or is usable, those that would have
    fitted are taken all the same, so that reading them states why they are held.
    """
    if wanted not in ("best", "all"):
        return _named(series, rule, wanted)
    fitting = [one for one in series if one.modality in rule.modalities and not one.is_localizer | one.is_picture]
    unfit = [(one, _unfit(one, rule)) for one in series if one not in fitting]
    usable = sorted((one for one in fitting if one.verdict.usable), key=lambda one: _rank(one, rule))
    held = [one for one in fitting if not one.verdict.usable]
    if not usable:
        return Choice(tuple((one, ()) for one in held), tuple(unfit))
    taken = usable if wanted == "all" else usable[:1]
    left = [(one, _not_chosen(one, usable[0])) for one in usable[len(taken) :]]
    left += [(one, max(one.reasons, key=lambda reason: reason.severity.rank)) for one in held]
    besides = tuple(_held_beside(one) for one in held)
    return Choice(tuple((one, (*_coverage(one, rule), *besides)) for one in taken), tuple(left + unfit))


def _named(series: Sequence[Series], rule: Rule, wanted: str) -> Choice:
    taken = [one for one in series if _is_named(one, wanted) and not one.is_picture]
    left = [(one, _not_named(one)) for one in series if one not in taken]
    return Choice(tuple((one, _coverage(one, rule)) for one in taken), tuple(left))


def only(series: Iterable[Series], wanted: str) -> Series:
    """The one series to look at: the named one, or by default the usable one with the most images.

    Parameters
    ----------
    series
        Those of a scan.
    wanted
        ``"best"``; or a series number or Series Instance UID, and behind a colon the part of it, such as
        ``"5:echo 2"``; of ``"time 2 of 4"`` also ``"time 2"``. Without a part all volumes of the series are taken, if
        they run along one axis, such as time.

    Raises
    ------
    UsageError
        If none has that name; or several have it that are of more than one DICOM series or study, or do not run along
        one axis.
    """
    every = tuple(series)
    if wanted == "best":
        together = [one for row in listing.rows(every) for one in _along_one_axis(row.series)]
        return max(together, key=lambda one: (one.verdict.usable, len(one.frames)))
    named = [one for one in every if _is_named(one, wanted)]
    if not named:
        raise not_there(every, wanted)
    if len({(one.study_uid, one.series_uid) for one in named}) > 1:
        raise UsageError(f"More than one series is called {wanted}. Name one by its UID: {_listed(named, by_uid=True)}")
    whole = named if len(named) == 1 or _part(wanted) else _along_one_axis(named)
    if len(whole) != 1:
        raise UsageError(f"The volumes of series {wanted} do not run along one axis. Name one: {_listed(named)}")
    return whole[0]


def not_there(series: Sequence[Series], wanted: str) -> UsageError:
    """What to say where no series has the wanted number or UID, or none of them that part."""
    number = wanted.partition(":")[0].strip()
    alike = [one for one in series if _has_number(one, number)]
    if alike:
        return UsageError(f"Series {number} has no part {_part(wanted)!r}. There are: {_listed(alike)}")
    return UsageError(f"No series has the number or UID {number}. There are: {_listed(series)}")


def _is_named(series: Series, wanted: str) -> bool:
    part = _part(wanted)
    label = series.part.casefold()
    return _has_number(series, wanted.partition(":")[0].strip()) and part in ("", label, _COUNT.sub("", label))


def _has_number(series: Series, number: str) -> bool:
    """Whether a series has that number or UID; one without a number has its UID alone."""
    return bool(number) and number in (series.series_uid, "" if series.number is None else str(series.number))


def _part(wanted: str) -> str:
    return " ".join(wanted.partition(":")[2].split()).casefold()


def _listed(series: Iterable[Series], *, by_uid: bool = False) -> str:
    """How a person names series on the command line; the first of them, if they are many."""
    names = list(dict.fromkeys(_address(one, by_uid=by_uid) for one in series))
    return "; ".join(names if len(names) <= _MOST_NAMED else [*names[:_MOST_NAMED], "..."])


def _address(series: Series, *, by_uid: bool) -> str:
    part = f":{series.part}" if series.part and not by_uid else ""
    if by_uid or series.number is None:
        return f"{series.series_uid or 'without UID'}{part} ({series.title}, study {series.study_uid or 'without UID'})"
    return f"{series.number}{part} ({series.title})"


def _along_one_axis(parts: Sequence[Series]) -> list[Series]:
    """The parts of one DICOM series as one series with a further axis, if they run along one; else as they are."""
    if not parts[0].series_uid or len({(part.study_uid, part.series_uid) for part in parts}) > 1:
        return list(parts)
    words = [part.part.split(", ") for part in parts]
    own = [[word for word in one if not all(word in other for other in words)] for one in words]
    kinds = {_KIND_OF_PART.sub("", word) for one in own for word in one}
    is_one = len(parts) > 1 and len(kinds) == 1 and all(len(one) == 1 for one in own)
    if not is_one or not all(part.verdict.usable for part in parts):
        return list(parts)
    try:
        return [together(parts, kinds.pop() or "part")]
    except UsageError:
        return list(parts)


def _rank(series: Series, rule: Rule) -> tuple[object, ...]:
    grid = series.grid
    if grid is None:
        return (True, 0.0, len(rule.kernels), 0, "")
    kind = kernel_kind(series.kernel)
    kernel = rule.kernels.index(kind) if kind in rule.kernels else len(rule.kernels)
    short = length_mm(grid) < rule.covers_mm
    return (short, round(min(grid.spacing_mm[0], 1e6), 2), kernel, -len(series), series.series_uid)


def _coverage(series: Series, rule: Rule) -> tuple[Reason, ...]:
    if series.grid is None or length_mm(series.grid) >= rule.covers_mm:
        return ()
    text = f"The series covers {length_mm(series.grid):.0f} mm along the patient; {rule.covers_mm:.0f} mm are expected."
    return (Reason("COVERAGE_SHORT", text),)


def _not_chosen(series: Series, best: Series) -> Reason:
    return Reason("NOT_CHOSEN", f"{series.name}: {best.name} fits the rule better.")


def _not_named(series: Series) -> Reason:
    return _picture(series) if series.is_picture else Reason("NOT_CHOSEN", f"{series.name}: another series was named.")


def _picture(series: Series) -> Reason:
    return Reason("NOT_A_VOLUME", f"{series.name}: a picture without depth or place in the patient.")


def _held_beside(series: Series) -> Reason:
    codes = ", ".join(dict.fromkeys(reason.code for reason in series.reasons))
    return Reason("OTHER_SERIES_HELD", f"{series.name} could not be used ({codes}); it may be the better one.")


def _unfit(series: Series, rule: Rule) -> Reason:
    if series.is_localizer:
        return Reason("LOCALIZER", f"{series.name}: a localizer.")
    if series.is_picture and series.modality in rule.modalities:
        return _picture(series)
    wanted = " or ".join(rule.modalities)
    return Reason("WRONG_MODALITY", f"{series.name}: the modality is {series.modality or 'unknown'}, not {wanted}.")
