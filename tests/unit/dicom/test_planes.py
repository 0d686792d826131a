"""Planes: pictures each by itself, in millimetres where the header tells them, never with a place made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.geometry import Grid, Space
from isocenter.reasons import Verdict
from isocenter.testing.dicom import Style, uid_of, write_series

GRID = Grid.from_vectors((3, 4, 5))
CLASSES = {
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "XA": "1.2.840.10008.5.1.4.1.1.12.1",
    "RF": "1.2.840.10008.5.1.4.1.1.12.2",
    "OT": "1.2.840.10008.5.1.4.1.1.7",
    "XC": "1.2.840.10008.5.1.4.1.1.77.1.4",
    "OP": "1.2.840.10008.5.1.4.1.1.77.1.5.1",
}
NOWHERE = dict.fromkeys(
    ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "FrameOfReferenceUID")
)


def write(folder, modality, *, edit=None, count=3, **attributes):
    style = Style(
        modality="MR",
        rescale=None,
        is_signed=False,
        attributes={**NOWHERE, "SOPClassUID": CLASSES[modality], "Modality": modality, **attributes},
        edit=edit or (lambda index, data_set: None),
    )
    grid = GRID.crop((0, 0, 0), (count, 4, 5))
    values = np.arange(count * 20).reshape(grid.shape)
    write_series(values, grid, folder, style=style)
    return scan(folder)


def codes(series):
    return [reason.code for reason in series.reasons]


@pytest.mark.parametrize("modality", CLASSES)
def test_each_picture_is_a_series_of_its_own(tmp_path: Path, modality):
    found = write(tmp_path, modality)
    assert [series.part for series in found] == ["image 1 of 3", "image 2 of 3", "image 3 of 3"]
    for index, series in enumerate(found):
        assert series.verdict is Verdict.OK
        volume = read(series)
        assert volume.modality == modality
        assert np.array_equal(volume.array[0], 20 * index + np.arange(20).reshape(4, 5))
        assert [source.sop_instance_uid for source in volume.sources] == [uid_of("isocenter", "instance", index)]


def test_without_a_pixel_size_the_grid_is_in_pixels(tmp_path: Path):
    (series,) = write(tmp_path, "XC", count=1)
    assert series.part == ""
    assert series.grid.space is Space.PIXEL
    assert series.grid.spacing_mm == (1, 1, 1)
    assert series.grid.frame_of_reference_uid is None
    assert codes(series) == ["PIXEL_SIZE_UNKNOWN"]


def test_columns_run_along_x_and_rows_along_y(tmp_path: Path):
    (series,) = write(tmp_path, "OT", count=1, PixelSpacing=[0.5, 0.25])
    assert series.grid.space is Space.PLANE
    assert np.allclose(series.grid.to_world((0, 3, 2)), (0.5, 1.5, 0))
    assert series.grid.is_right_handed
    assert codes(series) == []


SIZES = {
    "ImagerPixelSpacing": ({"ImagerPixelSpacing": [0.2, 0.1]}, (0.2, 0.1), ["PIXEL_SIZE_MAGNIFIED"]),
    "both, equal": (
        {"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.2, 0.1]},
        (0.2, 0.1),
        ["PIXEL_SIZE_MAGNIFIED"],
    ),
    "both, unlike": (
        {"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.15, 0.08]},
        (0.15, 0.08),
        ["PIXEL_SIZE_MAGNIFIED"],
    ),
    "calibrated": (
        {
            "ImagerPixelSpacing": [0.2, 0.1],
            "PixelSpacing": [0.15, 0.08],
            "PixelSpacingCalibrationType": "FIDUCIAL",
        },
        (0.15, 0.08),
        [],
    ),
    "film": ({"NominalScannedPixelSpacing": [0.3, 0.3]}, (0.3, 0.3), ["PIXEL_SIZE_MAGNIFIED"]),
    "absurd": ({"ImagerPixelSpacing": ["1e200", 0.1]}, (1, 1), ["PIXEL_SIZE_UNKNOWN"]),
    "nonsense": ({"ImagerPixelSpacing": [0, 0.1]}, (1, 1), ["PIXEL_SIZE_UNKNOWN"]),
}


@pytest.mark.parametrize("modality", ["CR", "DX", "MG", "XA", "RF"])
@pytest.mark.parametrize("name", SIZES)
def test_a_radiograph_says_where_its_pixels_are_as_large_as_that(tmp_path: Path, name, modality):
    attributes, spacing, expected = SIZES[name]
    (series,) = write(tmp_path, modality, count=1, **attributes)
    assert series.grid.spacing_mm[1:] == spacing
    assert codes(series) == expected
    assert (series.grid.space is Space.PIXEL) == ("PIXEL_SIZE_UNKNOWN" in expected)


def region(*, delta=0.05, units=3, form=1):
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType = form, 1
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = units
    item.PhysicalDeltaX, item.PhysicalDeltaY = delta, 2 * delta
    return item


REGIONS = {
    "one": ([region()], (1, 0.5), ["PIXEL_SIZE_OF_REGION"]),
    "two alike": ([region(), region()], (1, 0.5), ["PIXEL_SIZE_OF_REGION"]),
    "two unlike": ([region(), region(delta=0.03)], (1, 1), ["PIXEL_SIZE_UNKNOWN"]),
    "one in seconds": ([region(units=4)], (1, 1), ["PIXEL_SIZE_UNKNOWN"]),
    "one of a spectrum beside": ([region(), region(form=3)], (1, 1), ["PIXEL_SIZE_UNKNOWN"]),
    "without size": ([region(delta=0.0)], (1, 1), ["PIXEL_SIZE_UNKNOWN"]),
    "empty": ([Dataset()], (1, 1), ["PIXEL_SIZE_UNKNOWN"]),
}


@pytest.mark.parametrize("name", REGIONS)
def test_ultrasound_is_as_large_as_its_only_region_says(tmp_path: Path, name):
    regions, spacing, expected = REGIONS[name]
    (series,) = write(tmp_path, "US", count=1, SequenceOfUltrasoundRegions=regions)
    assert series.grid.spacing_mm[1:] == spacing
    assert codes(series) == expected


def test_pictures_beside_slices_do_not_enter_the_volume(tmp_path: Path):
    def capture(index, data_set):
        data_set.SOPInstanceUID, data_set.Modality = uid_of("capture", index), "MR"

    write(tmp_path / "captures", "OT", edit=capture)
    write_series(np.zeros(GRID.shape), GRID, tmp_path / "slices", style=Style(modality="MR", rescale=None))
    volume, *pictures = scan(tmp_path)
    assert (len(volume), codes(volume)) == (3, ["SPLIT"])
    assert [series.part for series in pictures] == ["image 1 of 3", "image 2 of 3", "image 3 of 3"]


def test_two_pictures_of_one_uid_are_held_and_the_others_are_not(tmp_path: Path):
    def same(index, data_set):
        data_set.SOPInstanceUID = uid_of("one") if index < 2 else uid_of("other")

    held = [series for series in write(tmp_path, "DX", edit=same) if series.verdict is Verdict.HELD]
    assert len(held) == 2
    assert all("INSTANCE_CONFLICT" in codes(series) for series in held)


def test_a_picture_of_two_patients_series_is_held(tmp_path: Path):
    def change(index, data_set):
        data_set.PatientID = "other" if index == 1 else "one"

    assert all(series.verdict is Verdict.HELD for series in write(tmp_path, "CR", edit=change))


def test_a_picture_without_pixels_is_refused(tmp_path: Path):
    def remove(index, data_set):
        del data_set.PixelData

    (series,) = write(tmp_path, "CR", count=1, edit=remove)
    assert series.verdict is Verdict.REJECTED
    assert "PIXELS_MISSING" in codes(series)


def test_a_picture_lacks_no_slice_for_a_damaged_file_beside_it(tmp_path: Path):
    write(tmp_path, "CR", count=1)
    (tmp_path / "other.dcm").write_bytes(b"nothing")
    (series,) = scan(tmp_path)
    assert codes(series) == ["PIXEL_SIZE_UNKNOWN"]
