"""Body, airways, bone and tissue on the phantom."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.ops.anatomy import segment
from isocenter.testing.phantom import ChestOptions, chest_grid, chest_phantom
from isocenter.volume import Volume


@pytest.fixture(scope="module")
def phantom():
    return chest_phantom(chest_grid((100, 180, 180), (3.0, 2.0, 2.0)), options=ChestOptions(noise_hu=10))


def test_the_body_is_everything_inside_the_skin_without_the_table(phantom):
    found = segment(phantom.volume, "body")
    assert found.volume_ml("body") == pytest.approx(sum(phantom.volumes_ml.values()), rel=0.01)
    truth = phantom.truth.array > 0
    assert np.count_nonzero(found.mask("body") & ~truth) < 0.01 * np.count_nonzero(truth)


def test_airways_are_followed_into_the_lungs(phantom):
    assert 30 < segment(phantom.volume, "airways").volume_ml("airways") < 60


def test_bone_holds_its_marrow_but_not_the_spinal_canal(phantom):
    mask, truth = segment(phantom.volume, "bone").mask("bone"), phantom.truth.mask("bone")
    assert np.count_nonzero(mask & truth) > 0.9 * np.count_nonzero(truth)
    k, r, c = np.rint(phantom.volume.grid.to_index((0, 92, 13))).astype(int)
    assert not mask[k, r, c]


def test_fat_and_soft_tissue_have_their_volumes(phantom):
    found = segment(phantom.volume, "tissue")
    assert found.volume_ml("fat") == pytest.approx(phantom.volumes_ml["fat"], rel=0.05)
    assert found.volume_ml("soft_tissue") == pytest.approx(phantom.volumes_ml["soft_tissue"], rel=0.08)


def test_a_body_cut_by_the_image_is_said_to_be(phantom):
    box = (slice(None), slice(None), slice(50, 130))
    part = Volume(phantom.volume.array[box], phantom.volume.grid.crop((0, 0, 50), (100, 180, 130)), phantom.volume.unit)
    assert "BODY_CUT" in {reason.code for reason in segment(part, "body").reasons}


def test_what_is_not_there_is_empty_and_said_to_be(phantom):
    water = phantom.volume.with_array(np.where(phantom.volume.array > -500, 0, -1000).astype(np.int16))
    found = segment(water, "bone")
    assert not found.array.any()
    assert "SEGMENT_EMPTY" in {reason.code for reason in found.reasons}


def test_muscle_lies_in_the_wall_and_not_among_the_organs(phantom):
    found = segment(phantom.volume, "muscle")
    grid = phantom.volume.grid
    for place, name in (
        ((40, 118, 0), "outer_fat"),
        ((-145, 5, 0), "muscle"),
        ((40, 108, 0), "muscle"),
        ((26, -78, -50), "inner_fat"),
    ):
        k, r, c = np.rint(grid.to_index(place)).astype(int)
        assert found.mask(name)[k, r, c], (place, name)
    for place in ((26, -32, -48), (-62, 2, -130)):
        k, r, c = np.rint(grid.to_index(place)).astype(int)
        assert found.array[k, r, c] == 0, place


def test_without_lungs_no_muscle_is_looked_for_and_that_is_said(phantom):
    solid = phantom.volume.with_array(np.where(phantom.truth.array > 0, 40, -1000).astype(np.int16))
    found = segment(solid, "muscle")
    assert not found.array.any()
    assert {"SEGMENT_LIMITED", "SEGMENT_EMPTY"} <= {reason.code for reason in found.reasons}
