"""Odd series as they come from real archives: right voxels, or a reason that says what may be wrong."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from isocenter.dicom.file.moments import over_midnight
from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.dicom.sorting.grouping import together
from isocenter.errors import Refused, UsageError
from isocenter.geometry import Grid
from isocenter.testing.dicom import Style, uid_of, write_series
from isocenter.testing.tiled import write_nm

GRID = Grid.from_vectors((6, 4, 3), spacing_mm=(2, 0.5, 0.75), origin_mm=(1, 2, 50))
MR = Style(modality="MR", rescale=None)


def write(folder, name, value, *, style=MR, grid=GRID, start=1, attributes=None):
    """A volume of one value in a DICOM series that may hold others."""

    def edit(index: int, ds: Dataset) -> None:
        ds.SOPInstanceUID = uid_of(name, index)
        style.edit(index, ds)

    numbers = range(start, start + grid.shape[0])
    own = replace(style, edit=edit, attributes=attributes or {}, instance_numbers=numbers)
    return write_series(np.full(grid.shape, value), grid, folder / name, style=own)


def between(grid=GRID):
    """The grid half a slice further."""
    affine = grid.affine.copy()
    affine[:3, 3] += affine[:3, 0] / 2
    return Grid(grid.shape, affine)


def codes(series):
    return [reason.code for reason in series.reasons]


def test_times_behind_midnight_are_later(tmp_path: Path):
    for number, time in enumerate(("235930", "235950", "000010")):
        write(tmp_path, f"t{number}", number, start=1 + 6 * number, attributes={"AcquisitionTime": time})
    found = scan(tmp_path)
    assert [series.part for series in found] == ["time 1 of 3", "time 2 of 3", "time 3 of 3"]
    assert [int(read(series).array[0, 0, 0]) for series in found] == [0, 1, 2]


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ([86000.0, 10.0, None], [86000.0, 86410.0, None]),
        ([30000.0, 60000.0], [30000.0, 60000.0]),
        ([100.0, 86500.0], [100.0, 86500.0]),
        ([], []),
    ],
)
def test_only_times_of_the_day_far_apart_run_over_midnight(times, told):
    assert list(over_midnight(times)) == told


def test_times_that_divide_the_slices_otherwise_are_an_ambiguity(tmp_path: Path):
    for number in range(2):

        def edit(index: int, ds: Dataset, number: int = number) -> None:
            ds.AcquisitionTime = ("101010", "101020")[(index < 3) ^ number]
            ds.ContentTime = ("101110", "101120")[number]

        write(tmp_path, f"t{number}", number, style=replace(MR, edit=edit))
    (series,) = scan(tmp_path)
    assert codes(series) == ["DUPLICATE_POSITION"]


@pytest.mark.parametrize("attributes", [{}, {"AcquisitionTime": "111213"}])
def test_slices_that_are_numbered_as_two_stacks_are_doubted(tmp_path: Path, attributes):
    write(tmp_path, "a", 1)
    write(tmp_path, "b", 2, grid=between(), start=7, attributes=attributes)
    (series,) = scan(tmp_path)
    assert codes(series) == ["SLICES_INTERLEAVED"]
    assert series.verdict.usable


def test_acquisitions_between_each_other_are_doubted(tmp_path: Path):
    for number, grid in enumerate((GRID, between())):
        write(tmp_path, f"a{number}", 1, grid=grid, attributes={"AcquisitionNumber": number})
    (series,) = scan(tmp_path)
    assert "SLICES_INTERLEAVED" in codes(series) or not series.verdict.usable


@pytest.mark.parametrize(
    ("keyword", "values"), [("KVP", ("80", "140")), ("FlipAngle", ("5", "30")), ("RepetitionTime", ("500", "3000"))]
)
def test_volumes_of_other_settings_between_each_other_are_not_woven_into_one(tmp_path: Path, keyword, values):
    write(tmp_path, "a", 1, attributes={keyword: values[0]})
    write(tmp_path, "b", 2, grid=between(), start=7, attributes={keyword: values[1]})
    found = scan(tmp_path)
    assert [len(series) for series in found] == [6, 6]
    assert [set(read(series).array.ravel().tolist()) for series in found] == [{1}, {2}]


def test_slices_numbered_from_nought_have_no_place(tmp_path: Path):
    def edit(ds: Dataset) -> None:
        ds.SliceVector = list(range(6))

    write_nm(lambda points: points[..., 0] * 0 + 5, GRID, tmp_path / "nm.dcm", edit=edit)
    (series,) = scan(tmp_path)
    assert "FRAMES_CONTRADICT" in codes(series)


def beyond(index: int, ds: Dataset) -> None:
    """Values of 13 bits, in the first slice alone, in cells that are said to hold 12."""
    ds.BitsStored, ds.HighBit = 12, 11
    ds.PixelData = np.full((4, 3), 5000 if index == 0 else 4000, "<u2").tobytes()


def test_bits_beyond_the_stored_ones_are_told(tmp_path: Path):
    write(tmp_path, "a", 1, style=replace(MR, is_signed=False, edit=beyond))
    volume = read(scan(tmp_path)[0])
    assert set(volume.array.ravel().tolist()) == {4000, 5000 - 4096}
    (reason,) = volume.reasons
    assert reason.code == "BITS_DROPPED"
    assert reason.message == "12 pixels in 1 of 6 frames hold more than their stored bits."


def test_a_missing_sign_is_no_stray_bit(tmp_path: Path):
    def edit(_: int, ds: Dataset) -> None:
        ds.BitsStored, ds.HighBit = 12, 11
        ds.PixelData = np.array([[-1, 0x0FFF, 5]] * 4, "<i2").tobytes()

    write(tmp_path, "a", 1, style=replace(MR, edit=edit))
    volume = read(scan(tmp_path)[0])
    assert set(volume.array.ravel().tolist()) == {-1, 5}
    assert not volume.reasons


def test_measured_quantities_of_more_than_their_stored_bits_are_refused(tmp_path: Path):
    pet = Style(modality="PT", is_signed=False, rescale=(1.0, 0.0), edit=beyond)
    write(tmp_path, "a", 1, style=pet)
    with pytest.raises(Refused, match="BITS_BEYOND_STORED"):
        read(scan(tmp_path)[0])


def test_a_part_without_rescale_is_held_beside_one_that_has_it(tmp_path: Path):
    write(tmp_path, "a", 40, style=Style(), attributes={"SeriesInstanceUID": "1.2.3"})
    write(tmp_path, "b", 40, style=Style(rescale=None), attributes={"SeriesInstanceUID": "1.2.4"})
    series = together(scan(tmp_path), "time")
    assert codes(series) == ["RESCALE_UNKNOWN"]


def test_volumes_of_two_patients_are_not_put_together(tmp_path: Path):
    for number in range(2):
        write(tmp_path, str(number), 1, attributes={"SeriesInstanceUID": f"1.{number}", "PatientID": str(number)})
    with pytest.raises(UsageError, match="one patient"):
        together(scan(tmp_path), "time")


def test_one_fault_of_many_slices_is_told_once(tmp_path: Path):
    for path in write(tmp_path, "a", 1, style=replace(MR, syntax="RLE")):
        data = path.read_bytes()
        path.write_bytes(data.replace(struct.pack("<II", 2, 64), struct.pack("<II", 3, 64)))
    with pytest.raises(Refused) as caught:
        read(scan(tmp_path)[0])
    (reason,) = caught.value.reasons
    assert reason.code == "PIXELS_UNDECODABLE"
    assert reason.message.endswith("(Instance Number 1, 2, 3, 4, 5, ...).")
    assert len(reason.instances) == 6


@pytest.mark.parametrize(("stated", "told"), [(6, []), (8, ["SLICES_FEWER"])])
def test_slices_that_are_missing_at_an_end_are_told_where_the_header_counts_them(tmp_path: Path, stated, told):
    pet = Style(modality="PT", rescale=(1.0, 0.0))
    write(tmp_path, "a", 1, style=pet, attributes={"NumberOfSlices": stated})
    (series,) = scan(tmp_path)
    assert codes(series) == told
    assert series.verdict.usable


def test_a_time_point_that_was_cut_is_held_and_the_others_are_not(tmp_path: Path):
    for number in range(3):
        time = {"AcquisitionTime": f"10{number:02d}00"}
        paths = write(tmp_path, f"t{number}", number, start=1 + 6 * number, attributes=time)
    for path in paths[4:]:
        path.unlink()
    found = scan(tmp_path)
    assert [series.verdict.usable for series in found] == [True, True, False]
    assert "PART_INCOMPLETE" in codes(found[2])


def test_an_acquisition_that_was_cut_is_told(tmp_path: Path):
    for number in range(2):
        paths = write(tmp_path, f"t{number}", number, attributes={"AcquisitionNumber": number + 1})
    for path in paths[4:]:
        path.unlink()
    assert [codes(series) for series in scan(tmp_path)] == [["SPLIT"], ["SPLIT", "SLICES_FEWER"]]


def test_slices_sent_again_later_stay_an_ambiguity(tmp_path: Path):
    write(tmp_path, "a", 1, attributes={"ContentTime": "101010"})
    for path in write(tmp_path, "b", 2, attributes={"ContentTime": "111010"})[2:]:
        path.unlink()
    (series,) = scan(tmp_path)
    assert codes(series) == ["DUPLICATE_POSITION"]


@pytest.mark.parametrize(
    ("keyword", "values", "labels"),
    [
        ("SequenceName", ("fl3d1_v150fhp", "fl3d1_v150rlp"), ["sequence fl3d1_v150fhp", "sequence fl3d1_v150rlp"]),
        ("CorrectedImage", (["ATTN", "DECY"], ["DECY"]), ["corrected for ATTN\\DECY", "corrected for DECY"]),
    ],
)
def test_encodings_and_corrections_name_the_volumes(tmp_path: Path, keyword, values, labels):
    for number, value in enumerate(values):
        write(tmp_path, f"v{number}", number, attributes={keyword: value})
    found = scan(tmp_path)
    assert [series.part for series in found] == labels
    assert [int(read(series).array[0, 0, 0]) for series in found] == [0, 1]
