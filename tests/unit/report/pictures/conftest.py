"""An asymmetric body, whose sides cannot be taken for each other, on grids of several kinds."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter import codes
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.volume import Volume

ALGORITHM = Algorithm("made up", "1")
AXIAL = Grid.from_vectors((30, 40, 50), spacing_mm=(4.0, 2.0, 1.5), origin_mm=(-36.75, -39.0, 58.0))
GRIDS = {
    "head to feet": AXIAL,
    "feet to head, columns to the right": AXIAL.flip(0, 2),
    "left-handed": AXIAL.flip(1),
    "sagittal": AXIAL.reorient("LPS"),
    "coronal": AXIAL.reorient("PIR"),
}


@pytest.fixture(params=list(GRIDS))
def grid(request: pytest.FixtureRequest) -> Grid:
    return GRIDS[request.param]


def body(grid: Grid) -> Volume:
    """Water in air with bone in the left upper front corner."""
    x, y, z = np.moveaxis(grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1)), -1, 0)
    values = np.where((x / 34) ** 2 + (y / 36) ** 2 + (z / 54) ** 2 < 1, 0, -1000)
    values[(x > 5) & (x < 20) & (y < -8) & (y > -20) & (z > 10) & (z < 30)] = 1000
    return Volume(values.astype(np.int16), grid, codes.HU, modality="CT")


def bone(volume: Volume) -> Segmentation:
    return Segmentation.of(volume.array > 500, volume, [Segment.named("bone")], ALGORITHM)
