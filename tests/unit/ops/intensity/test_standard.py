from __future__ import annotations

import json

import numpy as np
import pytest

from isocenter.errors import InputError, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.ops.intensity import Standard, learn_standard
from isocenter.volume import Volume


def _image(seed, gain=1.0, offset=0.0):
    rng = np.random.default_rng(seed)
    tissue = rng.choice([0.0, 100.0, 180.0, 260.0], (16, 32, 32), p=[0.4, 0.2, 0.3, 0.1]) + rng.normal(
        0, 6, (16, 32, 32)
    )
    return Volume((tissue * gain + offset).astype(np.float32), Grid.from_vectors((16, 32, 32)))


def _everywhere(volume):
    return Segmentation.of(np.ones(volume.shape, bool), volume, [Segment.named("all")], Algorithm("hand", "1"))


def test_images_of_different_gain_come_onto_one_scale():
    cohort = [_image(seed, gain, offset) for seed, gain, offset in ((0, 1, 0), (1, 7.5, 300), (2, 0.02, -1))]
    standard = learn_standard(cohort)
    mapped = [standard.apply(image).array for image in cohort]
    for share in (15, 50, 70):
        assert np.ptp([np.percentile(one, share) for one in mapped]) < 0.01
    assert np.ptp([np.percentile(one.array, 50) for one in cohort]) > 100


def test_order_of_values_is_kept_and_nothing_is_cut_off():
    image = _image(3)
    mapped = learn_standard([_image(4), _image(5)]).apply(image).array.ravel()
    order = np.argsort(image.array.ravel())
    assert (np.diff(mapped[order]) >= -1e-6).all()
    assert mapped.min() < 0
    assert mapped.max() > 1


def test_an_image_of_mostly_air_has_landmarks_on_top_of_each_other():
    array = np.zeros((4, 10, 10), np.int16)
    array[2:] = np.arange(200).reshape(2, 10, 10)
    mapped = learn_standard([_image(6)]).apply(Volume(array, Grid.from_vectors(array.shape))).array
    assert np.isfinite(mapped).all()


def test_a_standard_is_kept_as_plain_values():
    standard = learn_standard([_image(7)])
    assert Standard.from_dict(json.loads(json.dumps(standard.to_dict()))) == standard


def test_what_gives_no_standard_is_refused():
    with pytest.raises(InputError, match="no images"):
        learn_standard([])
    with pytest.raises(InputError, match="equal"):
        learn_standard([Volume(np.zeros((2, 2, 2)), Grid.from_vectors((2, 2, 2)))])
    with pytest.raises(UsageError, match="rising"):
        learn_standard([_image(0)], shares=(50, 20))
    with pytest.raises(UsageError, match="masks for 0"):
        learn_standard([_image(0)], [])
    with pytest.raises(UsageError, match="masks for 2 images, and only 1"):
        learn_standard([_image(0)], [_everywhere(_image(0))] * 2)
    with pytest.raises(UsageError, match="rise"):
        Standard((1, 99), (1, 0))
