"""Tables of the header: modality tables, palettes plain and segmented, real-world value maps."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import DataElement, Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut

from isocenter import codes
from isocenter.dicom.values.tables import Table, TableError, modality_table, of_frame, palette, real_world_maps


def header(*, is_signed=False, is_little=True):
    ds = Dataset()
    ds.PixelRepresentation = int(is_signed)
    ds.set_original_encoding(False, is_little, "iso8859")
    return ds


def with_modality_table(descriptor, data, *, vr="US", kind="OD", **options):
    ds, item = header(**options), Dataset()
    item.add(DataElement("LUTDescriptor", "SS" if descriptor[1] < 0 else "US", descriptor))
    item.add(DataElement("LUTData", vr, data))
    item.ModalityLUTType = kind
    ds.ModalityLUTSequence = [item]
    return ds


# --- modality tables -------------------------------------------------------------------------------------------------


def test_stored_values_become_entries_and_those_beyond_the_ends_become_the_ends():
    table = modality_table(with_modality_table([4, 10, 16], [100, 200, 400, 65535]))
    assert table.unit == "OD"
    values = np.array([0, 9, 10, 11, 12, 13, 14, 4000], np.uint16)
    assert table.of(values).tolist() == [100, 100, 100, 200, 400, 65535, 65535, 65535]
    theirs = apply_modality_lut(values, with_modality_table([4, 10, 16], [100, 200, 400, 65535]))
    assert np.array_equal(table.of(values), theirs)


@pytest.mark.parametrize("first", [-3, 65533])
def test_the_first_value_is_negative_where_the_pixels_are_signed_however_it_is_written(first):
    table = modality_table(with_modality_table([4, first, 16], [1, 2, 3, 4], is_signed=True))
    assert table.first == -3
    assert table.of(np.array([-400, -3, -1, 0, 9], np.int16)).tolist() == [1, 1, 3, 4, 4]


def test_a_high_first_value_of_unsigned_pixels_is_no_negative_one():
    table = modality_table(with_modality_table([2, 65533, 16], [1, 2]))
    assert table.first == 65533
    assert table.of(np.array([0, 65534], np.uint16)).tolist() == [1, 2]
    assert table.of(np.array([0, 255], np.uint8)).tolist() == [1, 1]


def test_no_entries_said_are_all_that_16_bits_can_count():
    data = np.arange(65536, dtype="<u2")[::-1]
    table = modality_table(with_modality_table([0, 0, 16], data.tobytes(), vr="OW"))
    assert len(table.entries) == 65536
    assert table.of(np.array([0, 65535], np.uint16)).tolist() == [65535, 0]


@pytest.mark.parametrize("is_little", [True, False])
def test_words_are_read_in_the_byte_order_of_the_file(is_little):
    data = np.array([1, 2, 300], "<u2" if is_little else ">u2").tobytes()
    table = modality_table(with_modality_table([3, 0, 16], data, vr="OW", is_little=is_little))
    assert table.entries.tolist() == [1, 2, 300]


@pytest.mark.parametrize("is_little", [True, False])
@pytest.mark.parametrize("count", [3, 4])
def test_entries_of_8_bits_may_fill_the_words(is_little, count):
    plain = bytes([1, 2, 250, 7][:count]) + bytes(count % 2)
    data = plain if is_little else np.frombuffer(plain, "<u2").astype(">u2").tobytes()
    table = modality_table(with_modality_table([count, 0, 8], data, vr="OW", is_little=is_little))
    assert table.entries.dtype == np.uint8
    assert table.entries.tolist() == [1, 2, 250, 7][:count]


def test_entries_of_8_bits_may_lie_in_words_of_their_own():
    data = np.array([1, 2, 250], "<u2").tobytes()
    assert modality_table(with_modality_table([3, 0, 8], data, vr="OW")).entries.tolist() == [1, 2, 250]
    packed = [0x0201, 0x07FA]
    assert modality_table(with_modality_table([4, 0, 8], packed)).entries.tolist() == [1, 2, 250, 7]


@pytest.mark.parametrize(
    ("descriptor", "data", "message"),
    [
        ([4, 0, 16], [1, 2], "2 entries where its descriptor says 4"),
        ([2, 0, 7], [1, 2], "7 bits"),
        ([2, 0], [1, 2], "not three numbers"),
    ],
)
def test_a_damaged_table_is_no_table(descriptor, data, message):
    with pytest.raises(TableError, match=message):
        modality_table(with_modality_table(descriptor, data))
    broken = with_modality_table([2, 0, 16], [1, 2])
    del broken.ModalityLUTSequence[0].LUTData
    with pytest.raises(TableError, match="no data"):
        modality_table(broken)


def test_a_header_without_a_table_has_none():
    assert modality_table(header()) is None


# --- palettes --------------------------------------------------------------------------------------------------------


def with_palette(descriptor, columns, *, segmented=False, **options):
    ds = header(**options)
    for k, data in enumerate(columns):
        ds.add(DataElement(0x00281101 + k, "SS" if descriptor[1] < 0 else "US", descriptor))
        ds.add(DataElement((0x00281221 if segmented else 0x00281201) + k, "OW", data))
    return ds


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (16, np.uint16)])
@pytest.mark.parametrize("first", [0, 20])
def test_a_palette_gives_the_colours_that_pydicom_gives(bits, dtype, first):
    columns = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (3, 200), endpoint=True).astype(dtype)
    ds = with_palette([200, first, bits], [column.tobytes() for column in columns])
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    rgb = palette(ds).of(values)
    assert rgb.dtype == dtype
    assert rgb.shape == (16, 16, 3)
    assert np.array_equal(rgb, apply_color_lut(values, ds))
    assert np.array_equal(rgb[0, 0], columns[:, 0])
    assert np.array_equal(rgb[-1, -1], columns[:, -1])


def test_a_segmented_palette_is_expanded_as_the_standard_says():
    """PS3.3 C.7.9.2: a discrete segment, lines up and down, and a repeated pair of segments."""
    words = [0, 1, 0, 1, 4, 80, 0, 2, 80, 90, 1, 2, 10, 2, 2, 12, 0]
    table = palette(with_palette([13, 0, 16], [np.array(words, "<u2").tobytes()] * 3, segmented=True))
    # The repeated segments start at byte 12, word 6: the discrete one of 80 and 90, then the line to 10.
    assert table.entries[:, 1].tolist() == [0, 20, 40, 60, 80, 80, 90, 50, 10, 80, 90, 50, 10]


def test_a_segmented_palette_without_repeats_is_what_pydicom_makes_of_it():
    words = np.array([0, 2, 5, 65535, 1, 100, 3, 0, 1, 9, 1, 153, 60000], "<u2")
    ds = with_palette([256, 0, 16], [words.tobytes()] * 3, segmented=True)
    values = np.arange(256, dtype=np.uint8)
    assert np.abs(palette(ds).of(values).astype(int) - apply_color_lut(values, ds)).max() <= 1


def test_a_segmented_palette_of_bytes_repeats_by_bytes():
    data = bytes([0, 1, 7, 1, 2, 9, 2, 2, 0, 0, 0, 0])
    assert palette(with_palette([6, 0, 8], [data] * 3, segmented=True)).entries[:, 0].tolist() == [7, 8, 9, 7, 8, 9]


@pytest.mark.parametrize(
    "words",
    [
        [1, 4, 80, 0, 1, 0],  # starts with a line
        [0, 1, 5, 7, 1, 1],  # unknown kind
        [0, 1, 5, 2, 1, 6, 0],  # repeats itself
        [0, 1, 5],  # too few entries
        [0, 1, 5, 2, 1, 60000, 60000],  # repeats what is not there
    ],
)
def test_a_damaged_segmented_palette_is_no_palette(words):
    with pytest.raises(TableError):
        palette(with_palette([250, 0, 16], [np.array(words, "<u2").tobytes()] * 3, segmented=True))


def test_a_segmented_palette_cannot_claim_memory():
    words = np.array([0, 1, 5] + [1, 65535, 9] * 5000, "<u2")
    table = palette(with_palette([0, 0, 16], [words.tobytes()] * 3, segmented=True))
    assert len(table.entries) == 65536


def test_palettes_that_contradict_each_other_are_refused():
    ds = with_palette([4, 0, 8], [bytes(4)] * 3)
    ds.GreenPaletteColorLookupTableDescriptor = [4, 9, 8]
    with pytest.raises(TableError, match="differ"):
        palette(ds)
    with pytest.raises(TableError, match="no palette"):
        palette(header())


# --- real-world value maps -------------------------------------------------------------------------------------------


def world_map(**values):
    item, unit = Dataset(), Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "um2/s", "UCUM", "square micrometer per second"
    item.MeasurementUnitsCodeSequence = [unit]
    for name, value in values.items():
        vr = "US" if name.endswith("ValueMapped") else None
        item.add(DataElement(name, vr, value)) if vr else setattr(item, name, value)
    return item


LINE = {"RealWorldValueSlope": 0.5, "RealWorldValueIntercept": -3.0, "LUTLabel": "ADC"}
ENDS = {"RealWorldValueFirstValueMapped": 2, "RealWorldValueLastValueMapped": 4}


def test_a_linear_map_has_its_line_limits_and_unit():
    ds = header()
    ds.RealWorldValueMappingSequence = [world_map(**LINE, **ENDS)]
    (found,) = real_world_maps(ds)
    assert (found.slope, found.intercept, found.limits, found.name) == (0.5, -3.0, (2.0, 4.0), "ADC")
    assert found.unit.value == "um2/s"
    assert found.table is None


def test_a_map_may_be_a_table_of_doubles():
    ds = header()
    ds.RealWorldValueMappingSequence = [world_map(**ENDS, RealWorldValueLUTData=[0.25, 1.5, -7.0])]
    (found,) = real_world_maps(ds)
    assert found.table.of(np.array([0, 2, 3, 4, 9], np.uint16)).tolist() == [0.25, 0.25, 1.5, -7.0, -7.0]


@pytest.mark.parametrize(
    "values",
    [
        {"RealWorldValueSlope": 1.0},
        {**LINE, "RealWorldValueSlope": 0.0},
        {**LINE, "RealWorldValueSlope": float("nan")},
        {**LINE, "RealWorldValueIntercept": 1e300},
        {"RealWorldValueLUTData": [1.0, 2.0]},
        {**ENDS, "RealWorldValueLUTData": [1.0, 2.0]},
        {**ENDS, "RealWorldValueLUTData": [1.0, 2.0, 1e300]},
    ],
)
def test_a_damaged_map_is_no_map(values):
    ds = header()
    ds.RealWorldValueMappingSequence = [world_map(**values)]
    with pytest.raises(TableError):
        real_world_maps(ds)


def test_a_map_without_unit_code_has_no_unit():
    ds, item = header(), world_map(**LINE)
    del item.MeasurementUnitsCodeSequence
    ds.RealWorldValueMappingSequence = [item]
    assert real_world_maps(ds)[0].unit == codes.ONE
    assert real_world_maps(header()) == ()


def test_the_map_of_a_frame_is_its_own_else_the_shared_one_else_that_of_the_header():
    ds, own, shared, keyword = header(), Dataset(), Dataset(), "RealWorldValueMappingSequence"
    assert of_frame(ds, 1, keyword) is None
    ds.RealWorldValueMappingSequence = [world_map(**LINE)]
    assert of_frame(ds, 1, keyword) is ds
    shared.RealWorldValueMappingSequence = [world_map(**LINE)]
    ds.SharedFunctionalGroupsSequence = [shared]
    assert of_frame(ds, 1, keyword) is shared
    own.RealWorldValueMappingSequence = [world_map(**LINE)]
    ds.PerFrameFunctionalGroupsSequence = [Dataset(), own]
    assert of_frame(ds, 1, keyword) is shared
    assert of_frame(ds, 2, keyword) is own


def test_a_table_of_signed_bytes_takes_values_that_its_type_cannot_hold():
    assert Table(-1000, np.arange(2000)).of(np.array([-128, 127], np.int8)).tolist() == [872, 1127]
