"""Vessels of a phantom whose trees are known: what it shows more than the same chest without them."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter import codes
from isocenter.geometry import Grid
from isocenter.ops.anatomy import segment
from isocenter.testing.phantom import CONSOLIDATION, GROUND_GLASS, ChestOptions, chest_grid, chest_phantom
from isocenter.volume import Volume

GRID = chest_grid((130, 170, 170), (1.9, 2.0, 2.0))


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """Voxels that are blood by half or more."""
    with_trees, without = (
        chest_phantom(GRID, options=ChestOptions(noise_hu=0, vessel_generations=n)).volume.array for n in (6, 0)
    )
    return with_trees.astype(int) - without > 450


def test_trees_are_found(truth: np.ndarray) -> None:
    ct = chest_phantom(GRID, options=ChestOptions()).volume
    found = segment(ct, "vessels").mask("lung_vessels")
    inside = truth & segment(ct, "lungs").mask("lung_right", "lung_left")
    assert 2 * np.count_nonzero(found & inside) / (found.sum() + inside.sum()) > 0.85


def test_an_infiltrate_is_no_vessel_and_is_told(truth: np.ndarray) -> None:
    ct = chest_phantom(GRID, options=ChestOptions(patches=(CONSOLIDATION, GROUND_GLASS))).volume
    found = segment(ct, "vessels")
    index = np.rint(GRID.to_index(CONSOLIDATION.center_mm)).astype(int)
    assert not found.mask("lung_vessels")[tuple(index)]
    assert found.volume_ml("lung_vessels") < 1.6 * truth.sum() * GRID.voxel_volume_ml
    assert "VESSELS_WITH_DENSE_LUNG" in {reason.code for reason in found.reasons}


def test_without_lungs_there_are_no_vessels() -> None:
    grid = Grid.from_vectors((20, 40, 40), spacing_mm=(5, 5, 5))
    found = segment(Volume(np.zeros(grid.shape, np.int16), grid, codes.HU, modality="CT"), "vessels")
    assert not found.array.any()
    assert {"LUNGS_NOT_FOUND", "BODY_NOT_FOUND"} & {reason.code for reason in found.reasons}
