"""Nodules planted into a real scan lie in its lungs, and nothing else is changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import isocenter as iso
from isocenter.testing.planting import plant, scattered

pytestmark = pytest.mark.real


def test_nodules_lie_in_the_lungs_of_a_real_scan_and_are_denser_than_what_was_there(shared_data: Path) -> None:
    ct = iso.read(iso.scan(shared_data / "chest_ct_normal001_every3")[0])
    lungs = iso.segment(ct, "lungs").only("lung_right", "lung_left")
    nodules = scattered(ct, lungs, 6, seed=1, diameters_mm=(8, 16))
    made = plant(ct, nodules, thickness_mm=2.0)
    inside = lungs.mask()
    for nodule in nodules:
        k, r, c = np.rint(ct.grid.to_index(nodule.center_mm)).astype(int)
        assert inside[k, r - 2 : r + 3, c - 2 : c + 3].mean() > 0.5
        assert made.volume.array[k, r, c] > ct.array[k, r, c] + 100
    changed = made.volume.array != ct.array
    assert changed.mean() < 0.01
    assert 0 < made.truth.mask().sum() < changed.sum()
