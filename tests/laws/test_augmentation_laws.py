"""Augmentation: a drawing is a value; labels and points go where the image goes; arrays and torch agree."""

from __future__ import annotations

import json

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.laws.strategies import examples

from isocenter import augment
from isocenter.augment import Affine, Augmentation, Drawn, Elastic, Flip, Scale, on_torch
from isocenter.augment.drawing import Step
from isocenter.augment.space import pull

shapes = st.tuples(st.sampled_from([1, 2, 9, 14]), st.integers(2, 20), st.integers(2, 20))
spacings = st.tuples(*[st.sampled_from([0.5, 0.8, 1.0, 2.5, 5.0])] * 3)
seeds = st.integers(0, 2**32)
EVERY: list[Step] = [
    type(one)(**{**{k: v for k, v in vars(one).items() if k != "probability"}, "probability": 1.0})
    for kind in ("CT", "MR", "photograph")
    for one in augment.preset(kind, mirror_axes=(0, 2)).steps
]
STEPS = st.lists(st.sampled_from(EVERY), max_size=5).filter(lambda all_: sum(isinstance(s, Elastic) for s in all_) < 2)


def smooth(shape, seed):
    """Values that change little from voxel to voxel, so that a rounded place changes them little."""
    random = np.random.default_rng(seed)
    waves = [np.cos(random.uniform(0, 0.7) * np.arange(n) + random.uniform(0, 6)) for n in shape]
    return np.einsum("i,j,k->ijk", *waves)[None].astype(np.float32) + np.float32(0.3)


@given(STEPS, shapes, spacings, seeds)
def test_a_drawing_is_a_value_and_does_the_same_each_time(steps, shape, spacing, seed):
    image, labels = smooth(shape, seed), (np.indices(shape).sum(0) % 3).astype(np.uint8)
    drawn = Augmentation(tuple(steps)).sample(np.random.default_rng(seed))
    again = Drawn.from_dict(json.loads(json.dumps(drawn.to_dict())))
    assert again == drawn == Augmentation(tuple(steps)).sample(np.random.default_rng(seed))
    before = image.copy()
    out, other = (one.apply(image, labels, scale=Scale(spacing)) for one in (drawn, again))
    assert np.array_equal(out.images, other.images)
    assert np.array_equal(out.labels, other.labels)
    assert np.array_equal(image, before)
    assert np.isfinite(out.images).all()
    assert out.images.shape == image.shape
    assert set(np.unique(out.labels)) <= set(np.unique(labels))


@given(STEPS, shapes, spacings, seeds, st.sampled_from(["nearest", "smooth"]))
@examples(0.5)
def test_arrays_and_torch_agree(steps, shape, spacing, seed, labels_by):
    image, labels = smooth(shape, seed), (np.indices(shape).sum(0) // 5).astype(np.uint8)
    drawn = Augmentation(tuple(steps), labels_by).sample(np.random.default_rng(seed))
    ours = drawn.apply(image, labels, scale=Scale(spacing))
    theirs, their_labels = on_torch.apply(
        [drawn], torch.from_numpy(image)[None], torch.from_numpy(labels)[None], scale=Scale(spacing)
    )
    span = max(np.ptp(ours.images), np.ptp(image))
    assert np.abs(theirs[0].numpy() - ours.images).max() <= 1e-4 * span + 1e-6
    ties = np.mean(their_labels[0].numpy() != ours.labels)
    assert ties <= (0.05 if min(shape[1:]) < 5 else 0.01), "labels differ at ties alone"


@given(shapes, spacings, seeds)
def test_points_go_where_labels_go(shape, spacing, seed):
    steps = (Elastic(displacement_mm=(0, 2), control_mm=8), Affine(translation_mm=(-1, 1)), Flip(axes=(1, 2)))
    drawn = Augmentation(steps).sample(np.random.default_rng(seed))
    by = pull(drawn.steps, shape, spacing)
    voxels = np.indices(shape).reshape(3, -1).T[:: max(1, np.prod(shape) // 50)]
    lie = voxels @ by.matrix[:, :3].T + by.matrix[:, 3]
    if by.lattice is not None:
        lie += by.lattice.at(voxels.astype(float)) @ by.matrix[:, :3].T
    assert np.allclose(drawn.apply(smooth(shape, seed), points=lie, scale=Scale(spacing)).points, voxels, atol=1e-3)
    # the values of a ramp are places, so the image says where each voxel came from
    ramp = np.indices(shape).astype(np.float32)
    seen = drawn.apply(ramp, scale=Scale(spacing)).images[(slice(None), *voxels.T)].T
    assert np.allclose(seen, np.clip(lie, 0, np.asarray(shape) - 1), atol=2e-3)


@given(st.integers(2, 9), spacings, seeds)
def test_nothing_folds(n, spacing, seed):
    step = Elastic(displacement_mm=3.2, control_mm=8.0, seed=seed)
    by = pull([step], (n, n, n), spacing)
    fine = np.stack(np.meshgrid(*[np.linspace(0, n - 1, 9)] * 3, indexing="ij"), -1).reshape(-1, 3)
    away, small = by.lattice.at(fine), 1e-4
    slopes = np.stack([(by.lattice.at(fine + small * np.eye(3)[a]) - away) / small for a in range(3)], -1)
    assert np.linalg.det(np.eye(3) + slopes).min() > 0


@given(spacings, seeds)
def test_a_turn_is_one_in_millimetres(spacing, seed):
    drawn = Augmentation((Affine(scale=1.0),)).sample(np.random.default_rng(seed))
    matrix = pull(drawn.steps, (5, 5, 5), spacing).matrix[:, :3] * np.asarray(spacing)[:, None] / np.asarray(spacing)
    assert np.allclose(matrix @ matrix.T, np.eye(3))
    assert np.degrees(np.arccos((np.trace(matrix) - 1) / 2)) <= 15 * 3


@given(shapes, seeds)
def test_a_flip_is_exact_and_undoes_itself(shape, seed):
    image = np.random.default_rng(seed).standard_normal((2, *shape)).astype(np.float32)
    labels = np.random.default_rng(seed).integers(0, 4, shape).astype(np.uint8)
    drawn = Drawn((Flip(axes=(0, 2), probability=1.0),))
    once = drawn.apply(image, labels)
    assert np.array_equal(once.images, image[:, ::-1, :, ::-1])
    assert np.array_equal(once.labels, labels[::-1, :, ::-1])
    twice = drawn.apply(once.images, once.labels)
    assert np.array_equal(twice.images, image)


@given(shapes, spacings, seeds)
def test_a_window_is_the_patch_with_what_lies_beside_it(shape, spacing, seed):
    image = np.random.default_rng(seed).standard_normal((1, *shape)).astype(np.float32)
    labels = np.random.default_rng(seed).integers(0, 4, shape).astype(np.uint8)
    random = np.random.default_rng(seed)
    start = tuple(int(random.integers(-2, n)) for n in shape)
    size = tuple(int(random.integers(1, n + 3)) for n in shape)
    out = Drawn(()).apply(image, labels, scale=Scale(spacing), window=augment.Window(start, size))
    places = np.ix_(
        *(np.clip(np.arange(a, a + n), 0, whole - 1) for a, n, whole in zip(start, size, shape, strict=True))
    )
    assert np.array_equal(out.images[0], image[0][places])
    assert np.array_equal(out.labels, labels[places])
