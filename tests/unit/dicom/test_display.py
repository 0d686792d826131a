"""Windows and tables that a series brings along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

import isocenter as iso
from isocenter.errors import InputError
from isocenter.geometry import Grid
from isocenter.testing.dicom import write_series
from isocenter.windows import LookupTable, Window

GRID = Grid.from_vectors((3, 4, 4))


def _series(folder: Path, **elements: object) -> iso.Series:
    for path in write_series(np.zeros(GRID.shape), GRID, folder):
        header = dcmread(path)
        for keyword, value in elements.items():
            setattr(header, keyword, value)
        header.save_as(path)
    return iso.scan(folder)[0]


def test_the_windows_of_the_file_are_those_it_names(tmp_path: Path) -> None:
    series = _series(
        tmp_path,
        WindowCenter=[-600, 40],
        WindowWidth=[1500, 400],
        WindowCenterWidthExplanation=["LUNG", "SOFT"],
        VOILUTFunction="LINEAR_EXACT",
    )
    found = iso.windows_of(series)
    assert found == (Window(-600, 1500, "LINEAR_EXACT"), Window(40, 400, "LINEAR_EXACT"))
    assert [window.name for window in found] == ["LUNG", "SOFT"]


def test_a_window_that_is_none_is_left_out(tmp_path: Path) -> None:
    series = _series(tmp_path, WindowCenter=[0, 40], WindowWidth=[0, 400])
    assert iso.windows_of(series) == (Window(40, 400),)


def test_a_series_may_bring_none(tmp_path: Path) -> None:
    series = _series(tmp_path, WindowCenter=None, WindowWidth=None)
    assert iso.windows_of(series) == ()


def _table(descriptor: list[int], entries: list[int]) -> Dataset:
    item = Dataset()
    item.add_new(0x00283002, "US", descriptor)
    item.add_new(0x00283006, "US", entries)
    item.LUTExplanation = "TISSUE"
    return item


def test_a_table_of_the_file_is_read(tmp_path: Path) -> None:
    found = iso.windows_of(_series(tmp_path, VOILUTSequence=[_table([3, 10, 12], [0, 100, 4095])]))[-1]
    assert isinstance(found, LookupTable)
    assert (found.first, found.bits, found.name, found.entries.tolist()) == (10, 12, "TISSUE", [0, 100, 4095])


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    series = _series(tmp_path, VOILUTSequence=[_table([30, 10, 12], [0, 100, 4095])])
    with pytest.raises(InputError, match="window instead"):
        iso.windows_of(series)
