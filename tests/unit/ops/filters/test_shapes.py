"""Edges and vessels: what is found, and where."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.codes import HU, ONE
from isocenter.errors import UsageError
from isocenter.geometry import Grid
from isocenter.ops import filters
from isocenter.volume import Source, Volume


def on_grid(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> tuple[Grid, np.ndarray]:
    grid = Grid.from_vectors(shape, spacing_mm=spacing_mm)
    return grid, grid.to_world(np.moveaxis(np.indices(shape), 0, -1)) - grid.center_mm


def test_the_edge_of_a_ball_is_a_thin_closed_shell() -> None:
    grid, place = on_grid((28, 50, 50), (2, 1, 1))
    radius = np.linalg.norm(place, axis=-1)
    sources = tuple(Source(f"1.{k}") for k in range(28))
    image = Volume(np.where(radius < 18, 100, 0).astype(np.int16), grid, HU, modality="CT", sources=sources)
    edges = filters.canny(image, 5, 10, sigma_mm=1.0)
    found = edges.mask("edge")
    assert edges.sources == sources
    assert np.abs(radius[found] - 18).max() < 2.5
    assert 0.5 < found.sum() * grid.voxel_volume_mm3 / (4 * np.pi * 18**2) < 2.0
    from isocenter.ops.masks.morphology import fill_cavities

    assert fill_cavities(found)[14, 25, 25]


def test_weak_edges_count_where_they_touch_strong_ones() -> None:
    array = np.zeros((1, 30, 60), np.float32)
    array[0, 15:] = np.linspace(0, 100, 60)
    grid = Grid.from_vectors(array.shape)
    image = Volume(array, grid)
    both = filters.canny(image, 5, 20, sigma_mm=1.0).mask("edge")
    strong = filters.canny(image, 20, 20, sigma_mm=1.0).mask("edge")
    assert strong.any()
    assert both.any(axis=1).sum() > strong.any(axis=1).sum() + 5
    assert not filters.canny(image, 90, 95, sigma_mm=1.0).mask("edge").any()
    with pytest.raises(UsageError, match="low <= high"):
        filters.canny(image, 9, 5, sigma_mm=1)


@pytest.mark.parametrize(("polarity", "sign"), [("bright", 1), ("dark", -1)])
def test_a_tube_is_a_vessel_and_a_plate_and_a_ball_are_less_so(polarity: str, sign: int) -> None:
    grid, place = on_grid((30, 80, 40), (1.5, 1, 1))
    z, y, x = place[..., 2], place[..., 1], place[..., 0]
    tube = np.exp(-((x - 0.3 * z) ** 2 + (y - 25) ** 2) / 8)
    ball = np.exp(-(x**2 + y**2 + z**2) / 8)
    plate = np.exp(-((y + 25) ** 2) / 8)
    image = Volume((sign * 100 * (tube + ball + plate)).astype(np.float32), grid, HU)
    result = filters.frangi(image, [2.0, 3.0], polarity=polarity)
    assert result.unit == ONE
    assert result.array.max() <= 1
    at = {name: result.array[15, 40 + y, 20] for name, y in (("ball", 0), ("tube", 25), ("plate", -25))}
    assert at["tube"] > 0.5
    assert max(at["ball"], at["plate"]) < 0.3 * at["tube"]
    other = {"bright": "dark", "dark": "bright"}[polarity]
    assert filters.frangi(image, [2.0], polarity=other).array[15, 65, 20] == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_line_in_a_picture_is_a_vessel_whichever_way_the_picture_faces(axis: int) -> None:
    picture = np.zeros((40, 40), np.float32)
    picture[:, 20] = 100
    array = np.expand_dims(picture, axis)
    result = filters.frangi(Volume(array, Grid(array.shape, np.eye(4))), [1.0]).array.squeeze()
    assert result[20, 20] > 0.8
    assert result[20, 10] < 0.01
    assert not filters.frangi(Volume(0 * array, Grid(array.shape, np.eye(4))), [1.0]).array.any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"scales_mm": []},
        {"scales_mm": [0]},
        {"polarity": "red"},
        {"beta": 0},
        {"gamma": np.nan},
        {"alpha": np.inf},
        {"scales_mm": [np.nan]},
    ],
)
def test_wrong_calls_for_vessels_are_refused(wrong: dict) -> None:
    image = Volume(np.zeros((5, 5, 5)), Grid((5, 5, 5), np.eye(4)))
    with pytest.raises(UsageError):
        filters.frangi(image, **{"scales_mm": [1.0], **wrong})
