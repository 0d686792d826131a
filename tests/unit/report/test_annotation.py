from __future__ import annotations

import numpy as np

from isocenter.geometry import Grid
from isocenter.report import canvas
from isocenter.report.annotation import Notes, annotated
from isocenter.report.planes import Plane, stack

FOOT = "W 968.6 / L 534.9"


def test_the_lines_at_the_foot_of_a_narrow_picture_keep_clear_of_its_letter():
    grid = Grid.from_vectors((4, 40, 12), spacing_mm=(1.0, 1.0, 1.0))
    array = np.zeros(grid.shape, np.float32)
    seen = stack(array, grid, Plane.AXIAL)
    dark = np.zeros((400, 120, 3), np.uint8)
    drawn = annotated(dark, seen, 10.0, Notes(foot=(FOOT,)), size=20, least_px=0)
    letters = annotated(dark, seen, 10.0, Notes(), size=20, least_px=drawn.shape[1])
    begin = np.flatnonzero(letters[-30:, : drawn.shape[1] * 2 // 3].any((0, 2))).min()  # of the letter below
    assert begin > 20 * 0.6 + canvas.font(20).getlength(FOOT)


def test_a_wide_picture_keeps_its_size():
    grid = Grid.from_vectors((4, 40, 12), spacing_mm=(1.0, 1.0, 1.0))
    seen = stack(np.zeros(grid.shape, np.float32), grid, Plane.AXIAL)
    dark = np.zeros((400, 900, 3), np.uint8)
    assert annotated(dark, seen, 10.0, Notes(foot=(FOOT,)), size=20, least_px=0).shape == dark.shape
