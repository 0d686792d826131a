import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import UsageError
from isocenter.geometry import Grid
from isocenter.ops.intensity import PRESETS, LookupTable, Window, clipped, preset, to_grey, windowed
from isocenter.volume import Volume


def _by_the_standard(x, center, width, top):
    """PS3.3 C.11.2.1.2.1, word by word."""
    if x <= center - 0.5 - (width - 1) / 2:
        return 0.0
    if x > center - 0.5 + (width - 1) / 2:
        return top
    return ((x - (center - 0.5)) / (width - 1) + 0.5) * top


@pytest.mark.parametrize("window", [*PRESETS.values(), Window(0, 2), Window(10.5, 1), Window(2048, 4096)])
def test_the_window_is_that_of_the_standard(window):
    values = np.arange(-2000, 3000, dtype=np.int16)
    expected = np.array([_by_the_standard(float(x), window.center, window.width, 1.0) for x in values])
    np.testing.assert_allclose(window.unit_range(values), expected, atol=1e-6)
    assert np.abs(to_grey(values, window) - expected * 255).max() <= 0.501


def test_the_examples_of_the_standard_hold():
    # PS3.3 C.11.2.1.2.1: center 2048, width 4096 maps 0 to the minimum and 4095 to the maximum
    full = Window(2048, 4096)
    assert to_grey(np.array([0, 4095], np.int16), full).tolist() == [0, 255]
    # center 2048, width 1: below 2048 the minimum, from 2048 on the maximum
    assert to_grey(np.array([2047, 2048], np.int16), Window(2048, 1)).tolist() == [0, 255]


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.uint8, np.int32, np.float32, np.float64])
def test_every_type_of_values_gives_the_same_grey(dtype):
    values = np.arange(0, 200, dtype=dtype).reshape(2, 4, 25)
    expected = to_grey(np.arange(0, 200, dtype=np.float64).reshape(2, 4, 25), Window(90, 150))
    np.testing.assert_array_equal(to_grey(values, Window(90, 150)), expected)


def test_a_missing_value_is_black():
    assert to_grey(np.array([np.nan, 1e9]), preset("bone")).tolist() == [0, 255]


def test_the_values_handed_in_are_left_alone():
    values = np.arange(8, dtype=np.float32)
    to_grey(values, preset("lung"))
    assert values.tolist() == list(range(8))


def test_unknown_presets_and_impossible_windows_are_refused():
    with pytest.raises(UsageError, match="soft tissue"):
        preset("Lungs")
    for center, width in ((0, 0.5), (np.nan, 10), (0, np.nan)):
        with pytest.raises(UsageError, match="width"):
            Window(center, width)


def test_a_windowed_volume_has_no_unit_and_a_clipped_one_keeps_it():
    ct = Volume(np.array([[[-2000, 0, 4000]]], np.int16), Grid.from_vectors((1, 1, 3)), codes.HU)
    assert windowed(ct, preset("lung")).unit == codes.ONE
    limited = clipped(ct, -1024, 3071.5)
    assert limited.array.tolist() == [[[-1024, 0, 3071]]]
    assert (limited.unit, limited.array.dtype) == (codes.HU, np.int16)
    assert clipped(ct, -1e9, 1e9).array.tolist() == ct.array.tolist()


def test_limits_in_the_wrong_order_or_between_whole_numbers_are_refused():
    ct = Volume(np.zeros((1, 1, 1), np.int16), Grid.from_vectors((1, 1, 1)), codes.HU)
    with pytest.raises(UsageError, match="above"):
        clipped(ct, 1, 0)
    with pytest.raises(UsageError, match="whole number"):
        clipped(ct, 0.2, 0.8)


def test_a_window_of_ct_is_refused_for_other_units():
    mr = Volume(np.zeros((1, 1, 1), np.int16), Grid.from_vectors((1, 1, 1)))
    with pytest.raises(UsageError, match="for CT in HU"):
        windowed(mr, "lung")
    assert windowed(mr, Window(0, 10)).array.shape == (1, 1, 1)


def test_the_other_functions_are_those_of_the_standard():
    values = np.linspace(-50, 150, 401)
    exact = np.clip((values - 40.25) / 80.5 + 0.5, 0, 1)
    np.testing.assert_allclose(Window(40.25, 80.5, "LINEAR_EXACT").unit_range(values), exact, atol=1e-6)
    sigmoid = 1 / (1 + np.exp(-4 * (values - 40) / 80))
    np.testing.assert_allclose(Window(40, 80, "SIGMOID").unit_range(values), sigmoid, atol=1e-6)


def test_narrow_windows_are_for_the_exact_function():
    assert Window(0.5, 0.25, "LINEAR_EXACT").unit_range([0.0, 0.5, 1.0]).tolist() == [0, 0.5, 1]
    with pytest.raises(UsageError, match="above 0"):
        Window(0.5, 0, "SIGMOID")
    with pytest.raises(UsageError, match="SIGMOID"):
        Window(0.5, 1, "CUBIC")


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_extreme_and_missing_values_are_black_or_white(function):
    grey = Window(0, 10, function).unit_range([-np.inf, np.nan, np.inf])
    np.testing.assert_allclose(grey, [0, 0, 1], atol=1e-6)


def test_a_table_of_the_file_maps_value_by_value():
    table = LookupTable(-2, np.array([0, 10, 40, 255], np.uint16), 8)
    grey = table.unit_range(np.array([-9, -2, -1.2, 0.4, 1, 99, np.nan]))
    np.testing.assert_allclose(grey * 255, [0, 0, 10, 40, 255, 255, 0], atol=1e-4)
    volume = Volume(np.array([[[-9, -1, 99]]], np.int16), Grid.from_vectors((1, 1, 3)))
    np.testing.assert_allclose(windowed(volume, table).array.ravel() * 255, [0, 10, 255], atol=1e-4)
