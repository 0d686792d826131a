"""Surfaces lie where the voxels lie, are closed, and point outward."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import isocenter as iso
from isocenter import codes
from isocenter.errors import InputError, UsageError
from isocenter.findings import Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.mesh import Mesh
from isocenter.volume import Volume

from .conftest import ALGORITHM, GRIDS, ball, positions

surfaces = iso.surfaces


def sides(mesh: Mesh) -> Counter:
    return Counter(map(tuple, np.concatenate([mesh.faces[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]).tolist()))


def is_manifold(mesh: Mesh) -> bool:
    """Each side belongs to two triangles, once in either direction."""
    found = sides(mesh)
    return all(count == 1 and found[side[::-1]] == 1 for side, count in found.items())


def of_mask(mask: np.ndarray, grid: Grid) -> Segmentation:
    return Segmentation((mask.astype(np.uint8),), grid, (Segment.named("body"),), ALGORITHM)


def test_an_asymmetric_body_lies_where_its_voxels_lie(grid: Grid) -> None:
    points = positions(grid)
    middle = np.asarray(grid.center_mm)
    mask = np.zeros(grid.shape, bool)
    mask[8:12, 5:20, 10:40] = True  # a plate with a finger at one end, in index space
    mask[12:20, 5:8, 10:14] = True
    found = surfaces.mesh(of_mask(mask, grid))
    index = grid.to_index(found.vertices)
    np.testing.assert_allclose(index.min(axis=0), (7.5, 4.5, 9.5), atol=1e-3)
    np.testing.assert_allclose(index.max(axis=0), (19.5, 19.5, 39.5), atol=1e-3)
    finger = index[index[:, 0] > 12.6]
    assert finger[:, 1].max() < 8
    assert finger[:, 2].max() < 14
    inside = points[mask].mean(axis=0)
    assert np.linalg.norm(found.vertices.mean(axis=0) - inside) < np.linalg.norm(middle - inside)
    assert found.frame_of_reference_uid == grid.frame_of_reference_uid


def test_a_ball_is_closed_has_its_volume_and_points_outward(grid: Grid) -> None:
    found = surfaces.mesh(ball(grid, 14.0))
    assert found.is_closed
    assert is_manifold(found)
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * 1.4**3, rel=0.01)
    outward = (found.vertices - np.float32(grid.center_mm)) / 14
    assert np.einsum("ij,ij->i", outward, found.normals).min() > 0.3


def test_voxels_that_touch_at_an_edge_or_corner_are_held_apart() -> None:
    grid = Grid.from_vectors((4, 4, 4))
    for other in ((2, 2, 1), (2, 2, 2)):
        mask = np.zeros(grid.shape, bool)
        mask[1, 1, 1] = mask[other] = True
        found = surfaces.mesh(of_mask(mask, grid))
        assert is_manifold(found)
        assert len(found.vertices) == 12
        assert found.volume_ml == pytest.approx(2 / 6e3)


def test_random_masks_of_any_density_give_closed_surfaces() -> None:
    rng = np.random.default_rng(1)
    grid = Grid.from_vectors((9, 7, 8), spacing_mm=(3, 1, 0.5))
    for density in (0.05, 0.3, 0.5, 0.7, 0.95, 1.0):
        found = surfaces.mesh(of_mask(rng.random(grid.shape) < density, grid))
        assert is_manifold(found)
        assert found.is_closed
        assert len(np.unique(found.faces)) == len(found.vertices)
        assert found.volume_ml > 0


def test_a_body_at_the_border_of_the_image_is_closed_there_and_says_so() -> None:
    grid = Grid.from_vectors((1, 6, 6), spacing_mm=(5, 1, 1))
    found = surfaces.mesh(of_mask(np.ones(grid.shape, bool), grid))
    assert [reason.code for reason in found.reasons] == ["SURFACE_CUT"]
    assert found.is_closed
    assert np.ptp(found.vertices[:, 2]) == pytest.approx(5)  # the one slice is as thick as its spacing
    inner = np.zeros(grid.shape, bool)
    assert not surfaces.mesh(ball(GRIDS["axial"], 10.0)).reasons
    with pytest.raises(InputError, match="no voxels"):
        surfaces.mesh(of_mask(inner, grid))


def test_an_isosurface_lies_at_the_level() -> None:
    grid = GRIDS["oblique"]
    distance = np.linalg.norm(positions(grid) - grid.center_mm, axis=-1)
    volume = Volume((100 - distance).astype(np.float32), grid, codes.HU)
    found = surfaces.isosurface(volume, 87.5)
    radius = np.linalg.norm(found.vertices - grid.center_mm, axis=1)
    np.testing.assert_allclose(radius, 12.5, atol=0.04)
    assert is_manifold(found)
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * 1.25**3, rel=0.01)


def test_values_that_are_just_the_level_or_none_leave_the_isosurface_whole() -> None:
    grid = Grid.from_vectors((6, 6, 6))
    values = np.zeros(grid.shape, np.float32)
    values[2:4, 2:4, 2:4] = 50
    values[3, 3, 3], values[4, 2, 2] = np.nan, np.inf
    found = surfaces.isosurface(Volume(values, grid), 50)
    assert is_manifold(found)
    assert found.area_cm2 > 0
    whole = surfaces.isosurface(Volume(np.full(grid.shape, 7, np.int16), grid), 7)
    assert whole.is_closed
    np.testing.assert_allclose(np.ptp(whole.vertices, axis=0), 6)


def test_segments_have_a_surface_each_and_empty_ones_none() -> None:
    labels = np.zeros((6, 6, 6), np.uint8)
    labels[1:3, 1:3, 1:3], labels[4, 4, 4] = 1, 3
    grid = Grid.from_vectors(labels.shape, frame_of_reference_uid="1.2.3")
    segments = tuple(Segment.named(name, label) for label, name in enumerate(("one", "none", "three"), 1))
    found = Segmentation((labels,), grid, segments, ALGORITHM)
    assert [mesh.name for mesh in surfaces.meshes(found)] == ["one", "three"]
    both = surfaces.mesh(found, "one", "three")
    assert (both.title, both.frame_of_reference_uid) == ("One, Three", "1.2.3")
    assert surfaces.mesh(found).volume_ml == pytest.approx(both.volume_ml)


def test_smoothing_takes_the_steps_away_and_keeps_the_volume(grid: Grid) -> None:
    rough = surfaces.mesh(ball(grid, 14.0))
    smooth = surfaces.smoothed(rough)
    assert smooth.volume_ml == pytest.approx(rough.volume_ml, rel=0.01)
    true_cm2 = 4 * np.pi * 1.4**2
    assert abs(smooth.area_cm2 / true_cm2 - 1) < 0.5 * abs(rough.area_cm2 / true_cm2 - 1)
    assert is_manifold(smooth)
    (reason,) = smooth.reasons
    assert reason.code == "SURFACE_SMOOTHED"
    assert f"{100 * (smooth.volume_ml / rough.volume_ml - 1):+.2f} %" in reason.message
    assert surfaces.smoothed(rough, 0) is rough


def test_decimation_keeps_the_surface_closed_and_in_place(grid: Grid) -> None:
    rough = surfaces.smoothed(surfaces.mesh(ball(grid, 14.0)))
    few = surfaces.decimated(rough, 0.1)
    assert len(few.faces) == pytest.approx(len(rough.faces) / 10, abs=2)
    assert is_manifold(few)
    assert few.volume_ml == pytest.approx(rough.volume_ml, rel=0.01)
    radius = np.linalg.norm(few.vertices - grid.center_mm, axis=1)
    assert np.abs(radius - 14).max() < 1.0
    assert few.reasons[-1].code == "SURFACE_DECIMATED"
    assert surfaces.decimated(rough, 1) is rough


def test_decimation_of_random_bodies_never_joins_or_opens_them() -> None:
    rng = np.random.default_rng(2)
    grid = Grid.from_vectors((12, 12, 12))
    for density in (0.1, 0.4, 0.6):
        rough = surfaces.mesh(of_mask(rng.random(grid.shape) < density, grid))
        few = surfaces.decimated(rough, 0.05)
        assert is_manifold(few)
        assert len(few.faces) < len(rough.faces)


def test_the_rim_of_an_open_surface_stays() -> None:
    r, c = np.indices((12, 12))
    vertices = np.stack([c, r, np.zeros_like(r)], axis=-1).reshape(-1, 3).astype(np.float32)
    low = (r * 12 + c)[:-1, :-1].ravel()
    faces = np.concatenate([np.stack([low, low + 1, low + 12], 1), np.stack([low + 1, low + 13, low + 12], 1)])
    plate = Mesh(vertices, faces.astype(np.int32))
    assert not plate.is_closed
    with pytest.raises(UsageError, match="holes"):
        _ = plate.volume_ml
    few = surfaces.decimated(plate, 0.3)
    assert few.area_cm2 == pytest.approx(plate.area_cm2)
    assert "no volume" in few.reasons[-1].message
    assert surfaces.smoothed(plate).vertices.shape == plate.vertices.shape


def test_a_mesh_of_wrong_arrays_is_no_mesh() -> None:
    points, faces = np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32)
    for vertices, triangles in (
        (points.astype(float), faces),
        (points, faces + 1),
        (points, faces.ravel()),
        (points * np.nan, faces),
    ):
        with pytest.raises(ValueError, match=r"mesh|face"):
            Mesh(vertices, triangles)


def test_wrong_calls_are_told() -> None:
    body = ball(GRIDS["axial"], 10.0)
    flat = Segmentation(
        body.layers, Grid(body.grid.shape, body.grid.affine, space=Space.PLANE), body.segments, ALGORITHM
    )
    volume = Volume(np.zeros((2, 2, 2, 3), np.uint8), Grid.from_vectors((2, 2, 2)), axes=("color",))
    for wrong in (
        lambda: surfaces.mesh(body, "liver"),
        lambda: surfaces.mesh(flat),
        lambda: surfaces.mesh(volume),
        lambda: surfaces.isosurface(volume, 1),
        lambda: surfaces.isosurface(Volume(volume.array[..., 0], volume.grid), np.nan),
        lambda: surfaces.smoothed(surfaces.mesh(body), -1),
        lambda: surfaces.decimated(surfaces.mesh(body), 0),
        lambda: surfaces.decimated(body, 0.5),
    ):
        with pytest.raises(UsageError):
            wrong()
    with pytest.raises(InputError, match="level"):
        surfaces.isosurface(Volume(volume.array[..., 0], volume.grid), 1)
