"""The command that teaches a network: with no settings, by a file of settings, and what is wrong with either."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter import cli
from isocenter.nets.models.model import load_model
from isocenter.nets.plan import Network, Plan, save_plan
from isocenter.nets.region import coarse_of
from isocenter.testing.labelled import write_labelled
from isocenter.train.tasks import TASKS

SMALL = {"features": (4, 8), "blocks": (1, 1)}
PLAN = Plan(
    "segmentation",
    ("MR",),
    ("organ", "lesion"),
    Network("residual_unet", SMALL),
    (16, 24, 24),
    2,
    spacing_mm=(1.5, 1.0, 1.0),
)


def run(monkeypatch: pytest.MonkeyPatch, *words: Any) -> Any:
    monkeypatch.setattr(sys, "argv", ["isocenter", "train", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return stopped.value.code


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_labelled(tmp_path_factory.mktemp("labelled"), 6)
    save_plan(PLAN, folder / "plan.json")
    return folder


def config(folder: Path, labelled: Path, more: str = "") -> Path:
    path = folder / "job.toml"
    text = f'dataset = "{labelled}"\nplan = "{labelled}/plan.json"\nheld_out = 2\n'
    path.write_text(f'{text}{more}[training]\nsteps = 20\nvalidate_every = 10\naugmentation = "none"\n')
    return path


def test_a_file_of_settings_teaches_a_model(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, config(tmp_path, labelled), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"] == str(tmp_path / "model")
    assert [point["step"] for point in told["curve"] if point["scores"]] == [10, 20]
    assert told["scores"] == told["curve"][-1]["scores"]
    model = json.loads((tmp_path / "model" / "model.json").read_text())
    training = model["facts"]["training"]
    assert (training["dataset_licence"], len(training["held_out"])) == ("CC0", 2)
    assert run(monkeypatch, config(tmp_path, labelled)) == 0
    assert "TRAINED_BEFORE" in capsys.readouterr().out


def test_without_settings_a_plan_is_made(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, labelled, "--steps", 1) == 0
    assert "model: 1 steps in" in capsys.readouterr().out
    plan = json.loads(Path("model/model.json").read_text())["plan"]
    assert plan["labels"] == ["organ", "lesion"]
    assert "batch" in plan["why"]


JOBS = {
    "pretraining": (PLAN, 'task = "pretraining"\n'),
    "denoising": (replace(PLAN, task="denoising", labels=(), outputs=1, network=Network("denoiser", SMALL)), ""),
    "detection": (replace(PLAN, task="detection", network=Network("heatmap", {**SMALL, "stride": (1, 2, 2)})), ""),
    "folds": (PLAN, "folds = 2\n"),
    "coarse": (replace(PLAN, coarse=replace(PLAN, spacing_mm=(3.0, 3.0, 3.0))), ""),
}


@pytest.mark.parametrize("name", list(JOBS))
def test_each_task_is_taught_by_a_file_of_settings(
    name: str, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, more = JOBS[name]
    save_plan(plan, tmp_path / "plan.json")
    text = f'dataset = "{labelled}"\nplan = "plan.json"\n{more}[training]\nsteps = 2\nworkers = 0\n'
    (tmp_path / "job.toml").write_text(text)
    assert run(monkeypatch, tmp_path / "job.toml", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    model = load_model(tmp_path / "model")
    assert model.plan.task == (name if name in TASKS else "segmentation")
    assert model.facts["domain"]["images"] == (6 if name == "folds" else 5)
    assert len(model.weights) == (2 if name == "folds" else 1)
    assert told["scores"]
    coarse = coarse_of(model)
    assert (coarse is not None) == (name == "coarse")
    if coarse is not None:
        assert (coarse.plan, coarse.sha256) == (plan.coarse, load_model(tmp_path / "model.coarse").sha256)


def test_categories_are_taught_without_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    random = np.random.default_rng(0)
    for name, light in (("dark", 60), ("bright", 180)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(5):
            values = random.normal(light, 20, (16, 16)).clip(0, 255).astype(np.uint8)
            Image.fromarray(values).save(tmp_path / "set" / name / f"{number}.png")
    assert run(monkeypatch, tmp_path / "set", "--out", tmp_path / "model", "--steps", 2) == 0
    assert load_model(tmp_path / "model").plan.labels == ("bright", "dark")


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("dataset = 3\n", 2, "dataset in job.toml is a path"),
        ('datasett = "a"\n', 2, "job.toml has datasett; it may have dataset"),
        ("out = 'a'\n", 2, "does not say which dataset"),
        ("dataset = 'none'\n", 2, "none"),
        ("dataset = 'a'\nheld_out = 'b'\n", 2, "held_out in job.toml is a number"),
        ("dataset = 'a'\ndevice = 'tpu'\n", 2, "The device"),
        ("dataset = 'a'\ntask = 'dreaming'\n", 2, "The task"),
        ("dataset = 'a'\nfolds = 'five'\n", 2, "folds is a whole number"),
        ("dataset = 'a'\ntraining = 3\n", 2, "training is a table"),
        ("dataset = 'a'\n[training]\nstepz = 3\n", 2, "no setting stepz"),
        ("dataset = \n", 1, "is no TOML"),
    ],
)
def test_a_wrong_file_of_settings_is_told(
    text: str,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "job.toml").write_text(text)
    assert run(monkeypatch, tmp_path / "job.toml") == status
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_missing_path_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, tmp_path / "none") == 2
    assert run(monkeypatch, tmp_path / "none.toml") == 2


def test_sigterm_leaves_a_checkpoint_and_exits_3(labelled: Path, tmp_path: Path) -> None:
    path = config(tmp_path, labelled)
    path.write_text(path.read_text().replace("steps = 20", "steps = 100000"))
    words = [sys.executable, "-m", "isocenter", "train", str(path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment) as process:
        course = tmp_path / "model.course"
        while process.poll() is None and not (course / "progress.jsonl").exists():
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert "Try later: Stopped at step" in process.stderr.read()
        assert process.wait() == 3
    assert list(course.glob("step_*.checkpoint"))
    assert not (tmp_path / "model").exists()
