"""Classical learning is tested unseen: settings, scaling and components never meet the cases they are tested on."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isocenter import formats
from isocenter.datasets import open_dataset
from isocenter.errors import Refused, UsageError
from isocenter.geometry import Grid
from isocenter.ops.radiomics import features
from isocenter.testing.labelled import labelled_case
from isocenter.train.classical import Nested, cross_tested, learned
from isocenter.train.tables import Table, table_of_features, table_of_images
from isocenter.volume import Volume

QUICK = Nested(folds=3, inner=2, permutations=0)


def table(apart: float, *, count: int = 60, columns: int = 12, seed: int = 0) -> Table:
    """Two categories whose first column differs by so many deviations."""
    random = np.random.default_rng(seed)
    truth = np.arange(count) % 2
    values = random.normal(0, 1, (count, columns))
    values[:, 0] += apart * truth
    cases = tuple(f"c{n}" for n in range(count))
    return Table(cases, tuple(f"x{n}" for n in range(columns)), values, tuple("ab"[n] for n in truth))


@pytest.mark.parametrize("method", ["logistic", "pca_svm"])
def test_what_differs_is_told_apart_and_what_does_not_is_not(method: str) -> None:
    how = replace(QUICK, method=method)
    assert cross_tested(table(6.0), how).auroc.value > 0.9
    chance = cross_tested(table(0.0), how).auroc
    assert chance.low < 0.5 < chance.high


def test_permuted_truth_says_what_chance_gives() -> None:
    how = replace(QUICK, method="logistic", permutations=19)
    assert cross_tested(table(4.0), how).p_value == pytest.approx(1 / 20)
    assert cross_tested(table(0.0), how).p_value > 0.05


def test_probabilities_sum_to_one_and_the_same_call_gives_the_same() -> None:
    one, other = cross_tested(table(1.0), QUICK), cross_tested(table(1.0), QUICK)
    assert np.allclose(one.probabilities.sum(axis=1), 1)
    assert np.array_equal(one.probabilities, other.probabilities)
    assert one.auroc == other.auroc
    assert one.to_dict()["p_value"] is None


def test_copies_of_a_patient_do_not_help() -> None:
    """Each patient is there four times, nearly alike, and the truth is noise: parted, it would be told perfectly."""
    random = np.random.default_rng(1)
    patients = np.repeat(np.arange(24), 4)
    values = random.normal(0, 1, (24, 30))[patients] + random.normal(0, 0.01, (96, 30))
    truth = tuple("ab"[n] for n in random.permutation(np.arange(24) % 2)[patients])
    cases = tuple(map(str, range(96)))
    apart = Table(cases, (), values, truth)
    together = replace(apart, groups=tuple(map(str, patients)))
    assert cross_tested(apart, QUICK).auroc.value > 0.95
    assert cross_tested(together, QUICK).auroc.value < 0.75
    assert cross_tested(together, QUICK).auroc.count == 24  # the interval is of patients


def test_few_cases_are_said() -> None:
    assert [one.code for one in cross_tested(table(3.0, count=40), QUICK).reasons] == ["TABLE_SMALL"]
    assert cross_tested(table(3.0, count=60), QUICK).reasons == ()


def test_the_model_of_all_cases_tells_new_ones_apart() -> None:
    model = learned(table(6.0), QUICK)
    new = table(6.0, seed=9)
    assert np.mean(model.predict(new.values) == [new.categories.index(one) for one in new.truth]) > 0.9


def test_what_cannot_be_tested_is_told() -> None:
    with pytest.raises(UsageError, match="one category"):
        cross_tested(replace(table(1.0), truth=("a",) * 60), QUICK)
    with pytest.raises(UsageError, match="cannot make 40 folds"):
        cross_tested(table(1.0), replace(QUICK, folds=40))
    with pytest.raises(UsageError, match="The method is one of"):
        cross_tested(table(1.0), replace(QUICK, method="forest"))


def test_a_table_that_does_not_fit_itself_is_told() -> None:
    good = table(1.0)
    spoiled = good.values.copy()
    spoiled[3, 4] = np.nan
    with pytest.raises(UsageError, match="x4"):
        replace(good, values=spoiled)
    with pytest.raises(UsageError, match="a row and a category"):
        replace(good, truth=good.truth[1:])
    with pytest.raises(UsageError, match="11 names of columns"):
        replace(good, columns=good.columns[1:])
    with pytest.raises(UsageError, match="groups"):
        replace(good, groups=("a",))


def test_features_of_all_cases_become_columns() -> None:
    found = {}
    for seed in range(3):
        image, labels = labelled_case(seed)
        found[f"c{seed}"] = features(image, labels, names=("organ",), families=("statistics",))
    made = table_of_features(found, {"c0": "a", "c1": "b", "c2": "a"}, groups={"c0": "p", "c1": "q", "c2": "p"})
    assert made.cases == ("c0", "c1", "c2")
    assert (made.truth, made.groups) == (("a", "b", "a"), ("p", "q", "p"))
    mean = found["c1"].of("statistics", "mean").value
    assert made.values[1, made.columns.index("organ/statistics/mean")] == pytest.approx(mean, rel=1e-6)
    with pytest.raises(UsageError, match="1 of 3 cases have no category"):
        table_of_features(found, {"c0": "a", "c1": "b"})


def pictures(folder: Path, sizes: tuple[int, int]) -> Path:
    for name, size in zip(("dark", "light"), sizes, strict=True):
        (folder / name).mkdir(parents=True)
        for number in range(2):
            array = np.full((1, 6, size), 10 * number + len(name), np.uint8)
            formats.save(Volume(array, Grid(array.shape, np.eye(4))), folder / name / f"{number}.tif")
    return folder


def test_pictures_become_rows(tmp_path: Path) -> None:
    made = table_of_images(open_dataset(pictures(tmp_path / "same", (7, 7))))
    assert made.values.shape == (4, 42)
    assert made.truth == ("dark", "dark", "light", "light")
    assert made.values[3].tolist() == [15.0] * 42
    with pytest.raises(UsageError, match="not of one shape"):
        table_of_images(open_dataset(pictures(tmp_path / "other", (7, 8))))


def test_a_damaged_picture_is_told(tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for name in ("a/1.png", "b/1.png"):
            zipped.writestr(name, b"nothing")
    with pytest.raises(Refused, match="CASE_DAMAGED"):
        table_of_images(open_dataset(archive))
