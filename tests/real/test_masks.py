"""Masks on a real CT: an abdomen and the liver that TotalSegmentator drew in it."""

import numpy as np
import pytest

from isocenter import formats
from isocenter.ops import masks

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def abdomen(shared_data):
    return formats.load(shared_data / "totalsegmentator_example" / "example_ct_sm.nii.gz")


@pytest.fixture(scope="module")
def liver(shared_data):
    folder = shared_data / "totalsegmentator_example" / "example_seg_fast"
    found = formats.load_segmentation(folder / "liver.nii.gz")
    return masks.union(found, name="liver")


def test_the_body_is_above_otsus_threshold(abdomen):
    body = masks.filled_in_plane(masks.largest(masks.opened(masks.otsu(abdomen), 4)))
    assert -600 < dict(body.algorithm.settings)["level"] < -350
    assert 6_300 < body.volume_ml("otsu") < 6_800
    classes = masks.kmeans(abdomen, 4, inside=body)
    fat, tissue = dict(classes.algorithm.settings)["means"][2:]
    assert -110 < fat < -60
    assert 20 < tissue < 60


def test_the_liver_is_one_piece_and_its_volume_the_published_one(liver):
    piece, *others = masks.components(liver)
    assert piece.volume_ml + sum(other.volume_ml for other in others) == pytest.approx(1062.5, abs=0.1)
    assert sum(other.volume_ml for other in others) < 0.01 * piece.volume_ml
    x, _, _ = piece.centroid_mm
    assert x < liver.grid.center_mm[0]  # on the right


def test_a_watershed_over_the_gradient_finds_the_liver_between_markers(abdomen, liver):
    from scipy import ndimage

    edges = ndimage.gaussian_gradient_magnitude(abdomen.array.astype(np.float32), 0.7)
    sure = masks.eroded(liver, 10).mask("liver") + 2 * (masks.distance(liver).array > 10)
    markers = masks.of(sure, abdomen, name={"liver": 1, "rest": 2})
    found = masks.watershed(abdomen.with_array(edges), markers)
    assert masks.dice(found.only("liver"), liver)["liver"] > 0.9


def test_a_rough_liver_is_drawn_nearer_to_its_border(abdomen, liver):
    rough = masks.eroded(liver, 6)
    refined = masks.refined(abdomen, rough, reach_mm=8)
    assert masks.dice(rough, liver)["liver"] < 0.84
    assert masks.dice(refined, liver)["liver"] > 0.95
