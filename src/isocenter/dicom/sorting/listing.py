"""Listing: the series of a scan as rows for people, with the parts of one DICOM series in one row. Pure."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import groupby

from isocenter.dicom.sorting.series import Series
from isocenter.reasons import Reason, Verdict, merge

_MOST_NAMED = 4
_COUNTED = re.compile(r"(.*?)(\d+) of (\d+)")


@dataclass(frozen=True)
class Row:
    """One series, or parts of one that are alike in all but their name.

    Parameters
    ----------
    series
        Those that the row stands for.
    name
        Name of the DICOM series.
    parts
        What the row holds of it, such as ``"6 volumes: time 1 to 6"``; empty where it is all one volume.
    reasons
        Those of all its series, each once.
    """

    series: tuple[Series, ...]
    name: str
    parts: str
    reasons: tuple[Reason, ...]

    @property
    def verdict(self) -> Verdict:
        """The one that all its series share."""
        return self.series[0].verdict


def rows(series: Iterable[Series]) -> tuple[Row, ...]:
    """Fold series into rows.

    Parameters
    ----------
    series
        Such as those of a scan, in its order. Neighbours share a row if they are parts of one DICOM series and have the
        same verdict, codes of reasons, number of slices and grid (but for where it lies, if they are pictures).
    """
    return tuple(_row(tuple(group)) for _, group in groupby(series, key=_kind))


def _kind(series: Series) -> Hashable:
    if not series.part or not series.series_uid:
        return id(series)
    grid = series.grid
    size = None if grid is None else (grid.shape, grid.spacing_mm, grid.space)
    codes = tuple(dict.fromkeys(reason.code for reason in series.reasons))
    return series.study_uid, series.series_uid, series.verdict, codes, len(series), series.axis, size


def _row(series: tuple[Series, ...]) -> Row:
    first = series[0]
    reasons = merge(*(one.reasons for one in series))
    if len(series) == 1:
        return Row(series, first.name, "", reasons)
    what = "images" if first.is_picture else "volumes"
    return Row(series, first.title, f"{len(series)} {what}: {_named([one.part for one in series])}", reasons)


def _named(labels: list[str]) -> str:
    """``"time 1 to 6"`` for labels that count; else the first of them."""
    found = [_COUNTED.fullmatch(label) for label in labels]
    if all(found):
        stems = {one[1] for one in found if one}
        numbers = [int(one[2]) for one in found if one]
        if len(stems) == 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return f"{stems.pop()}{numbers[0]} to {numbers[-1]}"
    shown = labels if len(labels) <= _MOST_NAMED + 1 else [*labels[:_MOST_NAMED], "..."]
    return "; ".join(shown)
