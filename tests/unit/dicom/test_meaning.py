"""What values of a read series mean: tables of each slice, units, padding of each modality, maps, SUV on request."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from pydicom import DataElement, Dataset

from isocenter import codes
from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.dicom.values import units
from isocenter.errors import Refused, UsageError
from isocenter.geometry import Grid
from isocenter.testing.dicom import Style, write_series

GRID = Grid.from_vectors((3, 4, 5))
VALUES = np.arange(60).reshape(GRID.shape)
DX = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1", "Modality": "DX"}


def written(folder: Path, values=VALUES, grid=GRID, **style):
    write_series(values, grid, folder, style=Style(**{"is_signed": False, "rescale": None, **style}))
    series = list(scan(folder))
    assert len(series) == (1 if "attributes" not in style or style["attributes"].get("Modality") != "DX" else 3)
    return series[0]


def codes_of(volume):
    return [reason.code for reason in volume.reasons]


def refusal(series, **options):
    with pytest.raises(Refused) as caught:
        read(series, **options)
    (reason,) = caught.value.reasons
    return reason


# --- modality tables -------------------------------------------------------------------------------------------------


def table_of(index, data_set, kind="US", entries=None):
    """A table of its own for each slice, from the value of its first pixel on."""
    item, first = Dataset(), 20 * index
    entries = [(index + 1) * 100 + k for k in range(10)] if entries is None else entries
    item.add(DataElement("LUTDescriptor", "US", [10, first, 16]))
    item.add(DataElement("LUTData", "US", entries))
    item.ModalityLUTType = kind
    data_set.ModalityLUTSequence = [item]


def test_each_slice_has_its_own_modality_table(tmp_path: Path):
    volume = read(written(tmp_path, modality="MR", edit=table_of))
    truth = np.minimum(VALUES % 20, 9) + 100 * (1 + np.arange(3))[:, None, None]
    assert volume.array.dtype == np.int16
    assert np.array_equal(volume.array, truth)


@pytest.mark.parametrize(("kind", "unit"), [("HU", codes.HU), ("MGML", units.unit_named("MGML"))])
def test_the_unit_of_a_table_is_its_type(tmp_path: Path, kind, unit):
    volume = read(written(tmp_path, edit=lambda k, ds: table_of(k, ds, kind)))
    assert volume.unit == unit
    assert volume.array.min() == 100


def test_a_damaged_table_is_refused_and_named(tmp_path: Path):
    series = written(tmp_path, modality="MR", edit=lambda k, ds: table_of(k, ds, entries=[1, 2] if k == 1 else None))
    reason = refusal(series)
    assert reason.code == "TABLE_INVALID"
    assert reason.instances == (series.instances[1].sop_instance_uid,)


def test_a_table_that_pydicom_cannot_decode_is_refused(tmp_path: Path):
    written(tmp_path, modality="MR", edit=table_of)
    for path in tmp_path.iterdir():  # three shorts become doubles, which they are too short for
        path.write_bytes(path.read_bytes().replace(b"\x28\x00\x02\x30US", b"\x28\x00\x02\x30FD"))
    (series,) = scan(tmp_path)
    assert refusal(series).code == "TABLE_INVALID"


# --- units -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "unit"),
    [
        ({"Units": "BQML"}, "Bq/ml"),
        ({"Units": "CNTS"}, "{counts}"),
        ({"Units": "PROPCPS"}, "{propcounts}/s"),
        ({"Units": "GML"}, "g/ml{SUVbw}"),
        ({"Units": "GML", "SUVType": "LBMJANMA"}, "g/ml{SUVlbm(Janma)}"),
        ({"Units": "CM2ML", "SUVType": "BSA"}, "cm2/ml{SUVbsa}"),
        ({"Units": "NONE"}, "1"),
        ({"Units": "GML", "SUVType": "ODD"}, "1"),
    ],
)
def test_the_unit_of_a_pet_is_that_of_its_header(tmp_path: Path, attributes, unit):
    volume = read(written(tmp_path, modality="PT", rescale=(2.0, 0.0), attributes=attributes, values=2 * VALUES))
    assert volume.unit.value == unit
    assert ("UNIT_UNKNOWN" in codes_of(volume)) is (unit == "1")


def test_a_pet_without_slope_has_no_unit(tmp_path: Path):
    volume = read(written(tmp_path, modality="PT"))
    assert volume.unit == codes.ONE
    assert codes_of(volume) == ["UNIT_UNKNOWN"]


def test_slices_of_different_units_are_held(tmp_path: Path):
    def mixed(index, data_set):
        data_set.Units = "CNTS" if index == 1 else "BQML"

    series = written(tmp_path, modality="PT", rescale=(1.0, 0.0), edit=mixed)
    assert not series.verdict.usable
    reason = refusal(series)
    assert (reason.code, reason.message) == ("UNITS_DIFFER", "The slices say 2 units (BQML, CNTS).")


def test_tables_of_different_units_are_refused(tmp_path: Path):
    series = written(tmp_path, edit=lambda k, ds: table_of(k, ds, "HU" if k else "MGML"))
    assert refusal(series).code == "UNITS_DIFFER"


def test_a_table_on_some_slices_alone_is_held(tmp_path: Path):
    series = written(tmp_path, modality="MR", edit=lambda k, ds: table_of(k, ds) if k else None)
    assert refusal(series).code == "RESCALE_UNKNOWN"


def test_an_mr_in_hertz_says_so_and_others_have_no_unit(tmp_path: Path):
    hertz = written(tmp_path / "hz", modality="MR", rescale=(1.0, -5.0), attributes={"RescaleType": "Hz"})
    assert read(hertz).unit.value == "Hz"
    assert read(written(tmp_path / "plain", modality="MR")).unit == codes.ONE


# --- padding ---------------------------------------------------------------------------------------------------------


def test_padding_of_a_radiograph_is_told_and_left(tmp_path: Path):
    values = VALUES + 100
    values[:, 0] = 7
    series = written(tmp_path, values, attributes={**DX, "PixelPaddingValue": 5, "PixelPaddingRangeLimit": 9})
    volume = read(series)
    assert np.array_equal(volume.array[0], values[0])
    (reason,) = (reason for reason in volume.reasons if reason.code == "PADDING_KEPT")
    assert reason.message.startswith("5 pixels in 1 of 1 slices")


@pytest.mark.parametrize("modality", ["MR", "PT"])
def test_a_range_of_padding_is_no_signal_where_it_is_joined_to_the_border(tmp_path: Path, modality):
    values = VALUES + 100
    values[:, 0], values[:, 1, 2], values[:, 2, 3] = 4, 6, 2  # stored 7, 9 and 5
    padding = {"PixelPaddingValue": 5, "PixelPaddingRangeLimit": 9}
    volume = read(written(tmp_path, values, modality=modality, rescale=(1.0, -3.0), attributes=padding))
    values[:, 0], values[:, 1, 2] = 0, 0
    values[:, 2, 3] = 2
    assert np.array_equal(volume.array, values)
    (reason,) = (reason for reason in volume.reasons if reason.code == "PADDING_EMPTIED")
    assert reason.message == "18 voxels in 3 of 3 slices were set to 0."


# --- real-world value maps -------------------------------------------------------------------------------------------


def real_world(_, data_set, *, unit="mm2/s"):
    code, item = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = unit, "UCUM", "a unit"
    item.MeasurementUnitsCodeSequence, item.LUTLabel = [code], "ADC"
    item.add(DataElement("RealWorldValueFirstValueMapped", "US", 0))
    item.add(DataElement("RealWorldValueLastValueMapped", "US", 4095))
    item.RealWorldValueSlope, item.RealWorldValueIntercept = 1e-6, 0.0
    data_set.RealWorldValueMappingSequence = [item]


def test_a_real_world_map_of_an_mr_is_named_and_not_applied(tmp_path: Path):
    volume = read(written(tmp_path, modality="MR", edit=real_world))
    assert np.array_equal(volume.array, VALUES)
    (reason,) = volume.reasons
    assert reason.code == "REAL_WORLD_MAP"
    assert "mm2/s" in reason.message


def test_a_real_world_map_that_says_what_the_rescale_says_is_not_named(tmp_path: Path):
    def same(index, data_set):
        real_world(index, data_set, unit="1")
        data_set.RealWorldValueMappingSequence[0].RealWorldValueSlope = 2.0

    volume = read(written(tmp_path, 2 * VALUES, modality="MR", rescale=(2.0, 0.0), edit=same))
    assert codes_of(volume) == []


# --- SUV -------------------------------------------------------------------------------------------------------------


def injected(_, data_set):
    item = Dataset()
    item.RadiopharmaceuticalStartTime, item.RadionuclideTotalDose = "020000", 2e8
    item.RadionuclideHalfLife = 6586.2
    data_set.RadiopharmaceuticalInformationSequence = [item]
    data_set.DecayCorrection, data_set.CorrectedImage = "START", ["ATTN", "DECY"]
    for name in ("Series", "Acquisition"):
        setattr(data_set, f"{name}Date", "20260102")
        setattr(data_set, f"{name}Time", "030000")
    data_set.PatientWeight = 80


def test_a_pet_is_read_as_suv_on_request(tmp_path: Path):
    slopes = [(2.0 + k, 0.0) for k in range(3)]
    real = VALUES * (2.0 + np.arange(3))[:, None, None]
    series = written(tmp_path, real, modality="PT", rescale=slopes, edit=injected)
    volume = read(series, values="suvbw")
    factor = 80_000 / (2e8 * 2 ** (-3600 / 6586.2))
    assert volume.unit == units.SUV_BW
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array, (VALUES * (np.array([2.0, 3, 4]) * factor)[:, None, None]).astype(np.float32))
    assert refusal(series, values="suvbsa").code == "SUV_UNKNOWN"
    with pytest.raises(UsageError, match="suvbw"):
        read(series, values="suv")


def test_a_pet_without_what_an_suv_needs_is_refused_as_suv_alone(tmp_path: Path):
    series = written(tmp_path, modality="PT", rescale=(1.0, 0.0))
    assert read(series).unit == units.BQ_PER_ML
    assert refusal(series, values="suvbw").code == "SUV_UNKNOWN"


def test_an_injection_of_the_day_before_is_a_guess(tmp_path: Path):
    def overnight(index, data_set):
        injected(index, data_set)
        data_set.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartTime = "234500"
        data_set.SeriesTime = data_set.AcquisitionTime = "004500"

    volume = read(written(tmp_path, modality="PT", rescale=(1.0, 0.0), edit=overnight), values="suvbw")
    assert codes_of(volume) == ["INJECTION_DAY_GUESSED"]
    assert np.allclose(volume.array, VALUES * 80_000 / (2e8 * 2 ** (-3600 / 6586.2)))


def test_a_pet_by_table_has_no_suv(tmp_path: Path):
    def both(index, data_set):
        injected(index, data_set)
        table_of(index, data_set)

    assert "table" in refusal(written(tmp_path, modality="PT", edit=both), values="suvbw").message


# --- memory ----------------------------------------------------------------------------------------------------------


def test_an_array_that_turned_out_too_narrow_is_gone_before_the_next_one_is_made(tmp_path: Path):
    grid = Grid.from_vectors((40, 128, 128))
    values = np.arange(40 * 128 * 128).reshape(grid.shape) % 60000
    series = written(tmp_path, values, grid, modality="MR")
    gc.collect()
    gc.disable()  # it would clear away what is kept alive by a cycle
    tracemalloc.start()
    try:
        volume = read(series)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array, values)
    assert peak < 1.4 * volume.array.nbytes
