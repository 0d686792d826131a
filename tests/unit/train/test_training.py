"""From cases and a plan to a model."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from isocenter import datasets
from isocenter.datasets import Dataset
from isocenter.errors import InputError, Refused, TryLater, UsageError
from isocenter.nets.model import load_model, weights_of
from isocenter.nets.networks import build
from isocenter.nets.plan import Plan
from isocenter.train.progress import Progress
from isocenter.train.settings import Settings
from isocenter.train.training import Trained, train

QUICK = Settings(steps=30, validate_every=15, checkpoint_every=10, mode="deterministic", augmentation="none")


def codes(made: Trained) -> list[str]:
    return [reason.code for reason in made.reasons]


@pytest.fixture(scope="module")
def trained(blob_set: Dataset, blob_plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    split = datasets.split(blob_set, 2)
    folder = tmp_path_factory.mktemp("trained")
    return train(split, blob_plan, folder / "blobs", settings=replace(QUICK, steps=150, learning_rate=0.02))


def test_a_model_is_taught_and_found_again(trained: Trained, blob_plan: Plan) -> None:
    model = load_model(trained.model.folder)
    assert model.plan.sha256 == blob_plan.sha256
    assert trained.scores["score"] > 0.8
    assert model.facts["held_out"] == dict(trained.scores)
    training = model.facts["training"]
    assert training["step"] == 150
    assert (len(training["learned_from"]), len(training["held_out"])) == (4, 2)
    assert "case_" not in json.dumps(model.to_dict()), "names of cases may tell who a patient is"
    build(blob_plan).load_state_dict(weights_of(model)[0])


def test_its_course_lies_beside_it(trained: Trained) -> None:
    folder = trained.model.folder.with_name("blobs.course")
    table = (folder / "curve.csv").read_text().splitlines()
    assert table[0].startswith("step,loss,rate,seconds_s,score,")
    assert len(table) - 1 == len(trained.curve) == 15
    lines = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    assert lines[-1]["done"] == 150
    assert lines[-1]["scores"] == dict(trained.scores)
