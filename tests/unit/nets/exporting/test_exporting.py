"""What is written for others gives the same when others run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch

from isocenter import formats
from isocenter.errors import Bug, UsageError
from isocenter.geometry import Grid
from isocenter.nets.exporting import export_model, monai_bundle
from isocenter.nets.exporting.equality import least_dice
from isocenter.nets.importing import Wishes, import_model
from isocenter.nets.models.model import Model, load_model, save_model
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Normalisation, Plan
from isocenter.nets.predict import segmented
from isocenter.nets.runtimes import open_runtime
from isocenter.volume import Volume

OPTIONS = {"features": [4, 8], "blocks": [1, 1]}


def model_of(folder, members=1, **changes):
    entries = {
        "task": "segmentation",
        "channels": ("MR",),
        "labels": ("left", "right"),
        "network": Network("residual_unet", OPTIONS),
        "patch": (16, 16, 16),
        "spacing_mm": (1.5, 1.0, 1.0),
        "orientation": "IPL",
        "normalisation": (Normalisation("ct", -50.0, 200.0, 70.0, 60.0),),
    }
    plan = Plan(**{**entries, **changes})
    torch.manual_seed(4)
    return save_model(
        Model("small", "1", plan, folder / "small", {}, licence="MIT"),
        [build(plan).state_dict() for _ in range(members)],
    )


def image(shape=(20, 24, 18), seed=0):
    """Smooth structures on a grid that lies as NIfTI files often do: right, anterior, superior."""
    k, r, c = np.ogrid[: shape[0], : shape[1], : shape[2]]
    smooth = 100 * np.sin(k / 3) * np.cos(r / 4) + 60 * np.sin(c / 2.5) + 60
    noise = np.random.default_rng(seed).normal(0, 5, shape)
    grid = Grid.from_vectors(shape, spacing_mm=(1.5, 1.0, 1.0), origin_mm=(10, -20, 30)).reorient("SAR")
    return Volume((smooth + noise).astype(np.float32), grid.with_shape(shape), modality="MR")


@pytest.mark.parametrize("to", ["onnx", "openvino", "torchscript"])
def test_a_file_gives_the_same_and_can_be_added_again(tmp_path, to):
    model = model_of(tmp_path, members=2)
    out = tmp_path / {"onnx": "net.onnx", "openvino": "net", "torchscript": "net.ts"}[to]
    made = export_model(model, out, to=to)
    assert made.equality.dice >= 0.999
    assert made.equality.difference < 1e-4
    assert to in load_model(model.folder).facts["exports"]
    assert f"- {to}: " in (model.folder / "card.md").read_text()
    if to == "openvino":
        assert (out / "model.bin").is_file()
        return
    again = import_model(out, wishes=Wishes(code="trusted"), store=tmp_path / "store")
    assert again.plan.labels == ("left", "right")
    batch = np.random.default_rng(0).standard_normal((1, 1, 16, 16, 16), np.float32)
    runtime = open_runtime(again, "onnx" if to == "onnx" else "torch")
    assert np.abs(runtime(batch) - open_runtime(model)(batch)).max() < 1e-4


def test_an_onnx_file_says_what_it_takes(tmp_path):
    model = model_of(tmp_path)
    export_model(model, tmp_path / "net.onnx", to="onnx")
    held = {one.key: one.value for one in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert Plan.from_dict(json.loads(held["isocenter.plan"])) == model.plan
    assert (held["name"], held["licence"]) == ("small", "MIT")


def by_monai(bundle, images):
    """Label maps by file name, of MONAI's own run of the bundle in a process of its own, without Isocenter."""
    arguments = {"dataset_dir": str(images), "bundle_root": str(bundle), "output_dir": str(images.parent / "eval")}
    code = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from monai.bundle import run\n"
        f"run(config_file={str(bundle / 'configs' / 'inference.json')!r}, **{arguments!r})\n"
        "assert not any(name.startswith('isocenter') for name in sys.modules)"
    )
    one = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=one)
    assert done.returncode == 0, done.stderr[-2000:]
    return {path.name: formats.load(path) for path in (images.parent / "eval").rglob("*.nii.gz")}


def test_monai_runs_the_bundle_and_finds_the_same_labels(tmp_path):
    model = model_of(tmp_path, largest_only=("right",))
    (tmp_path / "images").mkdir()
    case = image()
    formats.save(case, tmp_path / "images" / "case.nii.gz")
    bundle = tmp_path / "bundle"
    assert export_model(model, bundle, to="monai").equality.dice >= 0.999
    found = by_monai(bundle, tmp_path / "images")["case_seg.nii.gz"]
    ours = segmented(model, formats.load(tmp_path / "images" / "case.nii.gz"))
    assert found.grid.coincides(ours.grid, 0.01)
    assert len(np.unique(ours.array)) == 3
    assert least_dice(found.array.astype(int), ours.array.astype(int)) >= 0.999


def test_a_bundle_of_ours_can_be_added_again(tmp_path):
    model = model_of(tmp_path)
    export_model(model, tmp_path / "bundle", to="monai")
    again = import_model(tmp_path / "bundle", wishes=Wishes(code="trusted"), store=tmp_path / "store")
    assert (again.plan.patch, again.plan.spacing_mm, again.plan.orientation) == ((16, 16, 16), (1.5, 1.0, 1.0), "IPL")
    assert again.licence == "MIT"
    (mine,), (theirs,) = model.plan.normalisation, again.plan.normalisation
    for name in ("low", "high", "mean", "deviation"):
        assert getattr(mine, name) == pytest.approx(getattr(theirs, name))
    assert least_dice(segmented(again, image()).array, segmented(model, image()).array) >= 0.999


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "classification", "labels": ("a", "b"), "network": Network("resnet", {})},
        {"shape": (16, 16, 16), "spacing_mm": None},
        {"channels": ("a", "b"), "normalisation": (Normalisation("zscore"), Normalisation("none"))},
    ],
)
def test_what_monai_has_no_transforms_for_is_told(tmp_path, changes):
    with pytest.raises(UsageError, match="does not become a MONAI bundle"):
        monai_bundle.inference(Plan(**{**vars(model_of(tmp_path).plan), **changes}))


def test_labels_are_compared_one_by_one():
    first = np.zeros(3000, int)
    first[:100] = 1
    second = first.copy()
    second[0] = 0
    assert least_dice(first, second) == 1.0  # one voxel may be a tie
    second[:10] = 0
    assert least_dice(first, second) == pytest.approx(180 / 190)
    second[:] = 0
    assert least_dice(first, second) == 0.0


def test_a_place_that_is_taken_is_left_alone(tmp_path):
    model = model_of(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    for to in ("onnx", "monai", "openvino"):
        with pytest.raises(UsageError):
            export_model(model, tmp_path / "taken", to=to)
    with pytest.raises(UsageError, match="is one of onnx"):
        export_model(model, tmp_path / "net", to="keras")
    assert (tmp_path / "taken" / "mine.txt").read_text() == "mine"


def test_a_file_that_gives_other_labels_is_not_kept(tmp_path, monkeypatch):
    from isocenter.nets.exporting import files

    monkeypatch.setattr(files, "run_onnx", lambda path: lambda batch: np.zeros((1, 3, 16, 16, 16), np.float32))
    with pytest.raises(Bug, match="gives other labels"):
        export_model(model_of(tmp_path), tmp_path / "net.onnx", to="onnx")
    assert not (tmp_path / "net.onnx").exists()
