"""Bodies of known size on grids of several kinds."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid

ALGORITHM = Algorithm("made up", "1")
GRIDS = {
    "axial": Grid.from_vectors((40, 50, 60), spacing_mm=(2.0, 0.8, 0.9), origin_mm=(27.0, -20.0, -40.0)),
    "left-handed": Grid.from_vectors((40, 50, 60), spacing_mm=(2.0, 0.8, 0.9), origin_mm=(27, -20, -40)).flip(1),
    "sagittal": Grid.from_vectors((40, 50, 60), spacing_mm=(2.0, 0.8, 0.9), origin_mm=(27, -20, -40)).permute(
        (2, 0, 1)
    ),
}
TURN = np.eye(4)
TURN[:3, :3] = [[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]]
GRIDS["oblique"] = Grid(GRIDS["axial"].shape, TURN @ GRIDS["axial"].affine)


@pytest.fixture(params=list(GRIDS))
def grid(request: pytest.FixtureRequest) -> Grid:
    return GRIDS[request.param]


def positions(grid: Grid) -> np.ndarray:
    """World points of all voxels, (slice, row, column, 3)."""
    return grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))


def ball(grid: Grid, radius_mm: float) -> Segmentation:
    """A ball around the middle of a grid."""
    inside = np.linalg.norm(positions(grid) - grid.center_mm, axis=-1) <= radius_mm
    return Segmentation((inside.astype(np.uint8),), grid, (Segment.named("ball"),), ALGORITHM)
