"""Stored values to real ones: bits, signs, types, lines and tables, padding; on arrays."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicom.frames.instance import PixelFormat
from isocenter.dicom.values.meaning import Meaning
from isocenter.dicom.values.realize import (
    DoesNotFitError,
    Outcome,
    StrayBitsError,
    holders,
    padding_mask,
    realize,
    unpack,
)
from isocenter.dicom.values.tables import Table

HU = Meaning(is_hu=True, nothing=-1024)
PLAIN = Meaning()


def form(allocated=16, stored=None, high=None, **options):
    stored = allocated if stored is None else stored
    options = {"is_signed": False, **options}
    return PixelFormat(
        rows=2,
        columns=3,
        samples=1,
        photometric="MONOCHROME2",
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=stored - 1 if high is None else high,
        frames=1,
        **options,
    )


def real(cells, meaning=PLAIN, kind=None, *, stored="integer"):
    """The real values, in the first type that holds them, and what was met."""
    cells = np.atleast_2d(cells)
    kind = kind or form(8 * cells.dtype.itemsize, is_signed=cells.dtype.kind == "i")
    for holder in holders([meaning], stored=stored):
        out = np.empty(cells.shape, holder.dtype)
        try:
            outcome = realize(cells.copy(), kind, meaning, out, holder)
        except DoesNotFitError:
            continue
        return out, outcome
    raise AssertionError("no type holds the values")


# --- bits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 16, 32])
@pytest.mark.parametrize("is_signed", [True, False])
@given(data=st.data())
def test_a_value_comes_out_of_any_bits_of_its_cell(size, is_signed, data):
    stored = data.draw(st.integers(2 if is_signed else 1, size), "bits stored")
    high = data.draw(st.integers(stored - 1, size - 1), "high bit")
    low = -(1 << (stored - 1)) if is_signed else 0
    values = data.draw(st.lists(st.integers(low, low + (1 << stored) - 1), min_size=6, max_size=6))
    others = data.draw(st.integers(0, (1 << size) - 1), "other bits")
    shift = high + 1 - stored
    mask = ((1 << stored) - 1) << shift
    cells = np.array([(value << shift) & mask | others & ~mask for value in values], f"u{size // 8}").reshape(2, 3)
    kind = form(size, stored, high, is_signed=is_signed, has_overlay=True)
    found, lowest, highest, _ = unpack(cells, kind, stray_bits="refuse")
    assert found.ravel().tolist() == values
    assert (lowest, highest) == (min(values), max(values))


def test_other_bits_are_refused_where_no_overlay_explains_them():
    cells = np.full((2, 3), 0x1FFF, np.uint16)
    with pytest.raises(StrayBitsError):
        unpack(cells.copy(), form(16, 12), stray_bits="refuse")
    assert unpack(cells.copy(), form(16, 12), stray_bits="drop")[2:] == (0xFFF, 6)
    assert unpack(cells.copy(), form(16, 12, has_overlay=True), stray_bits="refuse")[2] == 0xFFF
    low = np.full((2, 3), 0x0015, np.uint16)
    with pytest.raises(StrayBitsError):
        unpack(low, form(16, 12, 15), stray_bits="refuse")


# --- types -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "meaning", "dtype"),
    [
        (np.array([0, 255], np.uint8), PLAIN, np.int16),
        (np.array([-128, 127], np.int8), PLAIN, np.int16),
        (np.array([0, 32767], np.uint16), PLAIN, np.int16),
        (np.array([0, 32768], np.uint16), PLAIN, np.float32),
        (np.array([0, 65535], np.uint16), Meaning(1, -32768), np.int16),
        (np.array([-5, 30000], np.int32), PLAIN, np.int16),
        (np.array([-5, 1 << 24], np.int32), PLAIN, np.float32),
        (np.array([-5, (1 << 24) + 1], np.int32), PLAIN, np.int32),
        (np.array([-(2**31), 2**31 - 1], np.int32), PLAIN, np.int32),
        (np.array([0, 2**32 - 1], np.uint32), PLAIN, np.float64),
        (np.array([0, 2**32 - 1], np.uint32), Meaning(1, -(2**31)), np.int32),
        (np.array([0, 60000], np.uint16), Meaning(70000, 3), np.float64),
        (np.array([0, 100], np.uint16), Meaning(0.5, 0), np.float32),
        (np.array([0, 100], np.uint16), Meaning(1, 0.25), np.float32),
        (np.array([0, 2**32 - 1], np.uint32), Meaning(1e-6, 0), np.float32),
    ],
)
def test_whole_values_are_kept_exactly_in_the_smallest_type_and_others_are_floats(cells, meaning, dtype):
    found, outcome = real(cells, meaning)
    truth = cells.astype(np.float64) * meaning.slope + meaning.intercept
    assert found.dtype == dtype
    assert outcome == Outcome()
    assert np.array_equal(found.ravel(), truth if meaning.is_whole else truth.astype(np.float32))


def test_one_fractional_slice_makes_all_floats():
    assert [holder.dtype for holder in holders([PLAIN, Meaning(0.5)], stored="integer")] == [np.float32]
    assert len(holders([PLAIN, Meaning(2)], stored="integer")) == 4


@pytest.mark.parametrize(("stored", "dtype"), [("float", np.float32), ("double", np.float64)])
def test_floats_stay_what_they_are(stored, dtype):
    cells = np.array([[0.1, -1e30, np.nan, np.inf]], dtype)
    found, outcome = real(cells, PLAIN, stored=stored)
    assert found.dtype == dtype
    assert np.array_equal(found, cells, equal_nan=True)
    assert outcome == Outcome()
    scaled, _ = real(np.array([[0.5, 2.0]], dtype), Meaning(3.0, 1.0), stored=stored)
    assert scaled.tolist() == [[2.5, 7.0]]


def test_floats_beyond_all_floats_are_infinite():
    assert real(np.array([[3e38, -1.0]], np.float32), Meaning(10.0), stored="float")[0].tolist() == [[math.inf, -10]]


def test_floats_may_be_realized_where_they_lie():
    out = np.array([[1.5, 2.5]], np.float32)
    (holder,) = holders([PLAIN], stored="float")
    realize(out, form(32), PLAIN, out, holder)
    assert out.tolist() == [[1.5, 2.5]]


# --- tables ----------------------------------------------------------------------------------------------------------


def test_a_table_stands_in_place_of_slope_and_intercept():
    table = Table(10, np.array([5, 7, 40000], np.uint16), "OD")
    found, _ = real(np.array([0, 10, 11, 99], np.uint16), Meaning(table=table))
    assert found.dtype == np.float32  # 40000 is beyond int16
    assert found.tolist() == [[5, 5, 7, 40000]]
    low, _ = real(np.array([0, 10, 11, 11], np.uint16), Meaning(table=table))
    assert low.dtype == np.int16
    doubles, _ = real(np.array([0, 1], np.uint8), Meaning(table=Table(0, np.array([0.25, -3.0]))))
    assert doubles.dtype == np.float32
    assert doubles.tolist() == [[0.25, -3.0]]


def test_a_palette_gives_colours():
    table = Table(0, np.array([[1, 2, 3], [4, 5, 6]], np.uint8))
    out = np.empty((1, 2, 3), np.uint8)
    cells = np.array([[0b10000, 0b01111]], np.uint8)
    realize(cells, form(8, 1, 4), Meaning(table=table), out, holders([PLAIN], stored="integer")[0])
    assert out.tolist() == [[[4, 5, 6], [1, 2, 3]]]


# --- padding ---------------------------------------------------------------------------------------------------------


def test_padding_is_what_lies_in_its_range_and_is_joined_to_the_border():
    cells = np.full((5, 5), 7, np.int16)
    cells[0, :2], cells[1, 1], cells[3, 3], cells[4, 4] = 2, 3, 2, 1
    mask = padding_mask(cells, (2, 3))
    assert np.argwhere(mask).tolist() == [[0, 0], [0, 1], [1, 1]]
    assert padding_mask(cells, (100, 200)) is None


@pytest.mark.parametrize(
    ("meaning", "first", "outcome"),
    [
        (Meaning(2, 5, padding=(9, 9), nothing=0.0), 0, Outcome(emptied=1)),
        (Meaning(2, 5, padding=(9, 9)), 23, Outcome(padded=1)),
        (Meaning(2, -18, padding=(9, 9), nothing=0.0), 0, Outcome()),
        (Meaning(2, 5, padding=(9, 9), is_hu=True, nothing=-1024), -1024, Outcome(emptied=1)),
        (Meaning(2, -3000, padding=(9, 9), is_hu=True, nothing=-1024), -1024, Outcome(emptied=3)),
        (Meaning(2, 5, padding=(9, 9), nothing=math.nan), 23, Outcome(padded=1)),
        (Meaning(0.5, 5, padding=(9, 9), nothing=math.nan), math.nan, Outcome(emptied=1)),
    ],
)
def test_padding_becomes_nothing_measured_where_a_value_means_that(meaning, first, outcome):
    found, met = real(np.array([9, 0, 1], np.uint16), meaning)
    assert np.array_equal(found[0, 0], first, equal_nan=True)
    assert met == outcome


def test_padding_of_floats_is_no_number():
    found, met = real(
        np.array([[-1.0, 0.0, 2.5]], np.float32), Meaning(padding=(-1, -1), nothing=math.nan), stored="float"
    )
    assert np.array_equal(found, [[math.nan, 0, 2.5]], equal_nan=True)
    assert met == Outcome(emptied=1)


def test_values_beyond_a_real_world_map_are_counted():
    found, met = real(np.array([0, 5, 99], np.uint16), Meaning(0.5, 0, limits=(1, 50)))
    assert met == Outcome(unmapped=2)
    assert found.tolist() == [[0, 2.5, 49.5]]


def test_what_lies_below_air_is_air_in_hounsfield_units_alone():
    cells = np.array([-3000, -1024, 5], np.int16)
    assert real(cells, HU)[0].tolist() == [[-1024, -1024, 5]]
    assert real(cells)[0].tolist() == [[-3000, -1024, 5]]
