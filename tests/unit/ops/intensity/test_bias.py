from __future__ import annotations

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import InputError, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.ops.intensity import bias_corrected
from isocenter.volume import Volume

pytest.importorskip("SimpleITK")


def _shaded():
    """A ball of two tissues, shaded along rows and slices: shading, and the volume."""
    k, r, c = np.ogrid[-1:1:24j, -1:1:48j, -1:1:40j]
    radius = np.sqrt(k**2 + r**2 + c**2)
    tissue = np.where(radius < 0.5, 160.0, np.where(radius < 0.9, 100.0, 0.0))
    noise = np.random.default_rng(0).normal(0, 2, tissue.shape)
    shading = np.exp(0.35 * r + 0.2 * k + 0 * c)
    grid = Grid.from_vectors(tissue.shape, spacing_mm=(6, 3, 3.5))
    return tissue, Volume(np.clip(tissue * shading + noise, 0, None), grid, codes.ONE, modality="MR")


def _spread(array, tissue, value):
    part = array[tissue == value]
    return part.std() / part.mean()


def test_a_tissue_becomes_even():
    tissue, image = _shaded()
    head = Segmentation.of(tissue > 0, image, [Segment.named("head")], Algorithm("hand", "1"))
    corrected = bias_corrected(image, head)
    for value in (100.0, 160.0):
        assert _spread(corrected.array, tissue, value) < 0.35 * _spread(image.array, tissue, value)
    assert (corrected.grid, corrected.unit, corrected.array.dtype) == (image.grid, image.unit, np.float32)


def test_without_a_mask_the_foreground_is_found():
    tissue, image = _shaded()
    assert _spread(bias_corrected(image).array, tissue, 100.0) < 0.5 * _spread(image.array, tissue, 100.0)


def test_what_has_no_bias_field_is_refused():
    image = Volume(np.full((4, 8, 8), -1.0), Grid.from_vectors((4, 8, 8)))
    with pytest.raises(InputError, match="0 or more"):
        bias_corrected(image)
    empty = Volume(np.zeros((4, 8, 8)), Grid.from_vectors((4, 8, 8)))
    with pytest.raises(InputError, match="above 0"):
        bias_corrected(empty)
    with pytest.raises(UsageError, match="iterations"):
        bias_corrected(empty, iterations=())
    with pytest.raises(UsageError, match="one place of time"):
        bias_corrected(Volume(np.zeros((2, 2, 2, 2)), Grid.from_vectors((2, 2, 2)), axes=("time",)))
    even = np.zeros((6, 30, 30), np.float32)
    even[2:4, 10:20, 10:20] = 100
    with pytest.raises(InputError, match="all but equal"):
        bias_corrected(Volume(even, Grid.from_vectors(even.shape)))
