"""From cases and a plan to a model."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from isocenter import datasets
from isocenter.datasets import Dataset
from isocenter.datasets.loading import load_images
from isocenter.errors import Refused, TryLater, UsageError
from isocenter.nets.models.model import load_model, weights_of
from isocenter.nets.networks import build
from isocenter.nets.plan import Plan
from isocenter.nets.predict import segmented
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
    return train(
        split, blob_plan, folder / "blobs", settings=replace(QUICK, steps=150, learning_rate=0.02, validate_every=50)
    )


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


def test_an_image_unlike_those_learned_from_is_told(trained: Trained, blob_set: Dataset) -> None:
    image = load_images(blob_set.cases[0], blob_set).images[0]
    for volume, is_told in ((image, False), (image.with_array(image.array * np.float32(50)), True)):
        said = {reason.code for reason in segmented(trained.model, volume).reasons}
        assert ("OUT_OF_DOMAIN" in said) == is_told


def test_its_course_lies_beside_it(trained: Trained) -> None:
    folder = trained.model.folder.with_name("blobs.course")
    table = (folder / "curve.csv").read_text().splitlines()
    assert table[0].startswith("step,loss,rate,seconds_s,score,")
    assert len(table) - 1 == len(trained.curve) == 15
    lines = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    assert lines[-1]["done"] == 150
    assert lines[-1]["scores"] == dict(trained.scores)


def test_the_same_call_gives_the_model_that_is_there(trained: Trained, blob_set: Dataset, blob_plan: Plan) -> None:
    settings = replace(QUICK, steps=150, learning_rate=0.02, validate_every=50, checkpoint_every=40)
    again = train(datasets.split(blob_set, 2), blob_plan, trained.model.folder, settings=settings)
    assert codes(again) == ["TRAINED_BEFORE"]
    assert again.model.sha256 == trained.model.sha256
    assert dict(again.scores) == dict(trained.scores)


def test_a_folder_that_is_no_model_is_not_replaced(blob_set: Dataset, blob_plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is there already, and no model"):
        train(blob_set, blob_plan, tmp_path, settings=QUICK)


def test_another_call_does_not_replace_it(trained: Trained, blob_set: Dataset, blob_plan: Plan) -> None:
    with pytest.raises(UsageError, match=r"is another model already \(.*steps 150 there, \d+ now.*\)"):
        train(blob_set, blob_plan, trained.model.folder, settings=QUICK)
    settings = replace(QUICK, steps=150, learning_rate=0.02, validate_every=50)
    with pytest.raises(UsageError, match=r"already \(a plan of other batch\)"):
        changed = replace(blob_plan, batch=blob_plan.batch + 1)
        train(datasets.split(blob_set, 2), changed, trained.model.folder, settings=settings)
    with pytest.raises(UsageError, match=r"already \(other images or cases\)"):
        train(datasets.split(blob_set, 3), blob_plan, trained.model.folder, settings=settings)


def test_without_held_out_cases_nothing_is_scored(blob_set: Dataset, blob_plan: Plan, tmp_path: Path) -> None:
    made = train(blob_set, blob_plan, tmp_path / "model", settings=replace(QUICK, steps=4))
    assert dict(made.scores) == {}
    assert [point.step for point in made.curve] == [4]


def test_stopped_it_goes_on_to_the_same_model(blob_set: Dataset, blob_plan: Plan, tmp_path: Path) -> None:
    split = datasets.split(blob_set, 2)
    stopping = [True]

    def stop(progress: Progress) -> None:
        if progress.done == 20 and progress.stage == "learning" and stopping:
            stopping.clear()
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TryLater, match="Stopped at step 21 of 30"):
        train(split, blob_plan, tmp_path / "a", settings=QUICK, observer=stop)
    assert not (tmp_path / "a").exists()
    resumed = train(split, blob_plan, tmp_path / "a", settings=QUICK)
    whole = train(split, blob_plan, tmp_path / "b", settings=QUICK)
    assert codes(resumed) == ["TRAINING_RESUMED"]
    assert resumed.model.sha256 == whole.model.sha256
    assert resumed.scores == whole.scores


def spoiled(dataset: Dataset, folder: Path) -> Dataset:
    """The data set with a file of its third case cut off."""
    shutil.copy(dataset.cases[2].images[0], folder / "cut.nii.gz")
    data = (folder / "cut.nii.gz").read_bytes()
    (folder / "cut.nii.gz").write_bytes(data[: len(data) // 2])
    cases = list(dataset.cases)
    cases[2] = replace(cases[2], images=(folder / "cut.nii.gz",))
    return replace(dataset, cases=tuple(cases))


def test_a_damaged_case_is_named_before_the_first_step(blob_set: Dataset, blob_plan: Plan, tmp_path: Path) -> None:
    seen: list[str] = []
    damaged = spoiled(blob_set, tmp_path)
    settings = replace(QUICK, steps=3)
    made = train(damaged, blob_plan, tmp_path / "m", settings=settings, observer=lambda one: seen.append(one.stage))
    assert any("case_2" in reason.message for reason in made.reasons)
    assert len(made.model.facts["training"]["learned_from"]) == 5
    assert list(dict.fromkeys(seen))[:2] == ["checking", "preparing"]


def test_without_a_usable_case_nothing_is_taught(blob_set: Dataset, blob_plan: Plan, tmp_path: Path) -> None:
    damaged = spoiled(blob_set, tmp_path)
    alone = replace(damaged, cases=(damaged.cases[2],))
    with pytest.raises(Refused) as refused:
        train(alone, blob_plan, tmp_path / "m", settings=QUICK)
    assert refused.value.reasons[0].code == "NOTHING_TO_LEARN_FROM"


def test_a_locked_case_is_not_learned_from(blob_set: Dataset, blob_plan: Plan, tmp_path: Path) -> None:
    split = datasets.split(blob_set, 2)
    datasets.lock(split.held_out, tmp_path / "lock.json")
    settings = replace(QUICK, steps=2, locks=(str(tmp_path / "lock.json"),))
    with pytest.raises(Refused) as refused:
        train(blob_set, blob_plan, tmp_path / "m", settings=settings)
    assert [reason.code for reason in refused.value.reasons] == ["LOCKED_CASE"] * 2
    train(split, blob_plan, tmp_path / "m", settings=settings)


def test_an_image_on_both_sides_is_only_held_out(blob_set: Dataset, blob_plan: Plan, tmp_path: Path) -> None:
    split = datasets.split(blob_set, 2)
    copy = replace(split.held_out.cases[0], id="copy")
    leaking = replace(split, train=replace(split.train, cases=(copy, *split.train.cases)))
    made = train(leaking, blob_plan, tmp_path / "m", settings=replace(QUICK, steps=2))
    assert "IMAGE_TWICE" in codes(made)
    assert len(made.model.facts["training"]["learned_from"]) == 4


def test_what_cannot_fit_is_refused_before_a_case_is_read(blob_set: Dataset, blob_plan: Plan, tmp_path: Path) -> None:
    vast = replace(blob_plan, patch=(512, 512, 512), batch=64)
    seen: list[str] = []
    with pytest.raises(Refused, match=r"needs about \d+.* GiB on cpu, where .* Lower the plan's batch") as refused:
        train(blob_set, vast, tmp_path / "m", settings=QUICK, observer=lambda one: seen.append(one.stage))
    assert refused.value.reasons[0].code == "TRAINING_TOO_LARGE"
    assert not seen


def test_a_plan_for_a_gpu_that_is_not_there_is_told(blob_set: Dataset, blob_plan: Plan, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(UsageError, match="There is no GPU"):
        train(blob_set, replace(blob_plan, device="cuda"), tmp_path / "m", settings=QUICK)


def test_a_plan_of_other_data_is_told(blob_set: Dataset, blob_plan: Plan, tmp_path: Path) -> None:
    swapped = replace(blob_plan, labels=("tip", "body"))
    with pytest.raises(UsageError, match="has the labels tip, body, and the data set blobs has body, tip"):
        train(blob_set, swapped, tmp_path / "m", settings=QUICK)
    with pytest.raises(UsageError, match="has the channels CT, and the data set blobs has MR"):
        train(blob_set, replace(blob_plan, channels=("CT",)), tmp_path / "m", settings=QUICK)


def test_the_public_names_are_there_without_torch_or_data_sets() -> None:
    code = (
        "import sys, isocenter.train as t, isocenter.train.settings; loaded = set(sys.modules);"
        "assert not {'torch', 'isocenter.datasets', 'isocenter.train.training'} & loaded;"
        "[getattr(t, name) for name in t.__all__]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
