"""How many nodule candidates real scans bring, and whether balls planted into one are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import isocenter as iso
from isocenter.ops.masks.morphology import erode

pytestmark = pytest.mark.real

DIAMETERS = (5, 6, 6, 8, 8, 10, 10, 12)


@pytest.fixture(scope="module")
def chest(shared_data: Path) -> iso.Volume:
    return iso.read(iso.scan(shared_data / "chest_ct_covid_P001")[0])


def _planted(ct: iso.Volume) -> tuple[iso.Volume, list[tuple[np.ndarray, float]]]:
    """Balls of 30 HU at random places 6 mm or more inside the lungs, with an edge of 1 mm."""
    rng = np.random.default_rng(0)
    lungs = iso.segment(ct, "lungs").mask("lung_left", "lung_right")
    inner = np.argwhere(erode(lungs, 6.0, ct.grid.spacing_mm))
    array, places = ct.array.astype(np.float32), []
    for diameter in DIAMETERS:
        index = inner[rng.integers(len(inner))]
        center = ct.grid.to_world(index)
        box = tuple(slice(max(0, i - 25), i + 26) for i in index)
        near = np.stack(np.meshgrid(*(np.arange(n)[s] for n, s in zip(ct.shape, box, strict=True)), indexing="ij"), -1)
        apart = np.linalg.norm(ct.grid.to_world(near) - center, axis=-1)
        share = np.clip(diameter / 2 - apart + 0.5, 0, 1)
        array[box] = np.maximum(array[box], share * 30 + (1 - share) * array[box])
        places.append((center, float(diameter)))
    return ct.with_array(np.rint(array).astype(np.int16)), places


def test_a_scan_brings_few_candidates(chest: iso.Volume) -> None:
    assert len(iso.segment(chest, "nodules").names) <= 12


def test_planted_nodules_are_found(chest: iso.Volume) -> None:
    ct, places = _planted(chest)
    found = iso.segment(ct, "nodules")
    middles = [found.grid.to_world(np.argwhere(found.mask(name)).mean(axis=0)) for name in found.names]
    hits = [min(np.linalg.norm(middle - center) for middle in middles) < diameter / 2 for center, diameter in places]
    assert sum(hits) >= len(DIAMETERS) - 1
