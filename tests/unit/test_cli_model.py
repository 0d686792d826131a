"""The commands of models, from adding one to removing it."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch

from isocenter import cli, formats
from isocenter.geometry import Grid
from isocenter.nets.models.model import Model, save_model
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Normalisation, Plan
from isocenter.volume import Volume

PLAN = Plan(
    "segmentation",
    ("CT",),
    ("left", "right"),
    Network("residual_unet", {"features": [4, 8], "blocks": [1, 1]}),
    (16, 16, 16),
    spacing_mm=(1.7, 1.3, 1.3),
    normalisation=(Normalisation("ct", -100.0, 300.0, 50.0, 80.0),),
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ISOCENTER_MODELS", str(tmp_path / "store"))
    torch.manual_seed(0)
    save_model(Model("made here", "2", PLAN, tmp_path / "made", {}, licence="MIT"), [build(PLAN).state_dict()])
    grid = Grid.from_vectors((21, 19, 23), spacing_mm=(2.0, 1.0, 1.0), origin_mm=(5, 6, 7))
    array = np.random.default_rng(0).normal(40, 90, grid.shape).astype(np.int16)
    formats.save(Volume(array, grid), tmp_path / "case.nii.gz")
    return tmp_path


def run(monkeypatch, capsys, *words):
    """What a command prints, and its exit status."""
    monkeypatch.setattr(sys, "argv", ["isocenter", "model", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return capsys.readouterr().out, stopped.value.code


def test_a_model_comes_is_checked_goes_out_and_is_removed(folder, monkeypatch, capsys):
    def told(*words):
        text, status = run(monkeypatch, capsys, *words, "--json")
        return json.loads(text), status

    added, status = told("add", folder / "made", "--name", "mine")
    assert (status, added["licence"], added["plan"]["labels"]) == (0, "MIT", ["left", "right"])
    listed, _ = told("list")
    assert [one["name"] for one in listed["models"]] == ["mine"] == [added["name"]]
    shown, _ = told("show", "mine")
    assert shown["sha256"] == added["sha256"]
    checked, status = told("check", "mine", folder / "case.nii.gz")
    assert status == 0
    (case,) = checked["cases"]
    assert len(set(case["digests"].values())) == 1
    assert set(case["digests"]) == {"learning", "evaluation", "serving"}
    assert min(one["dice"] for one in case["runtimes"].values()) >= 0.999
    exported, status = told("export", "mine", folder / "net.onnx")
    assert exported["equality"]["dice"] >= 0.999
    card, _ = told("card", "mine")
    assert "## Exports" in card["card"]
    _, status = told("remove", "mine")
    assert status == 0
    assert not (folder / "store" / "mine").exists()


def test_people_are_told_in_words(folder, monkeypatch, capsys):
    text, _ = run(monkeypatch, capsys, "add", folder / "made")
    assert "for segmentation of left, right in CT" in text
    text, _ = run(monkeypatch, capsys, "list")
    assert "made-here" in text
    text, status = run(monkeypatch, capsys, "check", "made-here", folder / "case.nii.gz", "--runtimes", "torch,onnx")
    assert status == 0
    assert "same for learning, evaluation and serving" in text
    assert "openvino" not in text
    text, _ = run(monkeypatch, capsys, "card", "made-here")
    assert "# made here 2" in text


def test_changed_weights_fail_the_check(folder, monkeypatch, capsys):
    run(monkeypatch, capsys, "add", folder / "made", "--name", "mine")
    path = folder / "store" / "mine" / "weights_0.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    _, status = run(monkeypatch, capsys, "check", "mine")
    assert status == 1


def test_a_case_that_is_seen_otherwise_fails_the_check(folder, monkeypatch, capsys):
    from isocenter.pipeline import model as checking

    run(monkeypatch, capsys, "add", folder / "made", "--name", "mine")
    before = checking.served_images
    monkeypatch.setattr(
        checking,
        "served_images",
        lambda paths: [one.with_array(np.where(one.array == one.array.max(), 0, one.array)) for one in before(paths)],
    )
    text, status = run(monkeypatch, capsys, "check", "mine", folder / "case.nii.gz", "--runtimes", "torch", "--json")
    assert status == 1
    digests = json.loads(text)["cases"][0]["digests"]
    assert digests["learning"] == digests["evaluation"] != digests["serving"]


def test_a_damaged_model_is_listed_as_such(folder, monkeypatch, capsys):
    run(monkeypatch, capsys, "add", folder / "made", "--name", "mine")
    (folder / "store" / "mine" / "model.json").write_text("{")
    text, status = run(monkeypatch, capsys, "list", "--json")
    assert status == 0
    assert "damaged" in json.loads(text)["models"][0]
    text, _ = run(monkeypatch, capsys, "list")
    assert "damaged" in text
    _, status = run(monkeypatch, capsys, "show", "mine")
    assert status == 1


@pytest.mark.parametrize(
    "words",
    [
        ("show", "absent"),
        ("remove", "absent"),
        ("remove", "../made"),
        ("add", "absent"),
        ("add", "made", "--plan", "absent.json"),
        ("export", "made", "made"),
        ("export", "made", "net.x", "--to", "keras"),
        ("check", "made", "absent.nii.gz"),
        ("check", "made", "case.nii.gz,case.nii.gz"),
        ("check", "made", "case.nii.gz", "--runtimes", "tensorflow"),
    ],
)
def test_wrong_use_is_told(folder, monkeypatch, capsys, words):
    monkeypatch.chdir(folder)
    _, status = run(monkeypatch, capsys, *words)
    assert status == 2
    assert (folder / "made" / "model.json").is_file()
