"""Images whose corners hold padding because the scanner's circle cuts the body."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.ops.anatomy import segment
from isocenter.ops.anatomy.circle import padding
from isocenter.testing.phantom import ChestOptions, chest_grid, chest_phantom

LUNGS = ("lung_right", "lung_left")
GRID = chest_grid((100, 180, 180), (3.0, 2.0, 2.0))


@pytest.fixture(scope="module", params=[0, 20], ids=["no noise", "noise"])
def phantom(request):
    return chest_phantom(GRID, options=ChestOptions(noise_hu=request.param))


def cut_by_circle(volume, radius_mm, off_mm=0.0):
    rows, columns = ((np.arange(n) - (n - 1) / 2) * 2.0 for n in volume.array.shape[1:])
    seen = np.hypot(rows[:, None], columns + off_mm) <= radius_mm
    return volume.with_array(np.where(seen, volume.array, np.int16(-1024))), seen


def codes_of(found):
    return {reason.code for reason in found.reasons}


@pytest.mark.parametrize(("radius_mm", "off_mm"), [(120.0, 0.0), (110.0, 12.0), (100.0, -10.0)])
def test_lungs_cut_by_the_circle_are_kept_as_far_as_seen_and_said_to_be_cut(phantom, radius_mm, off_mm):
    volume, seen = cut_by_circle(phantom.volume, radius_mm, off_mm)
    found = segment(volume, "lungs")
    assert "LUNG_CUT" in codes_of(found)
    assert "LUNG_LEAK" not in codes_of(found)
    assert not found.array[:, ~seen].any()
    for name in LUNGS:
        truth = np.count_nonzero(phantom.truth.mask(name) & seen)
        assert np.count_nonzero(found.mask(name)) == pytest.approx(truth, rel=0.03)


def test_a_body_cut_by_the_circle_is_said_to_be_and_its_whole_lungs_are_not(phantom):
    volume, _ = cut_by_circle(phantom.volume, 150.0)
    assert "BODY_CUT" in codes_of(segment(volume, "body"))
    assert "LUNG_CUT" not in codes_of(segment(volume, "lungs"))


def test_a_circle_that_only_the_table_meets_cuts_nothing(phantom):
    volume, _ = cut_by_circle(phantom.volume, 178.0)
    for name in ("lungs", "body"):
        assert not codes_of(segment(volume, name)) & {"BODY_CUT", "LUNG_CUT"}


def test_an_image_without_a_circle_has_none(phantom):
    assert not padding(phantom.volume.array).any()


def test_the_circle_is_found_to_a_voxel():
    noisy = chest_phantom(GRID).volume
    volume, seen = cut_by_circle(noisy, 150.0, 7.0)
    found = padding(volume.array)
    assert not (found & seen).any()
    assert np.count_nonzero(found) > 0.99 * np.count_nonzero(~seen)
