from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from isocenter.errors import UsageError
from isocenter.nets.networks import build
from isocenter.nets.networks.inflating import inflated
from isocenter.nets.plan import Network, Plan

FLAT = Plan(
    "segmentation", ("CT",), ("liver",), Network("residual_unet", {"features": [4, 8], "blocks": [1, 1]}), (1, 16, 16)
)
DEEP = replace(
    FLAT, patch=(16, 16, 16), network=Network("residual_unet", {**FLAT.network.options, "strides": [1, [1, 2, 2]]})
)
RESNET = Plan("classification", ("CT",), ("a", "b"), Network("resnet", {"depth": 10, "features": 4}), (1, 32, 32))


def built(plan: Plan, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build(plan).eval()


def test_a_volume_of_equal_slices_is_seen_as_the_picture_is() -> None:
    flat, deep = built(FLAT), built(DEEP, seed=1)
    found = inflated(flat.state_dict(), deep)
    assert not found.left
    deep.load_state_dict(found.state)
    picture = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        volume = deep(picture[:, :, None].expand(-1, -1, 101, -1, -1))
        expected = flat(picture)
    assert (volume[:, :, 50] - expected).abs().max() < 0.1 * expected.std()


def test_common_names_of_pictures_fit_a_classifier_of_volumes_but_for_its_last_layer() -> None:
    common = {
        f"module.{name.removeprefix('body.')}": value
        for name, value in built(replace(RESNET, channels=("r", "g", "b"))).state_dict().items()
    }
    network = built(replace(RESNET, patch=(32, 32, 32), labels=("a", "b", "c")), seed=1)
    found = inflated(common, network)
    assert found.left == ("head.weight", "head.bias")
    network.load_state_dict(found.state)
    first = network.body.conv1.weight
    assert torch.allclose(first.sum(dim=(1, 2)), common["module.conv1.weight"].sum(dim=1), atol=1e-6)
    assert torch.equal(found.state["head.weight"], network.head.weight)


def test_the_network_itself_is_not_changed() -> None:
    network = built(DEEP, seed=1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    inflated(built(FLAT).state_dict(), network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(UsageError, match="they are of another"):
        inflated(built(RESNET).state_dict(), built(DEEP))
