"""The windows and tables that a series brings along to be looked at with (VOI LUT Module and Macro, PS3.3 C.11.2)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, cast

from isocenter.dicom.sorting.series import Series
from isocenter.dicom.values.tables import TableError, display_tables, of_frame
from isocenter.errors import InputError, UsageError, expect
from isocenter.windows import Display, Function, LookupTable, Window

if TYPE_CHECKING:
    from pydicom import Dataset


def windows_of(series: Series) -> tuple[Display, ...]:
    """The windows and lookup tables of a series' middle frame, in the file's order; windows first.

    They are for values as :func:`isocenter.read` gives them by default (HU, Bq/ml, ...), not for SUV. Scanners of MR
    and PET give each slice a window of its own; that of the middle one is taken for all. A window that is none (no
    number, a width of 0) is left out.

    Raises
    ------
    InputError
        If the file is gone, or a table in it is damaged.
    """
    expect(series, Series)
    frame = series.frames[len(series.frames) // 2]
    header = frame.instance.dataset()
    group = of_frame(header, frame.number, "FrameVOILUTSequence")
    holder = header if group is None else group.FrameVOILUTSequence[0]
    try:
        tables = display_tables(holder, header)
    except TableError as error:
        raise InputError(f"{error} Look at the series through a window instead.") from error
    return (*_windows(holder), *(LookupTable(table.first, table.entries, bits, name) for table, bits, name in tables))


def _windows(holder: Dataset) -> Iterator[Window]:
    function = str(holder.get("VOILUTFunction", "") or "").strip() or "LINEAR"
    centers, widths, names = (
        _many(holder.get(keyword)) for keyword in ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation")
    )
    for center, width, name in zip(centers, widths, chain(names, repeat("")), strict=False):
        try:
            yield Window(float(center), float(width), cast("Function", function), str(name).strip())
        except (UsageError, ValueError, TypeError):
            continue


def _many(value: Any) -> list[Any]:
    """The values of an element that may hold none, one or several."""
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str | int | float) else list(value)
