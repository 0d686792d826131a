"""Augmentation of volumes, and by transforms of other libraries."""

from __future__ import annotations

import json

import numpy as np
import pytest

import isocenter as iso
from isocenter import augment, codes
from isocenter.augment import Affine, Augmentation, Drawn, Flip, Gamma, Noise, RicianNoise, Scale, Window, augmented
from isocenter.errors import InputError, Refused, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.volume import Source, Volume

SHAPE = (8, 24, 20)
GRID = Grid.from_vectors(SHAPE, spacing_mm=(3, 1, 1), origin_mm=(-5, 7, 9))
MOVE = Affine(rotation_degrees=0.0, scale=1.0, translation_mm=(0.0, 4.0, 0.0))


def image(**changes) -> Volume:
    array = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.int16)
    facts = {"modality": "CT", "unit": codes.HU, "sources": tuple(Source(f"1.{k}") for k in range(SHAPE[0]))}
    return Volume(array, GRID, **{**facts, **changes})


def found(*names: str, layers: int = 1) -> Segmentation:
    labels = np.zeros((layers, *SHAPE), np.uint8)
    labels[:, 2:5, 18:22, 4:9] = 1
    segments = [Segment.named(name, layer=n % layers) for n, name in enumerate(names)]
    return Segmentation(tuple(labels), GRID, tuple(segments), Algorithm("test", "1"))


def test_an_image_its_segments_and_points_move_together():
    point = GRID.to_world([[3.0, 10.0, 5.0]])
    out = augmented(image(), Drawn((MOVE,)), found("lesion"), points_mm=point)
    assert np.array_equal(out.volume.array[:, 4:], image().array[:, :-4])
    assert np.array_equal(out.segmentation.array[:, 4:], found("lesion").array[:, :-4])
    assert np.allclose(out.points_mm, GRID.to_world([[3.0, 14.0, 5.0]]))
    assert out.volume.sources == ()
    assert [one.code for one in out.volume.reasons] == ["AUGMENTED"]
    assert [one.code for one in out.segmentation.reasons] == ["AUGMENTED"]


def test_layers_that_overlap_move_alike():
    out = augmented(image(), Drawn((MOVE,)), found("one", "two", layers=2)).segmentation
    assert np.array_equal(out.mask("one"), out.mask("two"))


def test_a_segment_that_is_gone_is_said_to_be():
    far = Affine(rotation_degrees=0.0, scale=1.0, translation_mm=(0.0, 9.0, 0.0))
    lost = augmented(image(), Drawn((far,)), found("lesion")).segmentation
    assert "SEGMENT_VANISHED" in [one.code for one in lost.reasons]


def test_noise_alone_keeps_the_sources():
    assert augmented(image(), Drawn((Noise(size=3.0, seed=1),))).volume.sources == image().sources


def test_left_and_right_are_not_mirrored():
    flip = Drawn((Flip(axes=(2,), probability=1.0),))
    with pytest.raises(Refused) as refused:
        augmented(image(), flip, found("lung_left"))
    assert refused.value.reasons[0].code == "SIDES_MIRRORED"
    assert np.array_equal(augmented(image(), flip, found("liver")).volume.array, image().array[:, :, ::-1])


def test_steps_of_another_modality_are_told():
    out = augmented(image(), Drawn((Gamma(exponent=1.2), RicianNoise(size=1.0, seed=2))))
    assert [one.code for one in out.volume.reasons] == ["AUGMENTED", "AUGMENTATION_UNUSUAL"]
    mr = image(modality="MR", unit=codes.ONE)
    assert [one.code for one in augmented(mr, Drawn((Gamma(exponent=1.2),))).volume.reasons] == ["AUGMENTED"]


def test_sizes_are_in_hu_for_ct_and_in_deviations_else():
    flat = image().with_array(np.zeros(SHAPE, np.float32))
    shift = Drawn((augment.Shift(size=2.0),))
    assert np.allclose(augmented(flat, shift).volume.array, 2)
    mr = image(modality="MR", unit=codes.ONE)
    assert np.allclose(augmented(mr, shift).volume.array - mr.array, 2 * mr.array.std(), rtol=1e-3)


def test_colours_move_alike_and_lengths_are_in_pixels_where_no_size_is_known():
    array = np.random.default_rng(1).integers(0, 255, (1, 24, 20, 3)).astype(np.uint8)
    photo = Volume(array, Grid((1, 24, 20), np.eye(4), space=Space.PIXEL), axes=("color",), modality="XC")
    out = augmented(photo, Drawn((MOVE,))).volume
    assert np.array_equal(out.array[:, 4:], array[:, :-4])
    assert "pixels" in out.reasons[0].message


def test_what_is_wrong_with_an_image_is_said():
    with pytest.raises(UsageError):
        augmented(image().array, Drawn(()))
    with pytest.raises(UsageError):
        augmented(image().with_array(np.zeros(SHAPE, complex)), Drawn(()))
    with pytest.raises(InputError):
        augmented(image().with_array(np.full(SHAPE, np.nan)), Drawn(()))
    other = Segmentation((np.zeros((2, 2, 2), np.uint8),), GRID.with_shape((2, 2, 2)), (), Algorithm("t", "1"))
    with pytest.raises(UsageError):
        augmented(image(), Drawn(()), other)


def strangers():
    import torchio
    from monai.transforms import Compose, RandAffined, RandGaussianNoised

    both = ("image", "label")
    monai = Compose([
        RandAffined(both, prob=1.0, rotate_range=0.3, mode=("bilinear", "nearest"), padding_mode="border"),
        RandGaussianNoised("image", prob=1.0, std=5.0),
    ])  # fmt: skip
    return augment.torchio(torchio.Compose([torchio.RandomAffine(), torchio.RandomNoise()])), augment.monai(monai)


@pytest.mark.parametrize("which", [0, 1])
def test_transforms_of_other_libraries_are_replayed_by_their_seed(which):
    step = strangers()[which]
    chain = Augmentation((Noise(size=0.1), step))
    drawn = chain.sample(np.random.default_rng(4))
    array = np.random.default_rng(0).standard_normal((2, *SHAPE)).astype(np.float32)
    labels = (np.indices(SHAPE).sum(0) // 9).astype(np.uint8)
    first, other = drawn.apply(array, labels), drawn.apply(array, labels)
    again = Drawn.from_dict(json.loads(json.dumps(drawn.to_dict())), [step])
    third = again.apply(array, labels)
    for one in (other, third):
        assert np.array_equal(first.images, one.images)
        assert np.array_equal(first.labels, one.labels)
    assert first.labels.dtype == np.uint8
    assert (first.labels != labels).any()
    assert not np.array_equal(chain.sample(np.random.default_rng(5)).apply(array).images, first.images)
    with pytest.raises(UsageError):
        drawn.apply(array, points=[[1, 2, 3]])
    with pytest.raises(UsageError):
        Drawn.from_dict(drawn.to_dict())
    with pytest.raises(UsageError):
        Drawn.from_dict(drawn.to_dict(), [strangers()[1 - which]])


def test_a_transform_that_moves_nothing_keeps_axes_in_order():
    import torchio
    from monai.transforms import Flipd

    array = np.random.default_rng(0).standard_normal((1, *SHAPE)).astype(np.float32)
    for step in (augment.torchio(torchio.Flip(axes=(1,))), augment.monai(Flipd(("image",), spatial_axis=1))):
        out = Augmentation((step,)).sample(np.random.default_rng(0)).apply(array, scale=Scale((3, 1, 1)))
        assert np.array_equal(out.images, array[:, :, ::-1])


def test_a_transform_that_changes_the_shape_is_refused():
    import torchio

    step = augment.torchio(torchio.CropOrPad((4, 4, 4)))
    with pytest.raises(UsageError):
        Augmentation((step,)).sample(np.random.default_rng(0)).apply(np.zeros((1, *SHAPE)))
    with pytest.raises(UsageError):
        augment.monai(3)


def test_the_room_is_reached_from_the_root():
    assert iso.augment.preset is augment.preset


@pytest.mark.parametrize("points", [[[1, 2]], [[1, 2, 3, 4]] * 3, "abc", [1, 2, 3]])
def test_points_that_are_no_rows_of_three_are_told(points):
    with pytest.raises(UsageError, match="Points are"):
        Drawn((MOVE,)).apply(np.zeros((1, 6, 6, 6), np.float32), points=points)
    with pytest.raises(UsageError, match="Points are"):
        augmented(image(), Drawn((MOVE,)), points_mm=points)


def test_a_window_that_is_not_counted_in_voxels_is_told():
    with pytest.raises(UsageError, match="in voxels"):
        Drawn((MOVE,)).apply(np.zeros((1, 6, 6, 6), np.float32), window=Window((0, 0, 0), (4.5, 4, 4)))


def test_no_points_stay_none_at_all():
    assert Drawn((MOVE,)).apply(np.zeros((1, 6, 6, 6), np.float32), points=[]).points.shape == (0, 3)
