"""Surface distances equal MONAI's and those of scipy's distance transform, over random masks and grids."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from isocenter.evaluate import scores
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    shape = draw(st.tuples(*[st.integers(2, 16)] * 3))
    spacing = draw(st.tuples(*[st.floats(0.3, 6)] * 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    one, other = (rng.random(shape) < draw(st.sampled_from([0.005, 0.05, 0.4, 0.8, 0.97])) for _ in range(2))
    one[tuple(n // 2 for n in shape)] = other[0, 0, 0] = True
    return one, other, spacing


def both(one: np.ndarray, other: np.ndarray, grid: Grid) -> list[Segmentation]:
    segment = (Segment.named("x"),)
    return [Segmentation((m.astype(np.uint8),), grid, segment, Algorithm("t", "1")) for m in (one, other)]


@given(pairs())
def test_distances_are_those_of_a_distance_transform(masks: tuple[np.ndarray, np.ndarray, tuple[float, ...]]) -> None:
    one, other, spacing = masks
    edges = [mask ^ ndimage.binary_erosion(mask) for mask in (one, other)]
    ways = [ndimage.distance_transform_edt(~edge, spacing) for edge in edges]
    there, back = ways[1][edges[0]], ways[0][edges[1]]
    found = scores(*both(one, other, Grid.from_vectors(one.shape, spacing_mm=spacing)), tolerance_mm=1.7)["x"]
    assert found.hd_mm == pytest.approx(max(there.max(), back.max()))
    assert found.hd95_mm == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)))
    assert found.assd_mm == pytest.approx(np.concatenate([there, back]).mean())
    assert found.surface_dice == pytest.approx(np.mean(np.concatenate([there, back]) <= 1.7))


@settings(max_examples=15)
@given(pairs())
def test_distances_are_those_of_monai(masks: tuple[np.ndarray, np.ndarray, tuple[float, ...]]) -> None:
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metrics = pytest.importorskip("monai.metrics")
        one, other, spacing = masks
        tensors = [torch.from_numpy(mask)[None, None] for mask in (one, other)]
        options = {"include_background": True, "spacing": spacing}
        expected = [
            metrics.compute_dice(*tensors),
            metrics.compute_hausdorff_distance(*tensors, **options),
            metrics.compute_hausdorff_distance(*tensors, percentile=95, **options),
            metrics.compute_average_surface_distance(*tensors, symmetric=True, **options),
            metrics.compute_surface_dice(*tensors, [1.7], **options),
        ]
    found = scores(*both(one, other, Grid.from_vectors(one.shape, spacing_mm=spacing)), tolerance_mm=1.7)["x"]
    mine = (found.dice, found.hd_mm, found.hd95_mm, found.assd_mm, found.surface_dice)
    assert mine == pytest.approx([float(value) for value in expected], rel=1e-5)


@given(pairs(), st.floats(-0.5, 0.5))
def test_a_sheared_grid_has_its_own_distances(
    masks: tuple[np.ndarray, np.ndarray, tuple[float, ...]], shear: float
) -> None:
    one, other, spacing = masks
    affine = np.diag([*spacing, 1.0])
    affine[0, 1] = shear * spacing[1]
    grid = Grid(one.shape, affine)
    edges = [grid.to_world(np.argwhere(mask ^ ndimage.binary_erosion(mask))) for mask in (one, other)]
    apart = np.linalg.norm(edges[0][:, None] - edges[1][None], axis=-1)
    found = scores(*both(one, other, grid))["x"]
    assert found.hd_mm == pytest.approx(max(apart.min(axis=0).max(), apart.min(axis=1).max()))


@given(pairs())
def test_the_sides_may_be_swapped(masks: tuple[np.ndarray, np.ndarray, tuple[float, ...]]) -> None:
    one, other, spacing = masks
    sides = both(one, other, Grid.from_vectors(one.shape, spacing_mm=spacing))
    there, back = scores(*sides)["x"], scores(*sides[::-1])["x"]
    for name in ("dice", "iou", "hd_mm", "hd95_mm", "assd_mm", "surface_dice"):
        assert getattr(there, name) == pytest.approx(getattr(back, name))
    assert there.volume_error_ml == pytest.approx(-back.volume_error_ml)
