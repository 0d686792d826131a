from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from isocenter.errors import InputError, Refused, UsageError
from isocenter.nets.models.model import Model, save_model
from isocenter.nets.networks import build
from isocenter.nets.plan import Plan
from isocenter.train.loop import _optimiser
from isocenter.train.settings import Settings
from isocenter.train.tasks.pretraining import pretraining_plan
from isocenter.train.transfer import hold, inflated_to, slow, stages_of, start_from, state_of


def test_a_model_of_ours_begins_another(blob_plan: Plan, tmp_path: Path) -> None:
    network, other = build(blob_plan), build(blob_plan)
    save_model(Model("x", "1", blob_plan, tmp_path / "x", {}), [network.state_dict()])
    taken = start_from(other, tmp_path / "x")
    assert len(taken.taken) == len(network.state_dict())
    assert not taken.left
    assert not taken.unused
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), other.state_dict().values(), strict=True)
    )
    assert [one.code for one in taken.reasons] == ["WEIGHTS_TAKEN"]


def test_what_does_not_fit_keeps_its_fresh_values_and_is_told(blob_plan: Plan) -> None:
    network, other = build(blob_plan), build(replace(blob_plan, labels=("a", "b", "c")))
    fresh = other.head.weight.clone()
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    taken = start_from(other, {"epoch": torch.ones(()), **state})
    assert taken.left == {"head.weight": "3x4x1x1x1 where it has 4x4x1x1x1", "head.bias": "3 where it has 4"}
    assert set(taken.unused) == {"epoch", "head.weight", "head.bias"}
    assert torch.equal(other.head.weight, fresh)
    assert torch.equal(other.stem[0].weight, network.stem[0].weight)
    assert [one.code for one in taken.reasons] == ["WEIGHTS_TAKEN", "WEIGHTS_LEFT"]


def test_a_pretrained_network_begins_the_one_it_is_for(blob_plan: Plan) -> None:
    before = build(pretraining_plan(blob_plan))
    network = build(blob_plan)
    taken = start_from(network, before.state_dict())
    assert set(taken.left) == {"head.weight", "head.bias"}
    assert torch.equal(network.encoder[1][0].first.weight, before.body.encoder[1][0].first.weight)


def test_weights_of_another_network_are_refused(blob_plan: Plan) -> None:
    with pytest.raises(Refused, match="WEIGHTS_STRANGE"):
        start_from(build(blob_plan), {"layer.weight": torch.zeros(3, 3)})


def test_flat_weights_are_inflated_so_that_equal_slices_give_the_same() -> None:
    flat, deep = torch.nn.Conv2d(2, 3, 3, padding=1), torch.nn.Conv3d(2, 3, 3, padding=1)
    taken = start_from(deep, flat.state_dict())
    assert taken.inflated == ("weight",)
    image = torch.randn(1, 2, 8, 8)
    volume = image[:, :, None].expand(-1, -1, 7, -1, -1)
    assert torch.allclose(deep(volume)[:, :, 3], flat(image), atol=1e-5)
    assert inflated_to(torch.zeros(3, 2, 3, 3), (3, 2, 3, 5, 5)) is None


def test_weights_are_read_from_files_and_bundles_without_running_code(blob_plan: Plan, tmp_path: Path) -> None:
    network = build(blob_plan)
    torch.save({"state_dict": network.state_dict(), "epoch": 3}, tmp_path / "model.pt")
    assert state_of(tmp_path / "model.pt").keys() == network.state_dict().keys()
    assert state_of(tmp_path).keys() == network.state_dict().keys()
    torch.save(network.state_dict(), tmp_path / "other.pt")
    assert state_of(tmp_path).keys() == network.state_dict().keys()
    (tmp_path / "model.pt").rename(tmp_path / "third.pt")
    with pytest.raises(UsageError, match=r"other\.pt, third\.pt"):
        state_of(tmp_path)
    with pytest.raises(UsageError, match="no weights"):
        state_of(tmp_path / "nothing.pt")
    torch.save({"network": network}, tmp_path / "code.pt")
    with pytest.raises(InputError, match="run code"):
        state_of(tmp_path / "code.pt")
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match="can be read"):
        state_of(tmp_path / "bad.safetensors")


def test_held_parts_do_not_learn_and_slow_ones_less(blob_plan: Plan) -> None:
    network = build(blob_plan)
    shares = slow(network, 0.5)
    assert list(shares.values())[-1] == 1
    assert next(iter(shares.values())) == 0.5 ** (len(shares) - 1)
    held = hold(network, ["stem", "encoder.0"])
    assert all(name.startswith(("stem.", "encoder.0.")) for name in held)
    groups = _optimiser(network, Settings()).param_groups
    assert sum(len(one["params"]) for one in groups) == sum(1 for _ in network.parameters()) - len(held)
    slowed = {share for name, share in shares.items() if not name.startswith(("stem.", "encoder.0"))}
    assert {one["share"] for one in groups} == slowed
    with pytest.raises(UsageError, match="No parameter is called cortex"):
        hold(network, ["cortex"])
    with pytest.raises(UsageError, match="Nothing is left"):
        hold(network, stages_of(network))
    with pytest.raises(UsageError, match="decay"):
        slow(network, 1.5)
