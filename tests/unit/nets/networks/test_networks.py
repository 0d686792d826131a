"""Every network of the table keeps the contract of all."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch

from isocenter.errors import UsageError
from isocenter.nets.networks import NETWORKS, build
from isocenter.nets.networks.cost import _as_a_loss, _Living, cost
from isocenter.nets.networks.stages import stages
from isocenter.nets.plan import Network, Plan, Task

UNET = {"features": [4, 8, 8], "blocks": [1, 1, 1]}
SMALL: dict[str, dict[str, Any]] = {
    "residual_unet": UNET,
    "unet": {"features": [4, 8, 8], "units": 1},
    "dynunet": {"features": [4, 8, 8]},
    "segresnet": {"features": 8, "blocks": [1, 1, 1]},
    "swin_unetr": {"features": 12, "depths": [1, 1, 1, 1]},
    "resnet": {"depth": 10, "features": 4},
    "densenet121": {"features": 8, "growth": 4, "blocks": [2, 2, 2, 2]},
    "denoiser": UNET,
    "super_resolution": {"features": 8, "blocks": 1},
    "registration": UNET,
    "heatmap": {"features": [8, 8], "blocks": [1, 1]},
}
TASKS: dict[str, Task] = {
    "resnet": "classification",
    "densenet121": "classification",
    "denoiser": "denoising",
    "super_resolution": "super_resolution",
    "registration": "registration",
    "heatmap": "detection",
}
SHAPES = {"resnet": 0, "densenet121": 0, "super_resolution": 2, "heatmap": 0.5}
"""How many times as large as the input the output is, where it is not as large: 0 without space."""
ELSEWHERE = {"nnunet", "monai", "pretraining"}
"""Networks around others, which the tests of importing and of pretraining hold to it."""
BUILT: dict[tuple[str, int], torch.nn.Module] = {}
HEADED = [name for name in SMALL if name not in {"unet", "denoiser", "super_resolution", "registration"}]


def plan_of(name: str, *, patch: tuple[int, int, int] = (16, 16, 16), **options: Any) -> Plan:
    network, task = Network(name, {**SMALL[name], **options}), TASKS.get(name, "segmentation")
    if name == "densenet121":
        patch = (1, 32, 32) if patch[0] == 1 else (32, 32, 32)
    if name == "swin_unetr":
        patch = (1, 64, 32)  # a minute in three dimensions: see test_cost
    channels = ("fixed", "moving") if task == "registration" else ("CT",)
    return Plan(task, channels, ("liver", "spleen"), network, patch)


def built(plan: Plan, seed: int = 0) -> torch.nn.Module:
    """A copy of the network, which is built once for all tests."""
    key = (repr(plan), seed)
    if key not in BUILT:
        torch.manual_seed(seed)
        BUILT[key] = build(plan)
    return copy.deepcopy(BUILT[key])


def batch_of(plan: Plan) -> torch.Tensor:
    space = plan.patch[3 - plan.dimensions :]
    return torch.randn(2, plan.inputs, *space, generator=torch.Generator().manual_seed(1))


PATCHES = [(16, 16, 16), (1, 32, 16)]
ALL = [(name, patch) for name in SMALL for patch in PATCHES if (name, patch[0]) != ("swin_unetr", 16)]


def test_every_network_of_the_table_is_held_to_the_contract() -> None:
    assert set(SMALL) | ELSEWHERE == set(NETWORKS)


@pytest.mark.parametrize(("name", "patch"), ALL)
def test_outputs_have_the_place_of_the_input_and_gradient_reaches_every_weight(name: str, patch: Any) -> None:
    plan = plan_of(name, patch=patch)
    network, batch = stirred(plan), batch_of(plan)
    out = network(batch)
    space = [int(n * SHAPES.get(name, 1)) for n in batch.shape[2:] if SHAPES.get(name, 1)]
    assert out.shape == (2, plan.output_channels, *space)
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    without = [key for key, one in network.named_parameters() if one.grad is None or not one.grad.isfinite().all()]
    assert not without
    assert sum(bool(one.grad.any()) for one in network.parameters()) > 0.6 * len(list(network.parameters()))


def stirred(plan: Plan, seed: int = 0) -> torch.nn.Module:
    """A network none of whose layers is still 0, as it is after a few steps."""
    network, rng = built(plan, seed), torch.Generator().manual_seed(3 + seed)
    with torch.no_grad():
        for one in network.parameters():
            if not one.any():
                one.add_(0.1 * torch.randn(one.shape, generator=rng))
    return network


@pytest.mark.parametrize(("name", "patch"), [(name, patch) for name, patch in ALL if name in HEADED])
def test_the_head_on_the_features_is_the_network(name: str, patch: Any) -> None:
    plan = plan_of(name, patch=patch)
    network, batch = built(plan).eval(), batch_of(plan)
    with torch.inference_mode():
        assert torch.equal(network.head(network.features(batch)), network(batch))
    if plan.task != "classification":
        assert set(network.head.kernel_size) == {1}


@pytest.mark.parametrize("name", SMALL)
def test_bfloat16_stays_near(name: str) -> None:
    plan = plan_of(name)
    network, batch = stirred(plan).eval(), batch_of(plan)
    with torch.inference_mode():
        exact = network(batch)
        with torch.autocast("cpu", torch.bfloat16):
            near = network(batch)
    assert (near.float() - exact).std() < 0.05 * exact.std()


@pytest.mark.parametrize("name", SMALL)
def test_a_state_goes_to_a_file_and_back(name: str) -> None:
    plan = plan_of(name)
    network, other, batch = stirred(plan).eval(), stirred(plan, seed=1).eval(), batch_of(plan)
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    with torch.inference_mode():
        assert not torch.equal(other(batch), network(batch))
        other.load_state_dict(torch.load(file, weights_only=True))
        assert torch.equal(other(batch), network(batch))


@pytest.mark.parametrize("name", SMALL)
def test_one_seed_gives_one_network(name: str) -> None:
    torch.manual_seed(0)
    one, same = build(plan_of(name)).state_dict(), built(plan_of(name)).state_dict()
    assert all(torch.equal(value, same[key]) for key, value in one.items())


@pytest.mark.parametrize("name", SMALL)
def test_an_option_that_there_is_not_is_told(name: str) -> None:
    with pytest.raises(UsageError, match="no option colour"):
        build(plan_of(name, colour="red"))


def test_a_name_that_there_is_not_is_told() -> None:
    with pytest.raises(UsageError, match="There is no network 'unett'; there are: residual_unet, unet"):
        build(Plan("segmentation", ("CT",), ("liver",), Network("unett"), (16, 16, 16)))


@pytest.mark.parametrize("size", [(13, 17, 9), (3, 2, 1), (1, 1, 1)])
def test_any_size_is_taken(size: tuple[int, ...]) -> None:
    network = built(plan_of("residual_unet"))
    assert network(torch.randn(1, 1, *size)).shape == (1, 3, *size)
    assert network.multiple == (4, 4, 4)


def test_deep_supervision_gives_coarser_outputs_while_learning_alone() -> None:
    plan = plan_of("residual_unet", deep_supervision=1)
    network, batch = built(plan), batch_of(plan)
    assert [one.shape[2:] for one in network(batch)] == [(16, 16, 16), (8, 8, 8)]
    assert network.eval()(batch).shape[2:] == (16, 16, 16)
    with pytest.raises(UsageError, match="multiples of"):
        network.train()(batch[..., :13])


def test_thick_slices_are_not_coarsened_at_first() -> None:
    cubes = stages((8, 32, 32))
    assert cubes.strides == ((1, 1, 1), (2, 2, 2), (1, 2, 2), (1, 2, 2))
    thick = stages((8, 32, 32), (5.0, 1.0, 1.0))
    assert thick.strides == ((1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2))
    assert thick.kernels == ((1, 3, 3), (1, 3, 3), (3, 3, 3), (3, 3, 3))
    options = {"features": [4] * 4, "blocks": [1] * 4}
    plan = Plan(
        "segmentation", ("CT",), ("liver",), Network("residual_unet", options), (8, 32, 32), spacing_mm=(5, 1, 1)
    )
    network = built(plan)
    assert network.multiple == thick.multiple == (2, 8, 8)
    assert network.encoder[1][0].first.kernel_size == (1, 3, 3)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"features": [4, 8]}, "blocks"),
        ({"strides": [1, 2, 2], "kernels": [3, 3]}, "kernels"),
        ({"strides": [[1, 1], [2, 2], [2, 2]]}, "axes"),
        ({"deep_supervision": 2}, "at most 1"),
    ],
)
def test_options_that_do_not_fit_each_other_are_told(options: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        build(plan_of("residual_unet", **options))


def test_a_network_of_two_dimensions_gets_neighbouring_slices_as_channels() -> None:
    network = Network("residual_unet", SMALL["residual_unet"])
    plan = Plan("segmentation", ("CT",), ("liver",), network, (1, 16, 16), neighbours=2)
    assert built(plan)(torch.randn(1, 5, 16, 16)).shape == (1, 2, 16, 16)


@pytest.mark.parametrize("name", SMALL)
def test_what_a_network_takes_is_what_was_told_within_a_tenth(name: str) -> None:
    plan = plan_of(name, patch=(1, 32, 16))
    told = cost(plan)
    with _Living() as living:
        network = build(plan)
        batch = torch.randn(2, plan.inputs, *plan.patch[1:])
        living.begin()
        with torch.autocast("cpu", torch.bfloat16):
            out = network(batch)
        _as_a_loss(out).backward()
    weights = sum(one.numel() for one in network.parameters())
    assert told.parameters == weights
    assert living.most + 12 * weights == pytest.approx(told.training_bytes, rel=0.1)
    assert 0 < told.inference_bytes < told.training_bytes
    assert told.macs > 1000
