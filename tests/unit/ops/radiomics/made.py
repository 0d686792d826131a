"""Images and segments for the tests of radiomics."""

from __future__ import annotations

import numpy as np

from isocenter import codes
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.volume import Volume

BY_HAND = Algorithm("by hand", "1")


def volume_of(array, spacing_mm=(3.0, 1.0, 1.0), *, unit=codes.HU):
    """An image with its first voxel at the origin."""
    return Volume(np.asarray(array), Grid.from_vectors(np.shape(array), spacing_mm=spacing_mm), unit)


def lesion_of(mask, volume):
    """A mask as the segment ``lesion``."""
    return Segmentation.of(np.asarray(mask), volume, [Segment.named("lesion")], BY_HAND)


def noise(shape=(7, 11, 13), *, seed=0, low=-100, high=100):
    """An image of noise and a ragged blob in it that touches no border."""
    rng = np.random.default_rng(seed)
    array = rng.integers(low, high, shape).astype(np.int16)
    mask = rng.random(shape) < 0.7
    mask[[0, -1]] = mask[:, [0, -1]] = mask[:, :, [0, -1]] = False
    volume = volume_of(array)
    return volume, lesion_of(mask, volume)


def levels_of(shape=(5, 6, 7), *, seed=0, number=4, share=0.75):
    """Grey levels with a rim, and how many there are."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(1, number + 1, shape) * (rng.random(shape) < share)
    levels.flat[0] = number
    return np.pad(levels, 1).astype(np.int32), number
