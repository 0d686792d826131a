from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from isocenter.report import canvas

SIZE = 20


def drawn(count: int, room_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows with any ink, and rows with a dot, of a legend of so many names in a picture of 400 rows."""
    image = Image.new("RGB", (300, 400))
    entries = [(f"structure {n}", (255, 0, 0)) for n in range(count)]
    canvas.legend(ImageDraw.Draw(image), (290, 10), entries, room_px=room_px, size=SIZE)
    picture = np.asarray(image).astype(int)
    dots = (picture[..., 0] > 200) & (picture[..., 1] < 50)
    return picture.any((1, 2)), dots.any(1)


@pytest.mark.parametrize("count", [1, 5, 6])
def test_a_legend_with_room_has_a_dot_for_each_name(count):
    _, dots = drawn(count, 6 * 1.3 * SIZE)
    assert np.count_nonzero(np.diff(dots.astype(int)) == 1) == count


@pytest.mark.parametrize("count", [7, 104])
def test_a_legend_of_more_names_than_it_has_room_for_stays_within_it_and_counts_the_others(count):
    ink, dots = drawn(count, 6 * 1.3 * SIZE)
    assert np.count_nonzero(np.diff(dots.astype(int)) == 1) == 5
    assert np.flatnonzero(ink).max() > np.flatnonzero(dots).max() + SIZE / 2  # a line without a dot: "and 2 more"
    assert np.flatnonzero(ink).max() <= 10 + 6 * 1.3 * SIZE
