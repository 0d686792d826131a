"""Lesions counted one by one."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import UsageError
from isocenter.evaluate import lesions
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid


def made(*boxes: tuple[int, int, int]) -> Segmentation:
    """Bars of a size at a place along the columns: (place, size, row)."""
    array = np.zeros((5, 12, 60), np.uint8)
    for place, size, row in boxes:
        array[2, row : row + 2, place : place + size] = 1
    grid = Grid.from_vectors(array.shape)
    return Segmentation((array,), grid, (Segment.named("lesion"),), Algorithm("t", "1"))


def test_each_lesion_is_matched_once() -> None:
    truth = made((0, 10, 0), (20, 10, 0), (40, 10, 0))
    found = made((1, 10, 0), (20, 4, 0), (26, 4, 0), (55, 3, 6))
    one = lesions(found, truth, name="lesion")
    assert (one.hits, one.missed, one.false_alarms) == (2, 1, 2)
    assert one.f1 == pytest.approx(4 / 7)
    assert (one.sensitivity, one.precision) == (pytest.approx(2 / 3), pytest.approx(0.5))


def test_each_criterion_says_when_two_are_one() -> None:
    truth, found = made((0, 20, 0)), made((18, 20, 0))
    assert lesions(found, truth, name="lesion", criterion="overlap").hits == 1
    assert lesions(found, truth, name="lesion", criterion="iou", least=0.1).hits == 0
    assert lesions(found, truth, name="lesion", criterion="iou", least=4 / 76).hits == 1
    assert lesions(found, truth, name="lesion", criterion="centre").hits == 0
    assert lesions(made((15, 6, 0)), truth, name="lesion", criterion="centre").hits == 1


def test_as_many_as_can_be_are_matched() -> None:
    truth = made((0, 10, 0), (11, 10, 0))
    found = made((0, 21, 0))  # one over both
    two = made((0, 3, 0), (4, 17, 0))  # the second overlaps both, the first one alone
    assert lesions(found, truth, name="lesion", criterion="overlap").hits == 1
    assert lesions(two, truth, name="lesion", criterion="overlap").hits == 2


def test_many_specks_are_counted_soon() -> None:
    rng = np.random.default_rng(0)
    sides = [
        Segmentation(
            ((rng.random((30, 100, 100)) < 0.01).astype(np.uint8),),
            Grid.from_vectors((30, 100, 100)),
            (Segment.named("lesion"),),
            Algorithm("t", "1"),
        )
        for _ in range(2)
    ]
    found = lesions(*sides, name="lesion", criterion="overlap", connectivity=6)
    shared = np.count_nonzero(sides[0].mask() & sides[1].mask())
    assert 0.9 * shared < found.hits <= shared


def test_no_lesion_anywhere_has_no_score() -> None:
    nothing = made()
    one = lesions(nothing, nothing, name="lesion")
    assert (one.hits, one.missed, one.false_alarms) == (0, 0, 0)
    assert np.isnan([one.f1, one.sensitivity, one.precision]).all()
    assert lesions(made((0, 5, 0)), nothing, name="lesion").false_alarms == 1
    assert lesions(nothing, made((0, 5, 0)), name="lesion").f1 == 0


def test_wrong_calls_are_told() -> None:
    one = made((0, 5, 0))
    for settings in ({"criterion": "touch"}, {"least": 0}, {"connectivity": 5}, {"name": "spleen"}):
        with pytest.raises(UsageError):
            lesions(one, one, **{"name": "lesion", **settings})
