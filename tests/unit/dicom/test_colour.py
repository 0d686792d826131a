"""Colour spaces to red, green and blue: against pydicom and against the definitions of the standard."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.pixels import convert_color_space

from isocenter.dicom.values.colour import TRUE_COLOURS, from_halved, from_planes, to_rgb


def samples(dtype=np.uint8, shape=(64, 48)):
    return np.random.default_rng(3).integers(0, np.iinfo(dtype).max, (*shape, 3), endpoint=True).astype(dtype)


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422", "YBR_ICT"])
def test_full_range_is_what_pydicom_makes_of_it(photometric):
    ybr = samples()
    rgb = to_rgb(ybr, photometric, 8)
    theirs = convert_color_space(ybr, "YBR_FULL", "RGB")
    assert rgb.dtype == np.uint8
    assert np.abs(rgb.astype(int) - theirs).max() <= 1
    assert np.mean(rgb != theirs) < 1e-3  # at most where a value lies halfway


def test_rgb_is_left_as_it_is():
    rgb = samples(np.uint16)
    assert to_rgb(rgb, "RGB", 16) is rgb


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_partial_range_undoes_its_definition(bits):
    """PS3.3 C.7.6.3.1.2 states the way from RGB, for 8 bits."""
    forward = np.array([[0.2568, 0.5041, 0.0979], [-0.1482, -0.2910, 0.4392], [0.4392, -0.3678, -0.0714]])
    dtype, scale = (np.uint8 if bits == 8 else np.uint16), 2.0 ** (bits - 8)
    rgb = samples(dtype) >> (8 * dtype().itemsize - bits)
    ybr = np.rint(rgb @ forward.T + np.array([16, 128, 128]) * scale).astype(dtype)
    found = to_rgb(ybr, "YBR_PARTIAL_422", bits)
    assert found.dtype == dtype
    assert np.abs(found.astype(int) - rgb).max() <= 2 * max(1, scale / 4)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_full_range_undoes_its_definition_at_every_depth(bits):
    forward = np.array([[0.2990, 0.5870, 0.1140], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])
    dtype, middle = (np.uint8 if bits == 8 else np.uint16), 1 << (bits - 1)
    rgb = samples(dtype) >> (8 * dtype().itemsize - bits)
    ybr = np.clip(np.rint(rgb @ forward.T + np.array([0, middle, middle])), 0, 2 * middle - 1).astype(dtype)
    assert np.abs(to_rgb(ybr, "YBR_FULL", bits).astype(int) - rgb).max() <= 2 * max(1, 2.0 ** (bits - 12))


def test_grey_stays_grey_and_colours_beyond_the_range_are_clipped():
    grey = np.array([[[100, 128, 128], [255, 128, 128], [0, 128, 128]]], np.uint8)
    assert to_rgb(grey, "YBR_FULL", 8).tolist() == [[[100] * 3, [255] * 3, [0] * 3]]
    assert to_rgb(np.array([[[255, 0, 255], [0, 255, 0]]], np.uint8), "YBR_FULL", 8).tolist() == [
        [[255, 208, 28], [0, 48, 225]]
    ]
    black_and_white = np.array([[[16, 128, 128], [235, 128, 128]]], np.uint8)
    assert to_rgb(black_and_white, "YBR_PARTIAL_422", 8).tolist() == [[[0] * 3, [255] * 3]]


def test_planes_come_together():
    rgb = samples()
    assert np.array_equal(from_planes(np.moveaxis(rgb, -1, 0).ravel(), (64, 48)), rgb)


def test_halved_chrominance_holds_for_both_columns():
    cells = np.array([10, 11, 1, 2, 20, 21, 3, 4], np.uint8)
    assert from_halved(cells, (1, 4)).tolist() == [[[10, 1, 2], [11, 1, 2], [20, 3, 4], [21, 3, 4]]]


def test_every_space_of_three_samples_is_known():
    assert {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_ICT", "YBR_RCT"} <= TRUE_COLOURS
