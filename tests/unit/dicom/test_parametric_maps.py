"""Parametric maps: values by their real-world value map, of integers, floats and doubles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import DataElement, Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from isocenter.codes import Code
from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.errors import Refused
from isocenter.testing.dicom import uid_of

CELLS = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
PIXELS = {"u2": ("PixelData", "OW"), "f4": ("FloatPixelData", "OF"), "f8": ("DoubleFloatPixelData", "OD")}


def items(**values):
    """A sequence of one item with these attributes."""
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return [item]


def value_map(*, unit="mm2/s", ends=(0, 4095), **values):
    item = Dataset()
    item.MeasurementUnitsCodeSequence = items(CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning=unit)
    for keyword, value in zip(("First", "Last"), ends, strict=True):
        item.add(DataElement(f"RealWorldValue{keyword}ValueMapped", "US", value))
    for keyword, value in values.items():
        setattr(item, f"RealWorldValue{keyword}", value)
    return item


def written(folder: Path, cells, maps, *, line=None, **attributes):
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.30", uid_of("map")
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid_of("study"), uid_of("series")
    ds.FrameOfReferenceUID, ds.Modality, ds.PatientID = uid_of("frame"), "MR", "phantom"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.NumberOfFrames, ds.Rows, ds.Columns = cells.shape
    ds.BitsAllocated = 8 * cells.dtype.itemsize
    if cells.dtype.kind == "u":
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 15, 0
    shared = items(
        PixelMeasuresSequence=items(PixelSpacing=[1, 1], SliceThickness=2),
        PlaneOrientationSequence=items(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
    )
    shared[0].RealWorldValueMappingSequence = maps
    if line is not None:
        slope, intercept = line
        transform = items(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US")
        shared[0].PixelValueTransformationSequence = transform
    ds.SharedFunctionalGroupsSequence = shared
    ds.PerFrameFunctionalGroupsSequence = [
        items(PlanePositionSequence=items(ImagePositionPatient=[0, 0, -2 * k]))[0] for k in range(len(cells))
    ]
    keyword, vr = PIXELS[cells.dtype.str[1:]]
    ds.add(DataElement(keyword, vr, cells.tobytes()))
    for name, value in attributes.items():
        setattr(ds, name, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.save_as(folder / "map.dcm", enforce_file_format=True)
    (series,) = scan(folder)
    return series


def codes_of(volume):
    return [reason.code for reason in volume.reasons]


def test_integers_become_real_values_along_the_line_of_the_map(tmp_path: Path):
    volume = read(written(tmp_path, CELLS, [value_map(Slope=0.5, Intercept=-3.0)]))
    assert volume.unit == Code("mm2/s", "UCUM", "mm2/s")
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array, CELLS * 0.5 - 3)
    assert codes_of(volume) == []


def test_integers_become_real_values_by_the_table_of_the_map(tmp_path: Path):
    table = (np.arange(24) ** 2 / 7).tolist()
    volume = read(written(tmp_path, CELLS, [value_map(ends=(0, 23), LUTData=table)]))
    assert np.array_equal(volume.array, np.array(table)[CELLS].astype(np.float32))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_floats_are_mapped_too_and_their_padding_is_no_number(tmp_path: Path, dtype):
    cells = np.array(CELLS / 7, dtype)
    cells[0, 0, 0] = -1
    keyword = "FloatPixelPaddingValue" if dtype == "f4" else "DoubleFloatPixelPaddingValue"
    maps = [value_map(Slope=2.0, Intercept=1.0, ends=(0, 1))]  # ends that are integers tell nothing of floats
    volume = read(written(tmp_path, cells, maps, **{keyword: -1.0}))
    truth = (cells.astype(float) * 2 + 1).astype(dtype)
    truth[0, 0, 0] = np.nan
    assert volume.array.dtype == dtype
    assert np.array_equal(volume.array, truth, equal_nan=True)
    assert codes_of(volume) == ["PADDING_EMPTIED"]


def test_values_beyond_the_map_are_told(tmp_path: Path):
    volume = read(written(tmp_path, CELLS, [value_map(Slope=0.5, Intercept=0.0, ends=(2, 20))]))
    (reason,) = volume.reasons
    assert reason.code == "VALUES_UNMAPPED"
    assert reason.message.startswith("5 stored values in 2 of 2 frames")
    assert np.array_equal(volume.array, CELLS * 0.5)


def test_the_first_of_several_maps_is_taken_and_the_others_are_named(tmp_path: Path):
    maps = [value_map(Slope=0.5, Intercept=0.0), value_map(Slope=9.0, Intercept=1.0, unit="s")]
    volume = read(written(tmp_path, CELLS, maps))
    assert volume.unit.value == "mm2/s"
    (reason,) = volume.reasons
    assert reason.code == "REAL_WORLD_MAP"
    assert "(unit s)" in reason.message


def test_maps_for_parts_of_the_values_are_refused(tmp_path: Path):
    maps = [value_map(Slope=0.5, Intercept=0.0, ends=(0, 9)), value_map(Slope=9.0, Intercept=1.0, ends=(10, 99))]
    with pytest.raises(Refused, match="TABLE_INVALID"):
        read(written(tmp_path, CELLS, maps))


def test_a_map_of_values_without_a_map_has_no_unit(tmp_path: Path):
    volume = read(written(tmp_path, CELLS, [], Modality="OT"))
    assert np.array_equal(volume.array, CELLS)
    assert codes_of(volume) == ["UNIT_UNKNOWN"]


ENHANCED_MR = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.1", "line": (0.5, -3)}


def test_a_map_of_an_enhanced_image_that_says_what_its_rescale_says_tells_the_unit(tmp_path: Path):
    volume = read(written(tmp_path, CELLS, [value_map(Slope=0.5, Intercept=-3.0)], **ENHANCED_MR))
    assert np.array_equal(volume.array, CELLS * 0.5 - 3)
    assert volume.unit.value == "mm2/s"
    assert codes_of(volume) == []


def test_a_map_of_an_enhanced_image_that_says_something_else_is_named_and_not_applied(tmp_path: Path):
    volume = read(written(tmp_path, CELLS, [value_map(Slope=7.0, Intercept=0.0)], **ENHANCED_MR))
    assert np.array_equal(volume.array, CELLS * 0.5 - 3)
    assert volume.unit.value == "1"
    (reason,) = volume.reasons
    assert reason.code == "REAL_WORLD_MAP"
    assert "mm2/s" in reason.message
