"""Every network of the table keeps the contract of all."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch

from isocenter.errors import UsageError
from isocenter.nets.networks import NETWORKS, build
from isocenter.nets.networks.stages import stages
from isocenter.nets.plan import Network, Plan

SMALL: dict[str, dict[str, Any]] = {
    "residual_unet": {"features": [4, 8, 8], "blocks": [1, 1, 1]},
}


def plan_of(name: str, *, patch: tuple[int, int, int] = (16, 16, 16), **options: Any) -> Plan:
    return Plan("segmentation", ("CT",), ("liver", "spleen"), Network(name, {**SMALL[name], **options}), patch)


def built(plan: Plan, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build(plan)


def batch_of(plan: Plan) -> torch.Tensor:
    space = plan.patch[3 - plan.dimensions :]
    return torch.randn(2, plan.inputs, *space, generator=torch.Generator().manual_seed(1))


PATCHES = [(16, 16, 16), (1, 32, 16)]
ALL = [(name, patch) for name in SMALL for patch in PATCHES]


def test_every_network_of_the_table_is_held_to_the_contract() -> None:
    assert set(SMALL) == set(NETWORKS)


@pytest.mark.parametrize(("name", "patch"), ALL)
def test_outputs_have_the_place_of_the_input_and_gradient_reaches_every_weight(name: str, patch: Any) -> None:
    plan = plan_of(name, patch=patch)
    network, batch = built(plan), batch_of(plan)
    out = network(batch)
    assert out.shape == (2, plan.output_channels, *batch.shape[2:])
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    without = [
        key for key, value in network.named_parameters() if value.grad is None or not value.grad.isfinite().all()
    ]
    assert not without


@pytest.mark.parametrize(("name", "patch"), ALL)
def test_the_head_on_the_features_is_the_network(name: str, patch: Any) -> None:
    plan = plan_of(name, patch=patch)
    network, batch = built(plan).eval(), batch_of(plan)
    with torch.inference_mode():
        assert torch.equal(network.head(network.features(batch)), network(batch))
    assert set(network.head.kernel_size) == {1}


@pytest.mark.parametrize("name", SMALL)
def test_bfloat16_stays_near(name: str) -> None:
    plan = plan_of(name)
    network, batch = built(plan).eval(), batch_of(plan)
    with torch.inference_mode():
        exact = network(batch)
        with torch.autocast("cpu", torch.bfloat16):
            near = network(batch)
    assert (near.float() - exact).std() < 0.05 * exact.std()


@pytest.mark.parametrize("name", SMALL)
def test_a_state_goes_to_a_file_and_back(name: str) -> None:
    plan = plan_of(name)
    network, other, batch = built(plan).eval(), built(plan, seed=1).eval(), batch_of(plan)
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    with torch.inference_mode():
        assert not torch.equal(other(batch), network(batch))
        other.load_state_dict(torch.load(file, weights_only=True))
        assert torch.equal(other(batch), network(batch))


@pytest.mark.parametrize("name", SMALL)
def test_one_seed_gives_one_network(name: str) -> None:
    one, same = built(plan_of(name)).state_dict(), built(plan_of(name)).state_dict()
    assert all(torch.equal(value, same[key]) for key, value in one.items())


@pytest.mark.parametrize("name", SMALL)
def test_an_option_that_there_is_not_is_told(name: str) -> None:
    with pytest.raises(UsageError, match="no option colour"):
        build(plan_of(name, colour="red"))


def test_a_name_that_there_is_not_is_told() -> None:
    with pytest.raises(UsageError, match="There is no network 'unett'; there are: residual_unet"):
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
