"""Slices one by one: each as soon as it is decoded, and the volume when all are there."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from isocenter.dicom.reading.pixels import read
from isocenter.dicom.reading.slices import read_slices
from isocenter.dicom.scan import scan
from isocenter.errors import Refused, UsageError
from isocenter.geometry import Grid
from isocenter.testing.dicom import Style, write_series

GRID = Grid.from_vectors((40, 24, 20), spacing_mm=(3, 1, 1))


def ramp(points):
    return np.round(points @ (1.0, 3.0, 7.0))


def drained(series):
    """All slices, and the volume."""
    found, slices = [], read_slices(series)
    while True:
        try:
            found.append(next(slices))
        except StopIteration as end:
            return found, end.value


@pytest.mark.parametrize("syntax", ["explicit", "JPEG-LS"])
def test_the_slices_are_those_of_the_volume(tmp_path: Path, syntax):
    write_series(ramp, GRID, tmp_path, style=Style(syntax=syntax))
    (series,) = scan(tmp_path)
    found, volume = drained(series)
    assert sorted(one.place for one in found) == list(range(40))
    for one in found:
        np.testing.assert_array_equal(one.array, volume.array[one.place])
        assert not one.array.flags.writeable
    np.testing.assert_array_equal(volume.array, read(series).array)
    assert volume.reasons == read(series).reasons


def test_a_value_that_fits_no_short_integer_widens_the_later_slices(tmp_path: Path):
    rescale = [(1.0, -1024.0)] * 39 + [(60.0, 0.0)]
    values = np.full(GRID.shape, 600.0)
    values[39] = 60 * 600
    write_series(values, GRID, tmp_path, style=Style(modality="MR", rescale=rescale))
    (series,) = scan(tmp_path)
    found, volume = drained(series)
    assert sorted(one.place for one in found) == list(range(40))
    assert volume.array.dtype == np.float32
    for one in found:
        np.testing.assert_array_equal(one.array, volume.array[one.place])


def test_who_asks_for_no_more_ends_the_reading(tmp_path: Path):
    write_series(ramp, GRID, tmp_path)
    slices = read_slices(scan(tmp_path)[0])
    next(slices)
    slices.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "isocenter-slices"]


def test_a_damaged_slice_is_left_out_and_the_volume_refused(tmp_path: Path):
    paths = write_series(ramp, GRID, tmp_path, style=Style(syntax="JPEG-LS"))
    content = bytearray(paths[7].read_bytes())
    frame = content.index(b"\xff\xd8")
    content[frame + 40 : frame + 80] = b"\xff" * 40
    paths[7].write_bytes(content)
    places = []
    with pytest.raises(Refused):
        for one in read_slices(scan(tmp_path)[0]):
            places.append(one.place)  # noqa: PERF401 - what came before the refusal counts
    assert sorted(places) == [place for place in range(40) if place != 7]


def test_only_a_series_is_read(tmp_path: Path):
    with pytest.raises(UsageError):
        next(read_slices(tmp_path))
