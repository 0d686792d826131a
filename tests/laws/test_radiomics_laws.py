"""Radiomics: features stay the same where nothing about the region has changed, and are never NaN."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.laws.strategies import examples, grids

from isocenter.codes import HU
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.ops.radiomics import FixedBinNumber, Processing, features
from isocenter.ops.resample import onto, to_orientation
from isocenter.volume import Volume

EVERY = Processing(dimensions=("2D", "2.5D", "3D"), bins=FixedBinNumber(6))


@st.composite
def lesions(draw):
    """An image of noise on any grid, and a ragged region in it."""
    grid = draw(grids())
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    mask = random.random(grid.shape) < draw(st.sampled_from([0.2, 0.6, 0.9, 1.0]))
    assume(mask.any())
    volume = Volume(random.integers(-200, 200, grid.shape).astype(np.int16), grid, HU)
    return volume, Segmentation.of(mask, volume, [Segment.named("lesion")], Algorithm("random", "1"))


def alike(one, other, but=()):
    for a, b in zip(one, other, strict=True):
        if a.name in but:
            continue
        if a.value is None or b.value is None:
            assert a.value == b.value, (a, b)
        else:
            assert a.value == pytest.approx(b.value, rel=1e-4, abs=1e-5), (a, b)


@given(scene=lesions())
@examples(0.5)
def test_each_feature_has_a_finite_value_or_a_cause(scene):
    for item in features(*scene, processing=EVERY):
        assert (item.value is None) == bool(item.absent)
        assert item.value is None or math.isfinite(item.value)


@given(scene=lesions(), axes=st.permutations(("LR", "PA", "SI")), ends=st.tuples(*[st.integers(0, 1)] * 3))
@examples(0.3)
def test_features_in_space_do_not_depend_on_the_order_of_axes(scene, axes, ends):
    orientation = "".join(pair[end] for pair, end in zip(axes, ends, strict=True))
    processing = Processing(bins=FixedBinNumber(6))
    turned = [to_orientation(image, orientation) for image in scene]
    # marching cubes may cut an ambiguous cube in another way when it is turned
    meshed = {"volume_mesh", "surface_area", "surface_to_volume", "compactness_1", "compactness_2", "sphericity"}
    meshed |= {"spherical_disproportion", "asphericity", "integrated_intensity"}
    meshed |= {f"{kind}_density_{body}" for kind in ("volume", "area") for body in ("aabb", "aee", "hull")}
    alike(features(*scene, processing=processing), features(*turned, processing=processing), but=meshed)


@given(scene=lesions(), margin=st.integers(1, 3))
@examples(0.3)
def test_features_do_not_depend_on_empty_image_around(scene, margin):
    volume, lesion = scene
    grid = volume.grid.pad((margin,) * 3, (margin,) * 3)
    padded = onto(volume, grid, outside=0), onto(lesion, grid)
    families = ("morphology", "statistics", "glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm")
    alike(
        features(volume, lesion, processing=EVERY, families=families),
        features(*padded, processing=EVERY, families=families),
    )


@given(scene=lesions(), gain=st.sampled_from([2, 8]), offset=st.integers(-500, 500))
@examples(0.3)
def test_textures_in_a_fixed_number_of_bins_do_not_depend_on_the_scale(scene, gain, offset):
    volume, lesion = scene
    scaled = volume.with_array(volume.array.astype(np.float64) * gain + offset)
    families = ("histogram", "glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm")
    alike(
        features(volume, lesion, processing=EVERY, families=families),
        features(scaled, lesion, processing=EVERY, families=families),
    )
