from __future__ import annotations

import numpy as np
import pytest

from isocenter.geometry import Grid
from isocenter.report.annotation import Notes, annotated
from isocenter.report.planes import Plane, stack

LINE = "W 968.6 / L 534.9"


def ink(seen, notes: Notes, columns: int) -> np.ndarray:
    """Where anything is written on the left two thirds of a dark picture: the right has the scale bar."""
    dark = np.zeros((400, columns, 3), np.uint8)
    drawn = annotated(dark, seen, 10.0, notes, size=20, least_px=0)
    assert drawn.shape == dark.shape
    return drawn[:, : columns * 2 // 3].any(2)


@pytest.mark.parametrize("columns", [250, 300, 900])
@pytest.mark.parametrize("notes", [Notes(foot=(LINE,)), Notes(head=("Axial", LINE))])
def test_lines_at_the_edge_of_a_picture_keep_clear_of_its_letters(columns, notes):
    grid = Grid.from_vectors((4, 40, 12), spacing_mm=(1.0, 1.0, 1.0))
    seen = stack(np.zeros(grid.shape, np.float32), grid, Plane.AXIAL)
    letters = ink(seen, Notes(), columns)
    both = ink(seen, notes, columns)
    assert both.sum() - letters.sum() > 500  # the lines
    pixels = np.argwhere(letters[:, columns // 3 :])  # those above and below
    edge = pixels[:, 0] < 40 if notes.head else pixels[:, 0] > 360
    (top, left), (bottom, right) = pixels[edge].min(0), pixels[edge].max(0)
    box = (slice(top, bottom + 1), slice(left + columns // 3, right + columns // 3 + 1))
    assert edge.sum() > 20
    assert np.array_equal(both[box], letters[box])
