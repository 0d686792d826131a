"""Laws of surfaces: on any grid each is closed, encloses its voxels and nothing else, and points outward."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import assume, given

import isocenter as iso

from .strategies import examples, segmentations


def is_manifold(mesh) -> bool:
    """Each side belongs to two triangles, once in either direction."""
    pairs = np.concatenate([mesh.faces[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
    found = Counter(map(tuple, pairs.tolist()))
    return all(count == 1 and found[side[::-1]] == 1 for side, count in found.items())


def winding(mesh, points) -> np.ndarray:
    """How often a surface goes around each point: 1 inside, 0 outside (van Oosterom and Strackee 1983)."""
    corners = mesh.vertices[mesh.faces].astype(float)[None] - points[:, None, None]
    a, b, c = (corners[:, :, k] for k in range(3))
    x, y, z = (np.linalg.norm(corner, axis=2) for corner in (a, b, c))
    across = np.einsum("ijk,ijk->ij", a, np.cross(b, c))
    along = x * y * z
    along += (
        np.einsum("ijk,ijk->ij", a, b) * z + np.einsum("ijk,ijk->ij", b, c) * x + np.einsum("ijk,ijk->ij", c, a) * y
    )
    return np.arctan2(across, along).sum(axis=1) / (2 * np.pi)


@given(segmentations(sheared=True))
@examples(0.5)
def test_a_surface_goes_once_around_each_voxel_inside_and_around_no_other(found):
    mask = found.mask("one")
    assume(mask.any())
    surface = iso.surfaces.mesh(found, "one")
    assert is_manifold(surface)
    assert surface.is_closed
    centres = found.grid.to_world(np.argwhere(np.ones(mask.shape, bool)))
    np.testing.assert_allclose(winding(surface, centres), mask.ravel(), atol=0.01)
    assert 0 < surface.volume_ml <= found.volume_ml("one") * (1 + 1e-4)


@given(segmentations())
@examples(0.5)
def test_smoothing_and_decimation_keep_every_surface_closed(found):
    assume(found.mask("two").any())
    rough = iso.surfaces.mesh(found, "two")
    for changed in (iso.surfaces.smoothed(rough, 3), iso.surfaces.decimated(rough, 0.2)):
        assert is_manifold(changed)
        assert changed.is_closed
        assert len(changed.faces) <= len(rough.faces)
