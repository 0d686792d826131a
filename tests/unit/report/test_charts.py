"""Charts of numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isocenter.report.charts import Line, Words, columns_chart, points_chart, rows_chart

WORDS = Words("name", "Title", "Caption.")


def inked(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """Places (row, column) of a colour."""
    return np.argwhere((picture == color).all(axis=2))


def test_a_greater_value_stands_farther_right() -> None:
    blue = (31, 79, 134)
    places = []
    for value in (0.2, 0.9):
        lines = [
            Line("group", is_head=True),
            Line("one", 0.0),
            Line("other", value, 0.1, 0.95, 0.5, "n 3"),
            Line("x", 1.0),
        ]
        found = rows_chart(lines, WORDS, unit="Dice")
        row = inked(found.image, blue)
        dots = row[(row[:, 0] > 30 + 2 * 46) & (row[:, 0] < 30 + 3 * 46)]
        thick = [column for column in np.unique(dots[:, 1]) if (dots[:, 1] == column).sum() > 8]
        places.append(np.mean(thick))
    assert places[0] < places[1]


@pytest.mark.parametrize("values", [[], [math.nan], [1.0], [1.0, 1.0], [-3.0, 2e6], [0.0]])
def test_any_values_make_a_chart(values: list[float]) -> None:
    for found in (
        rows_chart([Line("a long name of a group that does not fit into its room", v) for v in values], WORDS),
        columns_chart([("all", values), ("none", [])], WORDS, unit="mm"),
        points_chart(
            [(v, v) for v in values if math.isfinite(v)], levels=[(0.5, "limit")], names=("x", "y"), words=WORDS
        ),
    ):
        assert found.image.dtype == np.uint8
        assert found.data.startswith(b"\x89PNG")


def test_differences_that_are_all_nought_lie_in_the_middle() -> None:
    points = [(10.0, 0.0), (20.0, 0.0), (30.0, 0.0)]
    levels = [(0.0, "bias"), (0.0, "lower limit"), (0.0, "upper limit")]
    image = points_chart(points, levels=levels, names=("mean", "difference"), words=Words("a", "A", "")).image
    dashes = np.flatnonzero((image[:, 300:500] == (190, 90, 20)).all(axis=2).any(axis=1))
    assert abs(dashes.mean() - (50 + 660) / 2) <= 2
