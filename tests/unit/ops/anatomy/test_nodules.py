"""Nodule candidates on a phantom with balls at known places."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import Refused
from isocenter.findings import Segmentation
from isocenter.geometry import Grid
from isocenter.ops.anatomy import segment
from isocenter.ops.resample import to_orientation
from isocenter.testing.phantom import ChestOptions, Patch, chest_grid, chest_phantom
from isocenter.volume import Volume

GRID = chest_grid((150, 176, 176), (2.0, 2.0, 2.0))
PLANTED = (((-80, 10, 20), 8.0), ((75, 30, -10), 6.0), ((70, -20, 45), 12.0), ((-70, 40, -30), 20.0))
"""Centre and diameter of balls of 40 HU."""


def _codes(found: Segmentation) -> set[str]:
    return {reason.code for reason in found.reasons}


def _places(found: Segmentation) -> list[tuple[np.ndarray, float]]:
    """Middle and diameter (of the ball of equal volume) of each candidate."""
    places = []
    for name in found.names:
        middle = found.grid.to_world(np.argwhere(found.mask(name)).mean(axis=0))
        places.append((middle, 2 * (3000 * found.volume_ml(name) / (4 * np.pi)) ** (1 / 3)))
    return places


@pytest.fixture(scope="module")
def chest() -> Volume:
    patches = tuple(Patch(center, (d / 2, d / 2, d / 2), 40) for center, d in PLANTED)
    return chest_phantom(GRID, options=ChestOptions(patches=patches, vessel_generations=0)).volume


@pytest.fixture(scope="module")
def found(chest: Volume) -> Segmentation:
    return segment(chest, "nodules")


@pytest.mark.parametrize(("center", "diameter"), PLANTED)
def test_a_ball_is_found_and_sized(found: Segmentation, center: tuple[float, ...], diameter: float) -> None:
    near = [size for middle, size in _places(found) if np.linalg.norm(middle - center) < 3]
    assert len(near) == 1
    assert near[0] == pytest.approx(diameter, rel=0.15)


def test_the_other_candidates_are_few(found: Segmentation) -> None:
    assert len(found.names) <= len(PLANTED) + 1
    assert "NODULE_CANDIDATES" in _codes(found)


def test_of_many_vessels_few_are_taken_for_nodules() -> None:
    """Nearly two hundred vessels end round, which those of a lung do not."""
    branched = chest_phantom(chest_grid((140, 160, 160), (2.0, 2.2, 2.2)), options=ChestOptions(vessel_generations=5))
    assert len(segment(branched.volume, "nodules").names) <= 20


def test_the_orientation_of_the_array_does_not_matter(chest: Volume, found: Segmentation) -> None:
    turned = segment(to_orientation(chest, "LAS"), "nodules")
    places = [middle for middle, _ in _places(found)]
    for center, _ in PLANTED:
        nearest = min(np.linalg.norm(middle - center) for middle, _ in _places(turned))
        assert nearest < 3
    assert abs(len(turned.names) - len(places)) <= 1


def test_thick_slices_say_that_small_nodules_are_missed() -> None:
    thick = chest_phantom(chest_grid((50, 150, 150), (6.0, 2.4, 2.4)), options=ChestOptions()).volume
    assert "NODULES_MISSED" in _codes(segment(thick, "nodules"))


def test_without_lungs_there_are_no_candidates() -> None:
    grid = Grid.from_vectors((20, 40, 40), spacing_mm=(5, 5, 5))
    water = Volume(np.zeros(grid.shape, np.int16), grid, codes.HU, modality="CT")
    found = segment(water, "nodules")
    assert found.names == ()
    assert not found.array.any()
    with pytest.raises(Refused):
        segment(Volume(water.array, grid, codes.ONE, modality="MR"), "nodules")
