"""Pictures of cases that went wrong."""

from __future__ import annotations

import numpy as np

from isocenter import codes, evaluate
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.volume import Volume

GRID = Grid.from_vectors((8, 40, 40), spacing_mm=(3.0, 1.0, 1.0))
IMAGE = Volume(np.random.default_rng(0).integers(0, 50, GRID.shape).astype(np.int16), GRID, codes.ONE, modality="MR")


def labels(shift: int) -> Segmentation:
    array = np.zeros(GRID.shape, np.uint8)
    array[2:6, 5:15, 5 + shift : 15 + shift] = 1
    array[2:6, 22:34, 18 + shift : 30 + shift] = 2
    return Segmentation((array,), GRID, (Segment.named("liver", 1), Segment.named("spleen", 2)), Algorithm("a", "1"))


def test_each_structure_and_each_side_has_a_colour_of_its_own() -> None:
    drawn = evaluate.differing(IMAGE, labels(4), labels(0), name="one")
    wanted = ((255, 205, 150), (250, 110, 0), (170, 215, 255), (30, 110, 255))
    seen = [int((np.abs(drawn.image.astype(int) - color).max(axis=2) < 12).sum()) for color in wanted]
    assert min(seen) > 50
    assert "pale is the truth" in drawn.caption
    assert "liver 0.60" in drawn.caption
