"""A model of ours that is kept."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from isocenter.errors import InputError, Refused, UsageError
from isocenter.nets.importing import Wishes, import_model
from isocenter.nets.importing.files import _values
from isocenter.nets.models.model import Model, load_model, save_model
from isocenter.nets.models.store import find_model, model_to_run
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Plan
from isocenter.nets.region import coarse_of, with_coarse
from isocenter.nets.runtimes import open_runtime
from isocenter.nets.runtimes.members import whole
from isocenter.nets.runtimes.tracing import as_torchscript


def model(folder, name="made"):
    network = Network("residual_unet", {"features": [4, 8], "blocks": [1, 1]})
    plan = Plan("segmentation", ("CT",), ("lung",), network, patch=(8, 8, 8), spacing_mm=(6.0, 6.0, 6.0))
    return save_model(Model(name, "1", plan, folder / name, {}, licence="MIT"), [build(plan).state_dict()])


def test_a_licence_that_is_stated_counts_and_an_unstated_one_stays(tmp_path):
    model(tmp_path)
    stated = import_model(tmp_path / "made", wishes=Wishes("stated", licence="CC0-1.0"), store=tmp_path / "store")
    as_found = import_model(tmp_path / "made", store=tmp_path / "store")
    assert (stated.licence, as_found.licence) == ("CC0-1.0", "MIT")


def test_links_and_other_files_of_a_folder_are_not_kept(tmp_path):
    made = model(tmp_path)
    (tmp_path / "private.txt").write_text("of nobody else")
    (made.folder / "notes.txt").symlink_to(tmp_path / "private.txt")
    (made.folder / "all").symlink_to(tmp_path, target_is_directory=True)
    (made.folder / "card.md").unlink()
    (made.folder / "card.md").symlink_to(tmp_path / "private.txt")
    kept = import_model(made.folder, store=tmp_path / "store")
    assert {path.name for path in kept.folder.iterdir()} == {"model.json", "weights_0.safetensors", "card.md"}
    assert "of nobody else" not in (kept.folder / "card.md").read_text()
    weights = made.folder / "weights_0.safetensors"
    weights.unlink()
    weights.symlink_to(tmp_path / "private.txt")
    with pytest.raises(InputError, match="not those it was made with"):
        import_model(made.folder, wishes=Wishes("other"), store=tmp_path / "store")
    assert not (tmp_path / "store" / "other").exists()


def test_the_model_that_finds_where_to_look_comes_with_it_unless_it_is_a_program(tmp_path):
    made, coarse = model(tmp_path), model(tmp_path, "where")
    with_coarse(made, coarse)
    kept = import_model(made.folder, store=tmp_path / "store")
    assert coarse_of(kept).sha256 == coarse.sha256
    file = made.folder / "coarse" / "model.json"
    file.write_text(file.read_text().replace('"runtime": "safetensors"', '"runtime": "torchscript"'))
    with pytest.raises(Refused, match="MODEL_FOREIGN_CODE"):
        import_model(made.folder, wishes=Wishes("other"), store=tmp_path / "store")
    with pytest.raises(UsageError, match=r"model add .* --trust"):
        model_to_run(made.folder, tmp_path / "store")


DEEP = "[" * 100_000 + "]" * 100_000


def test_json_nested_too_deep_is_told_as_damaged(tmp_path):
    made = model(tmp_path)
    (made.folder / "model.json").write_text(DEEP)
    with pytest.raises(InputError, match="damaged"):
        load_model(made.folder)
    with pytest.raises(InputError, match="no JSON"):
        _values(DEEP, "net.onnx")


@pytest.mark.parametrize("parents", [{"a": "a"}, {"a": "b", "b": "a"}])
def test_a_configuration_of_nnunet_that_inherits_from_itself_is_told(parents, tmp_path):
    plans = {"configurations": {name: {"inherits_from": parent} for name, parent in parents.items()}}
    place = tmp_path / "nnUNetTrainer__nnUNetPlans__a"
    (place / "fold_0").mkdir(parents=True)
    for name, text in (("dataset", "{}"), ("plans", json.dumps(plans))):
        (place / f"{name}.json").write_text(text)
    torch.save({"network_weights": {}}, place / "fold_0" / "checkpoint_final.pth")
    with pytest.raises(InputError, match="inherits from itself"):
        import_model(place, store=tmp_path / "store")
    (place / "plans.json").write_text(DEEP)
    with pytest.raises(InputError, match=r"plans\.json .* damaged"):
        import_model(place, store=tmp_path / "store")


def test_a_program_from_a_folder_does_not_run_in_python_until_it_is_trusted(tmp_path):
    made = model(tmp_path)
    traced = as_torchscript(build(made.plan), (1, 1, 8, 8, 8))
    sent = save_model(replace(made, folder=tmp_path / "sent", runtime="torchscript", code="trusted"), [traced]).folder
    for run in (open_runtime, whole):
        with pytest.raises(UsageError, match="a program that can read and write files"):
            run(load_model(sent))
    claimed = sent / "model.json"
    claimed.write_text(claimed.read_text().replace('"format": 1', '"format": 1, "code": "trusted"'))
    with pytest.raises(InputError, match="damaged"):
        load_model(sent, code="trusted")
    claimed.write_text(claimed.read_text().replace(', "code": "trusted"', ""))
    batch = np.zeros((1, 1, 8, 8, 8), np.float32)
    assert open_runtime(load_model(sent, code="trusted"))(batch).shape == (1, 2, 8, 8, 8)
    kept = import_model(sent, wishes=Wishes("kept", code="trusted"), store=tmp_path / "store")
    for one in (kept, find_model("kept", tmp_path / "store"), find_model(kept.folder, tmp_path / "store")):
        assert open_runtime(one)(batch).shape == (1, 2, 8, 8, 8)
