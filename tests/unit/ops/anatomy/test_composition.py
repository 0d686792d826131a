from __future__ import annotations

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.ops.anatomy.composition import areas_at
from isocenter.ops.resample import to_orientation
from isocenter.volume import Volume

GRID = Grid.from_vectors((20, 30, 40), spacing_mm=(4, 2, 1.5), origin_mm=(-30, -30, 100))


def _trunk() -> tuple[Volume, Segmentation]:
    """Muscle of 10 x 20 pixels (6 cm2) in the first ten slices, of 20 x 20 (12 cm2) below; 50 HU, in fat of -100 HU."""
    labels = np.zeros(GRID.shape, np.uint8)
    labels[:10, 5:15, 10:30] = labels[10:, 5:25, 10:30] = 1
    ct = Volume(np.where(labels, 50, -100).astype(np.int16), GRID, codes.HU, modality="CT")
    segments = [Segment.named("muscle"), Segment.named("bone", 2)]
    return ct, Segmentation.of(labels, ct, segments, Algorithm("hand", "1"))


@pytest.mark.parametrize(("level", "area"), [(100 - 4 * 4, 6.0), (100 - 15 * 4, 12.0), (100 - 9.5 * 4, 9.0)])
def test_the_area_is_that_of_the_level(level: float, area: float) -> None:
    found = areas_at(*_trunk(), level)
    assert [(one.name, one.segments) for one in found] == [
        ("area", ("muscle",)),
        ("mean", ("muscle",)),
        ("area", ("bone",)),
    ]
    assert [one.value for one in found] == pytest.approx([area, 50, 0])
    assert found[0].unit == codes.CM2


def test_the_orientation_of_the_array_does_not_matter() -> None:
    ct, segments = _trunk()
    turned = areas_at(to_orientation(ct, "ALS"), to_orientation(segments, "ALS"), 62.0)
    assert [one.value for one in turned] == pytest.approx([one.value for one in areas_at(ct, segments, 62.0)])


def test_values_that_are_no_numbers_elsewhere_leave_the_mean_alone() -> None:
    ct, segments = _trunk()
    holed = ct.with_array(np.where(segments.array, ct.array, np.nan).astype(np.float32))
    assert [one.value for one in areas_at(holed, segments, 62.0)][1] == pytest.approx(50)


def test_levels_that_give_no_area_are_refused() -> None:
    ct, segments = _trunk()
    with pytest.raises(UsageError, match="leaves the image"):
        areas_at(ct, segments, 100.0)
    with pytest.raises(UsageError, match="thinner"):
        areas_at(ct, segments, 60.0, thickness_mm=2)
    with pytest.raises(UsageError, match="different grids"):
        areas_at(Volume(ct.array[1:], GRID.crop((1, 0, 0), GRID.shape), codes.HU), segments, 60.0)
    turn = np.radians(30)
    oblique = np.array([[0, 0, 1], [np.sin(turn), np.cos(turn), 0], [-np.cos(turn), np.sin(turn), 0]])
    grid = Grid.from_vectors(GRID.shape, spacing_mm=GRID.spacing_mm, direction=oblique)
    tilted = Volume(ct.array, grid, codes.HU)
    with pytest.raises(UsageError, match="turned"):
        areas_at(tilted, Segmentation.of(segments.array, tilted, segments.segments, segments.algorithm), -40.0)
