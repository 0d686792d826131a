"""The time between the volumes of a series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

import isocenter as iso
from isocenter.geometry import Grid
from isocenter.testing.dicom import write_series

GRID = Grid.from_vectors((3, 4, 4), spacing_mm=(3, 2, 2))


def _read(folder: Path, times: Sequence[str], **elements: object) -> iso.Volume:
    """A series of one volume at each time point."""
    for point, time in enumerate(times, 1):
        for number, path in enumerate(write_series(np.full(GRID.shape, point), GRID, folder / str(point))):
            header = dcmread(path)
            header.TemporalPositionIdentifier = point
            header.NumberOfTemporalPositions = len(times)
            header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = f"1.2.{point}.{number}"
            header.SeriesInstanceUID = "1.2.3"
            if time:
                header.AcquisitionTime = time
            for keyword, value in elements.items():
                setattr(header, keyword, value)
            header.save_as(path)
    return iso.read(iso.together(list(iso.scan(folder)), "time"))


def test_even_times_are_the_step(tmp_path: Path) -> None:
    assert _read(tmp_path, ["120000.0", "120002.5", "120005.0"]).time_step_s == pytest.approx(2.5)


def test_a_repetition_time_that_agrees_is_taken_as_it_stands(tmp_path: Path) -> None:
    volume = _read(tmp_path, ["120000.01", "120002.5", "120005.0"], RepetitionTime=2500, ScanningSequence="EP")
    assert volume.time_step_s == 2.5


def test_without_times_echo_planar_images_go_by_their_repetition_time(tmp_path: Path) -> None:
    assert _read(tmp_path / "a", ["", ""], RepetitionTime=800, ScanningSequence=["EP", "GR"]).time_step_s == 0.8
    assert _read(tmp_path / "b", ["", ""], RepetitionTime=800, ScanningSequence="GR").time_step_s is None


def test_uneven_times_have_no_step(tmp_path: Path) -> None:
    assert (
        _read(tmp_path, ["120000", "120002", "120009"], RepetitionTime=2000, ScanningSequence="EP").time_step_s is None
    )


def test_midnight_between_two_volumes_is_no_step_back(tmp_path: Path) -> None:
    assert _read(tmp_path, ["235959", "000001", "000003"]).time_step_s == pytest.approx(2.0)


def test_a_volume_of_one_time_has_no_step(tmp_path: Path) -> None:
    write_series(np.zeros(GRID.shape), GRID, tmp_path)
    assert iso.read(iso.scan(tmp_path)[0]).time_step_s is None
