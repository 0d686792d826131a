"""ONNX and TorchScript files of others, and what is no model at all."""

from __future__ import annotations

import json
import shutil
import warnings

import numpy as np
import onnx
import pytest
import torch

from isocenter import codes
from isocenter.errors import InputError, Refused, UsageError
from isocenter.geometry import Grid
from isocenter.nets.by_name import segment
from isocenter.nets.importing import Wishes, import_model
from isocenter.nets.predict import Inference, segmented
from isocenter.nets.runtimes import open_runtime
from isocenter.nets.runtimes.tracing import as_onnx
from isocenter.pipeline.run import run
from isocenter.pipeline.spec import pipeline
from isocenter.volume import Volume

PLAN = {
    "channels": ["CT"],
    "labels": ["liver"],
    "patch": [8, 8, 8],
    "spacing_mm": [2, 2, 2],
    "normalisation": [{"scale": "ct", "low": -100, "high": 300, "mean": 50, "deviation": 80}],
}


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv3d(4, 2, 1)).eval()


def onnx_file(folder, plan=PLAN):
    path = folder / "liver.onnx"
    path.write_bytes(as_onnx(network(), (2, 1, 8, 8, 8)))
    if plan is not None:
        path.with_suffix(".json").write_text(json.dumps(plan))
    return path


def script_file(folder):
    path = folder / "liver.ts"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(network()), path)
    path.with_suffix(".json").write_text(json.dumps(PLAN))
    return path


def expected(batch):
    with torch.inference_mode():
        return network()(torch.from_numpy(batch)).numpy()


BATCH = np.random.default_rng(0).standard_normal((1, 1, 8, 8, 8), np.float32)


def test_an_onnx_file_gives_what_it_gave(tmp_path):
    model = import_model(onnx_file(tmp_path), wishes=Wishes(licence="MIT"), store=tmp_path / "store")
    assert (model.runtime, model.licence, model.plan.labels) == ("onnx", "MIT", ("liver",))
    for name in ("onnx", "openvino"):
        assert np.abs(open_runtime(model, name)(BATCH) - expected(BATCH)).max() < 1e-5
    with pytest.raises(UsageError, match="take the runtime onnx"):
        open_runtime(model, "torch")


def test_a_script_gives_what_it_gave_once_it_is_trusted(tmp_path):
    path = script_file(tmp_path)
    with pytest.raises(Refused) as caught:
        import_model(path, store=tmp_path / "store")
    assert caught.value.reasons[0].code == "MODEL_FOREIGN_CODE"
    model = import_model(path, wishes=Wishes(code="trusted"), store=tmp_path / "store")
    assert np.array_equal(open_runtime(model)(BATCH), expected(BATCH))
    assert np.abs(open_runtime(model, "onnx")(BATCH) - expected(BATCH)).max() < 1e-5
    assert "MODEL_LICENCE_UNKNOWN" in {reason.code for reason in model.reasons}
    assert model.licence == "unknown"
    with pytest.raises(Refused, match="MODEL_FOREIGN_CODE"):  # the same program in a folder of ours
        import_model(model.folder, wishes=Wishes("other"), store=tmp_path / "store")


def test_a_script_outside_the_store_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("ISOCENTER_MODELS", str(tmp_path / "store"))
    kept = import_model(script_file(tmp_path), wishes=Wishes("liver", code="trusted"))
    shutil.copytree(kept.folder, tmp_path / "sent")
    volume = Volume(np.zeros((8, 8, 8), np.float32), Grid((8, 8, 8), np.eye(4)), codes.HU, modality="CT")
    assert segment(volume, "liver").names == ("liver",)
    assert pipeline("liver").segmenter == str(kept.folder)
    (tmp_path / "case").mkdir()
    for act in (
        lambda: segment(volume, str(tmp_path / "sent")),
        lambda: run(str(tmp_path / "sent"), tmp_path / "case", tmp_path / "out"),
    ):
        with pytest.raises(
            UsageError, match=r"TorchScript.* was not run.* `isocenter model add .*sent --trust`"
        ) as caught:
            act()
        assert caught.value.exit_status == 2
    assert not (tmp_path / "out").exists()


def test_a_plan_that_is_missing_or_wrong_is_told(tmp_path):
    path = onnx_file(tmp_path, plan=None)
    with pytest.raises(UsageError, match=r"give a plan with channels, labels, patch, normalisation as liver\.json"):
        import_model(path, store=tmp_path / "store")
    import_model(path, wishes=Wishes(plan=PLAN), store=tmp_path / "store")
    for wrong, message in [
        ("{", "no JSON"),
        ("[]", "no table"),
        (json.dumps(PLAN | {"colour": 1}), "has no colour"),
        (json.dumps(PLAN | {"channels": ["CT", "PET"]}), "2 channels and 1 normalisations"),
        (json.dumps(PLAN | {"labels": ["liver", "spleen"]}), "Do its labels and window fit"),
        (json.dumps(PLAN | {"patch": [8, 8, 12]}), "does not take what its plan says"),
    ]:
        path.with_suffix(".json").write_text(wrong)
        with pytest.raises(InputError, match=message):
            import_model(path, store=tmp_path / "store2")
    assert not list((tmp_path / "store2").glob("*"))


def test_damaged_files_are_told(tmp_path):
    for path in (onnx_file(tmp_path), script_file(tmp_path)):
        whole = path.read_bytes()
        for bad in (b"", whole[:-40], b"\x00" * 100):
            path.write_bytes(bad)
            with pytest.raises(InputError):
                import_model(path, wishes=Wishes(code="trusted"), store=tmp_path / "store")


def test_an_onnx_file_whose_weights_lie_elsewhere_is_refused(tmp_path):
    path = onnx_file(tmp_path)
    read = onnx.load(path)
    onnx.save(read, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(InputError):
        import_model(path, store=tmp_path / "store")


def test_what_is_no_model_is_told(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "folder").mkdir()
    for name in ("notes.txt", "folder"):
        with pytest.raises(UsageError, match="no model that is known here"):
            import_model(tmp_path / name, store=tmp_path / "store")
    with pytest.raises(UsageError, match="nothing at"):
        import_model(tmp_path / "absent", store=tmp_path / "store")


def test_an_onnx_file_runs_by_its_name_as_any_model(tmp_path):
    model = import_model(onnx_file(tmp_path), wishes=Wishes(licence="MIT"), store=tmp_path / "store")
    ct = Volume(BATCH[0, 0] * 100, Grid((8, 8, 8), np.diag([2.0, 2, 2, 1])), codes.HU, modality="CT")
    found = segment(ct, str(model.folder))
    assert dict(found.algorithm.settings)["runtime"].startswith("onnx ")
    assert np.array_equal(found.mask(), segmented(model, ct, how=Inference(runtime="openvino")).mask())
