"""What a network costs, against what it takes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from isocenter.nets.networks import build
from isocenter.nets.networks.cost import Cost, _as_a_loss, _Living, cost
from isocenter.nets.plan import Network, Plan

PLAN = Plan(
    "segmentation",
    ("CT",),
    ("liver", "spleen"),
    Network("residual_unet", {"features": [8, 16, 16], "blocks": [1, 1, 1]}),
    (16, 24, 16),
)


@cache
def told_of_the_plan() -> Cost:
    return cost(PLAN)


def test_one_convolution_costs_what_can_be_reckoned_by_hand() -> None:
    head = told_of_the_plan().macs - cost(replace(PLAN, outputs=2)).macs
    assert head == 16 * 24 * 16 * 8, "one output channel more is one multiplication for each feature of each voxel"


def test_memory_grows_with_the_batch_and_shrinks_with_precision() -> None:
    one, two = cost(replace(PLAN, batch=1)), told_of_the_plan()
    assert two.inference_bytes == one.inference_bytes
    assert 1.5 < two.training_bytes / one.training_bytes < 2
    assert cost(PLAN, precision="fp32").training_bytes > 1.4 * two.training_bytes


def test_the_most_that_lives_in_a_real_step_is_what_was_told() -> None:
    told = told_of_the_plan()
    with _Living() as living, FlopCounterMode(display=False) as counted:
        network = build(PLAN)
        batch = torch.randn(2, 1, 16, 24, 16)
        with torch.autocast("cpu", torch.bfloat16):
            out = network(batch)
        forward = counted.get_total_flops() // 2
        _as_a_loss(out).backward()
    assert told.parameters == sum(one.numel() for one in network.parameters())
    assert told.macs == forward // 2
    assert abs(living.most + 12 * told.parameters - told.training_bytes) < 0.01 * told.training_bytes


def test_asking_for_the_cost_draws_no_random_number() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    cost(PLAN)
    assert torch.equal(before, torch.get_rng_state())


def test_a_large_network_is_costed_without_its_memory() -> None:
    plan = Plan("segmentation", ("CT",), ("liver",), Network("residual_unet"), (128, 128, 128))
    found = cost(plan)
    assert found.parameters > 50e6
    assert found.training_bytes > 5e9
