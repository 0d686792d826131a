from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isocenter.datasets.dataset import Dataset
from isocenter.errors import InputError
from isocenter.nets.plan import Plan
from isocenter.train.cache import CachedCase, cached
from isocenter.train.patches import Place, Sampling, cut, draw


@pytest.fixture
def cases(blob_set: Dataset, blob_plan: Plan, folder: Path) -> tuple[CachedCase, ...]:
    return cached(replace(blob_set, cases=blob_set.cases[:3]), blob_plan, folder).cases


def test_a_patch_is_the_image_and_zero_beyond_it(cases: tuple[CachedCase, ...]) -> None:
    case, around = cases[0], 9
    padded = np.pad(case.image(), [(0, 0), *[(around, around)] * 3])
    labels = np.pad(case.labels(), around)
    random = np.random.default_rng(1)
    for _ in range(20):
        start = tuple(int(n) for n in random.integers(-4, 12, 3))
        patch = cut(Place(case, start), Sampling((5, 7, 6)), margin=(1, 2, 0))
        k, r, c = (
            slice(n - m + around, n - m + around + w) for n, m, w in zip(start, (1, 2, 0), (7, 11, 6), strict=True)
        )
        assert np.array_equal(patch.image, padded[:, k, r, c])
        assert np.array_equal(patch.labels, labels[k, r, c])


def test_a_third_is_centred_on_a_label_and_small_ones_as_often(cases: tuple[CachedCase, ...]) -> None:
    random = np.random.default_rng(0)
    how = Sampling((1, 1, 1))
    places = [one for _ in range(400) for one in draw(cases, how, random, count=3)]
    found = Counter(int(cut(one, how).labels[0, 0, 0]) for one in places)
    share = np.mean([np.mean(case.labels() == 2) for case in cases])
    assert found[2] == pytest.approx(1200 * (1 / 6 + 2 / 3 * share), rel=0.2)
    assert Counter(one.case.id for one in places).keys() == {"case_0", "case_1", "case_2"}


def test_exactly_one_of_three_in_a_row_is_centred(cases: tuple[CachedCase, ...]) -> None:
    where = {case.id: case.labels() for case in cases}
    background = replace(cases[0], places={1: 1})  # one place alone, so that being centred on it can be told
    place = tuple(n - 1 for n in background.place(1, 0))
    assert where[background.id][background.place(1, 0)] == 1
    for seed in range(20):
        patches = draw([background], Sampling((2, 2, 2)), np.random.default_rng(seed), count=6)
        assert sum(one.start == place for one in patches) >= 2
    none = [draw([background], Sampling((2, 2, 2), foreground=0), np.random.default_rng(s), count=6) for s in range(20)]
    assert sum(one.start == place for some in none for one in some) <= 2


def test_the_same_generator_gives_the_same_patches(cases: tuple[CachedCase, ...]) -> None:
    first, second, other = (draw(cases, Sampling((4, 9, 9)), np.random.default_rng(s), count=4) for s in (5, 5, 6))
    assert first == second != other


def test_a_patch_larger_than_the_image_holds_all_of_it(cases: tuple[CachedCase, ...]) -> None:
    how = Sampling((40, 40, 40))
    for place in draw(cases, how, np.random.default_rng(0), count=9):
        assert np.count_nonzero(cut(place, how).labels) == np.count_nonzero(place.case.labels())


def test_neighbours_are_channels_as_the_window_has_them(cases: tuple[CachedCase, ...]) -> None:
    from isocenter.nets.windows.accumulating import Band, Scene
    from isocenter.nets.windows.window import along

    case, how = cases[0], Sampling((1, 8, 9), neighbours=2)
    k, r, c = (along(n, roi, overlap=0.5) for n, roi in zip(case.space, how.shape, strict=True))
    band = Band(Scene(case.image(), (k, r, c), 2, 1), "cpu")
    for first in (0, 1, 6, case.space[0] - 1):
        assert np.array_equal(cut(Place(case, (first, 3, 4)), how).image, band.patches(first, [(3, 4)])[0])


def test_a_case_that_is_gone_is_told_by_name(cases: tuple[CachedCase, ...]) -> None:
    (cases[1].folder / "image.npy").unlink()
    with pytest.raises(InputError, match="case_1"):
        cut(Place(cases[1], (0, 0, 0)), Sampling((4, 4, 4)))
