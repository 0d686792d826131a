from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isocenter.datasets.dataset import Dataset
from isocenter.datasets.loading import load_case
from isocenter.errors import UsageError
from isocenter.nets.certainty.conformal import Calibration
from isocenter.nets.plan import Plan
from isocenter.nets.predict import segmented
from isocenter.train.folds import OutOfFold, _calibration, train_folds
from isocenter.train.settings import Settings

QUICK = Settings(steps=3, validate_every=3, workers=0, augmentation="none", precision="fp32")


def test_each_case_is_asked_of_a_network_that_did_not_see_it(
    blob_set: Dataset, blob_plan: Plan, tmp_path: Path
) -> None:
    made = train_folds(blob_set, blob_plan, tmp_path / "model", count=2, settings=QUICK)
    assert len(made.model.weights) == 2
    names = {hashlib.sha256(case.id.encode()).hexdigest() for case in blob_set.cases}
    assert {one.case for one in made.cases} == names
    for one in made.cases:
        assert one.case not in made.model.facts["members"][one.fold]["training"]["learned_from"]
        assert all(0 <= value <= 1 for value in one.dice.values())
    with (tmp_path / "model.folds" / "out_of_fold.csv").open(encoding="utf-8") as file:
        assert {row["case"] for row in csv.DictReader(file)} == {case.id for case in blob_set.cases}
    found = segmented(made.model, load_case(blob_set.cases[0], blob_set).images)
    assert found.names == ("body", "tip")
    again = train_folds(blob_set, blob_plan, tmp_path / "model", count=2, settings=QUICK)
    assert "TRAINED_BEFORE" in [one.code for one in again.reasons]
    assert again.mean_dice == made.mean_dice
    with pytest.raises(UsageError, match="another model"):
        train_folds(blob_set, blob_plan, tmp_path / "model", count=3, settings=QUICK)


def test_enough_cases_are_a_calibration() -> None:
    random = np.random.default_rng(0)
    cases = []
    for number in range(30):
        expected = float(random.uniform(0.6, 0.95))
        dice = {"a": min(1.0, expected + float(random.normal(0, 0.02))), "b": float("nan")}
        told = {"expected_dice": expected, "least_expected_dice": expected, "entropy": 1 - expected}
        cases.append(OutOfFold(str(number), 0, dice, told))
    calibration = Calibration.from_dict(_calibration(cases)["calibration"])
    low, high = (calibration.interval((x, x, 1 - x)) for x in (0.65, 0.9))
    assert low.estimate == pytest.approx(0.65, abs=0.03)
    assert low.high < high.high
    assert _calibration(cases[:10]) == {}
    assert [OutOfFold.from_dict(one.to_dict()).mean_dice for one in cases] == [one.mean_dice for one in cases]


def test_other_tasks_have_no_folds(blob_set: Dataset, blob_plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Dice of a segmentation"):
        train_folds(blob_set, replace(blob_plan, task="denoising"), tmp_path / "model")
