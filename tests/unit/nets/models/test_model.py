"""Models as folders, their cards, and the store in which they are kept by name."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from isocenter.errors import InputError, UsageError
from isocenter.nets.models.card import card
from isocenter.nets.models.model import Model, files_of, load_model, save_model, weights_of, with_facts
from isocenter.nets.models.store import all_models, find_model, place_of, remove_model, store_folder
from isocenter.nets.plan import Network, Normalisation, Plan

PLAN = Plan(
    "segmentation",
    ("CT", "PET"),
    tuple(f"part {n}" for n in range(20)),
    Network("residual_unet", {"features": [4, 8]}),
    (8, 16, 16),
    spacing_mm=(2.0, 1.0, 1.0),
    normalisation=(Normalisation("ct", -100, 300, 50, 80), Normalisation("percentile", 1, 99)),
)
BAD_PLANS: tuple[dict[str, object], ...] = (
    {"task": 5},
    {"channels": "CT"},
    {"channels": ["CT", 5]},
    {"channels": ["CT", "PET", "MR"]},
    {"labels": ["a", "a"]},
    {"patch": []},
    {"patch": [0, 16, 16]},
    {"patch": [1e9, 1e9, 1e9]},
    {"spacing_mm": [1, -1, 1]},
    {"spacing_mm": [1, float("nan"), 1]},
    {"shape": [8, 8]},
    {"orientation": "ISL"},
    {"batch": 0},
    {"neighbours": -1},
    {"outputs": True},
    {"mirror_axes": [3]},
    {"largest_only": ["heart"]},
    {"normalisation": []},
    {"normalisation": [{"scale": "ct", "low": float("nan")}, {}]},
    {"normalisation": [{"scale": "sharp"}, {}]},
    {"coarse": {"task": "segmentation"}},
    {"why": 3},
)
SHARED = torch.arange(6.0).reshape(2, 3)
STATE = {"a.weight": SHARED, "b.weight": SHARED.T, "count": torch.tensor(3)}


def model(folder, **changes):
    return Model(**{"name": "net", "version": "1", "plan": PLAN, "folder": folder, "weights": {}, **changes})


def test_a_model_comes_back_as_it_went(tmp_path):
    saved = save_model(model(tmp_path / "net", licence="MIT", facts={"dice": 0.9}), [STATE, STATE])
    again = load_model(tmp_path / "net")
    assert again == saved
    assert (again.licence, again.facts["dice"], list(again.weights)) == (
        "MIT",
        0.9,
        ["weights_0.safetensors", "weights_1.safetensors"],
    )
    for state in weights_of(again):
        assert state.keys() == STATE.keys()
        assert all(torch.equal(state[name], STATE[name]) for name in STATE)  # also where tensors share their memory


def test_facts_that_are_learned_later_are_kept_and_change_no_digest(tmp_path):
    saved = save_model(model(tmp_path / "net"), [STATE])
    told = with_facts(saved, results={"cases": 7, "structures": {"part 0": {"dice": 0.91, "cases": 7}}})
    assert load_model(tmp_path / "net") == told
    assert told.sha256 == saved.sha256
    assert "| part 0 | 0.910 | 7 |" in (tmp_path / "net" / "card.md").read_text()
    other = save_model(model(tmp_path / "other", plan=replace(PLAN, batch=3)), [STATE])
    assert other.sha256 != saved.sha256


def test_damaged_models_are_told(tmp_path):
    saved = save_model(model(tmp_path / "net"), [STATE])
    file, weights = tmp_path / "net" / "model.json", tmp_path / "net" / "weights_0.safetensors"
    whole = weights.read_bytes()
    for bad in (whole[:-1], whole[:-1] + b"\xff", b""):
        weights.write_bytes(bad)
        with pytest.raises(InputError, match="not those it was made with"):
            list(files_of(saved))
    weights.unlink()
    with pytest.raises(InputError, match="missing"):
        weights_of(saved)
    values = json.loads(file.read_text())
    for bad_values, message in [
        ({**values, "format": 99}, "later version"),
        ({**values, "plan": {"task": "segmentation"}}, "no plan"),
        ({**values, "colour": 1}, "damaged"),
        ({**values, "weights": ["weights_0.safetensors"]}, "damaged"),
        ({**values, "weights": {}}, "damaged"),
        ({**values, "weights": {"../net/weights_0.safetensors": "0"}}, "own folder"),
        ({**values, "name": None}, "damaged"),
        ({**values, "facts": None}, "damaged"),
        ({**values, "facts": {"domain": 5}}, "damaged"),
        ({**values, "facts": {"reasons": ["x"]}}, "damaged"),
        *(({**values, "plan": {**values["plan"], **bad}}, "no plan") for bad in BAD_PLANS),
        ([], "damaged"),
    ]:
        file.write_text(json.dumps(bad_values))
        with pytest.raises(InputError, match=message):
            load_model(tmp_path / "net")
    with pytest.raises(UsageError, match="is no model"):
        load_model(tmp_path)


BAD_FACTS: tuple[tuple[dict[str, object], str], ...] = (
    ({"domain": {"values": [[0, 1, 2], [3, 4]]}}, "facts.domain.values"),
    ({"domain": {"values": [[0, 1, 9], [3, 4, 5]]}}, "facts.domain.values"),
    ({"domain": {"spacing_mm": "1"}}, "facts.domain.spacing_mm"),
    ({"domain": {"images": -1}}, "facts.domain.images"),
    ({"domain": {"modalities": "MR"}}, "facts.domain.modalities"),
    ({"calibration": 5}, "facts.calibration"),
    ({"calibration": {"names": 5}}, "facts.calibration.names"),
    ({"calibration": {"features": [[float("nan")]]}}, "facts.calibration.features"),
    ({"calibration": {"scores": [1.5]}}, "facts.calibration.scores"),
    ({"calibration": {"level": "high"}}, "facts.calibration.level"),
    ({"training": []}, "facts.training"),
    ({"training": {"curve": [{"step": 1}]}}, "facts.training.curve"),
    ({"training": {"learned_from": 80}}, "facts.training.learned_from"),
    ({"training": {"settings": 5}}, "facts.training.settings"),
    ({"held_out": {"dice_a": "good"}}, "facts.held_out"),
    ({"results": {"structures": {"a": 5}}}, "facts.results"),
    ({"subgroups": {"sex F": 3}}, "facts.subgroups"),
    ({"out_of_fold": [{"case": "a", "fold": 0, "dice": 0.9, "features": {}}]}, "facts.out_of_fold"),
    ({"members": {}}, "facts.members"),
    ({"reasons": [{"code": "NO_SUCH_CODE", "message": ""}]}, "facts.reasons"),
    ({"trial": {"window": [8, 8, 8]}}, "facts.trial"),
    ({"exports": {"onnx": 1}}, "facts.exports"),
    ({"training_cases": "many"}, "facts.training_cases"),
)


@pytest.mark.parametrize(("facts", "field"), BAD_FACTS, ids=[field for _, field in BAD_FACTS])
def test_a_damaged_fact_is_told_by_the_name_of_its_field(tmp_path, facts, field):
    save_model(model(tmp_path / "net"), [STATE])
    file = tmp_path / "net" / "model.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "facts": facts}))
    with pytest.raises(InputError, match=re.escape(f"{field} is to be")):
        load_model(tmp_path / "net")


def test_a_card_tells_people_what_counts():
    training = {"dataset": "hippocampus", "step": 400, "learned_from": ["a", "b"], "held_out": ["c"] * 6}
    facts = {
        "training": {**training, "seconds_s": 90.0, "device": "cpu", "precision": "bf16"},
        "held_out": {"score": 0.5, "dice_part 0": 0.8812, "dice_part 1": 0.123},
        "subgroups": {"side left": {"cases": 12, "dice": 0.87}},
        "domain": {"modalities": ["CT"], "spacing_mm": [[1.0, 1.0, 1.0], [3.0, 1.0, 1.0]]},
        "reasons": [{"code": "MODEL_UNLIKE", "message": "It was sampled otherwise."}],
        "trial": {"window": "8 x 16 x 16", "seconds": 0.1, "memory_mib": 3},
    }
    made = model(Path("net"), facts=facts, weights={"weights_0.safetensors": "ab" * 32})
    text = card(made)
    for part in (
        "For segmentation of part 0,",
        "and 8 more in CT, PET.",
        "**Licence of the weights: unknown.**",
        "Measured on 6 cases that it did not learn from (held out of its learning).",
        "| label | mean Dice | cases |",
        "| part 0 | 0.881 | 6 |",
        "| part 1 | 0.123 (below 0.7) | 6 |",
        "| part 2 | not known | 0 |",
        "**To be doubted:** On cases that it did not learn from",
        "side left: cases 12, dice 0.87",
        "data set: hippocampus, licence unknown",
        "cases that it learned from: 2",
        "cases that were held out of its learning: 6",
        "modality of these images: CT",
        "1 x 1 x 1 to 3 x 1 x 1 mm",
        "400 steps, 1.5 minutes on cpu in bf16",
        "2 x 1 x 1 mm; axes point to IPL",
        "channel CT: cut to -100 and 300, less 50, over 80",
        "channel PET: percentiles 1 to 99 become 0 to 1",
        "It was sampled otherwise.",
        "window: 8 x 16 x 16",
        "ab" * 32,
        f"(`model_sha256`): {made.sha256}",
    ):
        assert part in text
    assert "Nothing was measured here" in card(model(Path("net")))


def test_models_are_kept_by_name(tmp_path):
    store = tmp_path / "store"
    assert all_models(store) == {}
    saved = save_model(model(place_of("net 1/2", store)), [STATE])
    assert saved.folder == store / "net-1-2"
    assert find_model("net-1-2", store) == find_model(saved.folder, store) == saved
    (store / "no-model").mkdir()
    (store / "damaged").mkdir()
    (store / "damaged" / "model.json").write_text("{")
    found = all_models(store)
    assert list(found) == ["damaged", "net-1-2"]
    assert isinstance(found["damaged"], InputError)
    with pytest.raises(UsageError, match="kept by name are: damaged, net-1-2"):
        find_model("absent", store)
    for name in ("..", "../store/net-1-2", "absent", ""):
        with pytest.raises(UsageError):
            remove_model(name, store)
    assert remove_model("net-1-2", store) == saved.folder
    assert not saved.folder.exists()
    with pytest.raises(UsageError, match="cannot be called"):
        place_of("../..", store)


def test_the_store_is_where_it_is_stated_to_be(tmp_path):
    assert store_folder({"ISOCENTER_MODELS": str(tmp_path)}) == tmp_path
    assert store_folder({}).parts[-2:] == ("isocenter", "models")
