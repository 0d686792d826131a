from __future__ import annotations

import numpy as np
import pytest

from isocenter.codes import HU
from isocenter.errors import UsageError
from isocenter.geometry import Grid
from isocenter.ops import filters
from isocenter.volume import Volume

TURN = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]


def ramp(slope: tuple[float, float, float], spacing_mm: tuple[float, float, float] = (2, 0.5, 1)) -> Volume:
    """Values that grow by ``slope`` per mm along x, y and z, on an oblique grid."""
    grid = Grid.from_vectors((8, 9, 10), spacing_mm=spacing_mm, origin_mm=(3, 4, 5), direction=TURN)
    return Volume((grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1)) @ slope).astype(np.float32), grid, HU)


def test_a_gradient_points_where_values_grow_in_the_world() -> None:
    result = filters.gradient(ramp((3, -1, 2)))
    np.testing.assert_allclose(result.array[1:-1, 1:-1, 1:-1], np.broadcast_to((3, -1, 2), (6, 7, 8, 3)), atol=1e-3)
    assert result.axes == ("direction",)
    assert result.unit.value == "[hnsf'U]/mm"


@pytest.mark.parametrize("run", [filters.gradient_magnitude, filters.sobel])
def test_the_slope_of_a_ramp_is_found_in_its_unit_per_mm(run: object) -> None:
    result = run(ramp((3, -1, 2)))
    np.testing.assert_allclose(result.array[1:-1, 1:-1, 1:-1], np.sqrt(14), rtol=1e-3)


def test_a_ramp_and_a_constant_have_no_curvature() -> None:
    flat = Volume(np.full((12, 12, 12), -1000, np.int16), Grid((12, 12, 12), np.eye(4)), HU)
    for sigma in (0.5, 0.7, 1, 2.5):
        assert np.abs(filters.laplacian_of_gaussian(flat, sigma).array).max() < 2e-3
    assert filters.laplacian_of_gaussian(flat, 1.0).unit.value == "[hnsf'U]/mm2"
    assert filters.laplacian_of_gaussian(flat, 1.0, gamma=1).unit == HU


def test_a_bright_ball_answers_most_at_its_own_scale() -> None:
    grid = Grid.from_vectors((41, 61, 61), spacing_mm=(1.5, 1, 1))
    place = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1)) - grid.center_mm
    ball = Volume((np.linalg.norm(place, axis=-1) < 6).astype(np.float32), grid)
    middle = tuple(n // 2 for n in grid.shape)
    answers = {s: -filters.laplacian_of_gaussian(ball, s, gamma=1).array[middle] for s in (2, 2.5, 3, 3.5, 4, 5)}
    assert max(answers, key=answers.get) == 3.5  # 6 / sqrt(3) = 3.46


def test_wrong_calls_are_refused() -> None:
    image = ramp((1, 1, 1))
    with pytest.raises(UsageError, match="at least"):
        filters.laplacian_of_gaussian(image, 0.6)
    with pytest.raises(UsageError, match="one sigma"):
        filters.laplacian_of_gaussian(image, (2, 2, 2))
    four = Volume(np.zeros((3, 3, 3, 2)), Grid((3, 3, 3), np.eye(4)), axes=("time",))
    with pytest.raises(UsageError, match="time"):
        filters.gradient(four)
    with pytest.raises(UsageError, match="time"):
        filters.canny(four, 1, 2, sigma_mm=1)
    assert filters.gradient_magnitude(four).shape == (3, 3, 3, 2)
