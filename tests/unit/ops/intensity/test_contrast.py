from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import InputError, UsageError
from isocenter.geometry import Grid
from isocenter.ops.intensity import equalised
from isocenter.volume import Volume


def _picture(shape, seed=0):
    rng = np.random.default_rng(seed)
    r, c = np.ogrid[: shape[0], : shape[1]]
    return np.clip(100 + 60 * np.sin(r / 9) * np.cos(c / 13) + rng.normal(0, 9, shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("shape", "tiles"), [((64, 96), (4, 6)), ((67, 101), (4, 6)), ((40, 40), (1, 1))])
@pytest.mark.parametrize("limit", [1.5, 4.0])
def test_it_is_what_opencv_makes_of_bytes(shape, tiles, limit):
    cv2 = pytest.importorskip("cv2")
    picture = _picture(shape)
    theirs = cv2.createCLAHE(clipLimit=limit, tileGridSize=tiles[::-1]).apply(picture)
    grid = Grid.from_vectors((1, *shape), spacing_mm=(1, tiles[0] / shape[0], tiles[1] / shape[1]))
    ours = equalised(Volume(picture[None], grid), 0, 255, tile_mm=1, limit=limit).array[0]
    assert np.abs(ours * 255 - theirs).max() <= 1.01


def test_each_slice_and_time_point_is_looked_at_by_itself():
    pictures = np.stack([_picture((32, 40), seed) for seed in range(4)]).reshape(2, 2, 32, 40).transpose(0, 2, 3, 1)
    volume = Volume(np.ascontiguousarray(pictures), Grid.from_vectors((2, 32, 40)), axes=("time",))
    together = equalised(volume, 0, 255, tile_mm=10).array
    alone = equalised(Volume(pictures[1:, :, :, 1].copy(), Grid.from_vectors((1, 32, 40))), 0, 255, tile_mm=10).array
    np.testing.assert_array_equal(together[1:, :, :, 1], alone)


def test_missing_and_extreme_values_count_as_the_ends():
    array = _picture((16, 16))[None].astype(np.float32)
    array[0, 0, :3] = np.nan, -1e9, 1e9
    found = equalised(Volume(array, Grid.from_vectors(array.shape)), 0, 255).array
    assert np.isfinite(found).all()
    assert (found.min() >= 0, found.max() <= 1) == (True, True)


def test_impossible_settings_are_refused():
    volume = Volume(_picture((16, 16))[None], Grid.from_vectors((1, 16, 16)))
    with pytest.raises(UsageError, match="rise"):
        equalised(volume, 5, 5)
    for wrong in ({"tile_mm": 0}, {"limit": 0.5}, {"bins": 1}):
        with pytest.raises(UsageError, match="Tiles"):
            equalised(volume, 0, 255, **wrong)
    with pytest.raises(InputError, match="narrower"):
        equalised(Volume(np.zeros((1, 4, 40)), Grid.from_vectors((1, 4, 40))), 0, 255)
