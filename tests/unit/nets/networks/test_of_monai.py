"""MONAI's networks: the same weights under the same names give the same outputs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from monai.networks import nets

from isocenter.errors import UsageError
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Plan

THEIRS: dict[str, tuple[dict[str, Any], Any]] = {
    "unet": (
        {"features": [4, 8, 8], "units": 1},
        lambda: nets.UNet(3, 1, 3, channels=(4, 8, 8), strides=(2, 2), num_res_units=1),
    ),
    "segresnet": (
        {"features": 8, "blocks": [1, 1, 1]},
        lambda: nets.SegResNet(3, 8, 1, 3, blocks_down=(1, 1, 1), blocks_up=(1, 1)),
    ),
    "dynunet": (
        {"features": [4, 8, 8]},
        lambda: nets.DynUNet(
            3, 1, 3, kernel_size=[3, 3, 3], strides=[1, 2, 2], upsample_kernel_size=[2, 2], filters=[4, 8, 8]
        ),
    ),
}


def plan_of(name: str, **options: Any) -> Plan:
    network = Network(name, {**THEIRS[name][0], **options})
    return Plan("segmentation", ("CT",), ("liver", "spleen"), network, (16, 16, 16))


@pytest.mark.parametrize("name", THEIRS)
def test_a_state_of_monai_loads_as_it_is_and_gives_the_same(name: str) -> None:
    ours, theirs = build(plan_of(name)).eval(), THEIRS[name][1]().eval()
    ours.load_state_dict(theirs.state_dict())
    batch = torch.randn(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(ours(batch), theirs(batch), atol=1e-6)


@pytest.mark.parametrize("name", THEIRS)
def test_sizes_that_monai_does_not_take_are_taken(name: str) -> None:
    network = build(plan_of(name)).eval()
    batch = torch.randn(1, 1, 13, 9, 5, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert network(batch).shape == (1, 3, 13, 9, 5)
        more = torch.nn.functional.pad(batch, (0, 3, 0, 3, 0, 3), mode="replicate")
        assert torch.allclose(network(batch), network(more)[:, :, :13, :9, :5], atol=1e-5)


def test_a_dynunet_under_deep_supervision_can_be_copied_between_its_steps() -> None:
    network = build(plan_of("dynunet", deep_supervision=1))
    outputs = network(torch.randn(1, 1, 16, 16, 16))
    assert [one.shape[2:] for one in outputs] == [(16, 16, 16), (8, 8, 8)]
    sum(one.sum() for one in outputs).backward()
    assert network.deep_supervision_heads[0].conv.conv.weight.grad.any()
    copy.deepcopy(network)
    with pytest.raises(UsageError, match="multiples of"):
        network(torch.randn(1, 1, 16, 16, 10))


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("unet", {"features": [4]}, "2 stages or more"),
        ("segresnet", {"features": 9}, "multiple of 8"),
        ("segresnet", {"blocks_up": [1]}, "blocks_up"),
        ("dynunet", {"deep_supervision": 2}, "at most 1"),
        ("dynunet", {"features": [4], "strides": [1]}, "3 stages"),
    ],
)
def test_options_that_do_not_fit_are_told(name: str, options: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        build(plan_of(name, **options))
