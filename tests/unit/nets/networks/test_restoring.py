"""Denoising, super-resolution and registration networks: what they are before they learned, and what they learn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from isocenter import codes
from isocenter.errors import UsageError
from isocenter.geometry import Grid
from isocenter.nets.networks import build
from isocenter.nets.networks.registration import in_millimetres, integrated, warped
from isocenter.nets.networks.restoring import shuffled
from isocenter.nets.plan import Network, Plan
from isocenter.ops.registration import Transform
from isocenter.volume import Volume

UNET = {"features": [4, 8], "blocks": [1, 1]}


def plan_of(
    task: Any, name: str, *, patch: Any = (8, 12, 16), channels: tuple[str, ...] = ("MR",), **options: Any
) -> Plan:
    return Plan(task, channels, (), Network(name, options), patch)


def test_a_denoiser_begins_as_what_changes_nothing_and_learns_the_noise() -> None:
    torch.manual_seed(0)
    network = build(plan_of("denoising", "denoiser", **UNET))
    image = torch.randn(2, 1, 8, 12, 16)
    assert torch.equal(network.eval()(image), image)
    rng, optimiser = torch.Generator().manual_seed(1), torch.optim.AdamW(network.parameters(), 1e-2)
    clean = torch.linspace(0, 3, 16).expand(2, 1, 8, 12, 16)
    network.train()
    for _ in range(40):
        optimiser.zero_grad()
        noisy = clean + torch.randn(clean.shape, generator=rng)
        ((network(noisy) - clean) ** 2).mean().backward()
        optimiser.step()
    noisy = clean + torch.randn(clean.shape, generator=rng)
    assert ((network.eval()(noisy) - clean) ** 2).mean() < 0.3


def test_a_slice_with_neighbours_is_its_own_middle() -> None:
    plan = replace(plan_of("denoising", "denoiser", patch=(1, 8, 8), channels=("T1", "T2"), **UNET), neighbours=1)
    image = torch.randn(1, 6, 8, 8)
    assert torch.equal(build(plan).eval()(image), image[:, [1, 4]])
    finer = replace(plan, task="super_resolution", network=Network("super_resolution", {"blocks": 1, "features": 4}))
    assert build(finer).eval()(image).shape == (1, 2, 16, 16)


def test_super_resolution_begins_as_linear_interpolation_of_the_same_extent() -> None:
    network = build(plan_of("super_resolution", "super_resolution", scale=[3, 2, 1], blocks=1, features=4)).eval()
    ramp = torch.arange(8.0)[:, None, None].expand(1, 1, 8, 12, 16)
    found = network(ramp)[0, 0, :, 5, 5]
    centres = (torch.arange(24) + 0.5) / 3 - 0.5
    assert torch.allclose(found[3:-3], centres[3:-3], atol=1e-5)
    assert network(ramp).shape == (1, 1, 24, 24, 16)


def test_channels_are_shuffled_as_torch_shuffles_pictures_and_to_their_place_in_volumes() -> None:
    flat = torch.randn(2, 12, 5, 6)
    assert torch.equal(shuffled(flat, (2, 2)), torch.nn.functional.pixel_shuffle(flat, 2))
    deep = shuffled(torch.arange(6.0).reshape(1, 6, 1, 1, 1), (1, 2, 3))
    assert deep[0, 0, 0].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_constant_velocity_is_the_displacement_and_its_negative_leads_back() -> None:
    velocity = torch.zeros(1, 3, 9, 9, 9)
    velocity[:, 1] = 1.5
    assert torch.allclose(integrated(velocity), velocity, atol=1e-5)
    rng = torch.Generator().manual_seed(0)
    wild = torch.nn.functional.interpolate(
        torch.randn(1, 3, 3, 3, 3, generator=rng), size=(24, 24, 24), mode="trilinear"
    )
    there, back = integrated(wild), integrated(-wild)
    round_trip = (there + warped(back, there))[..., 6:-6, 6:-6, 6:-6]
    assert there.abs().max() > 1
    assert round_trip.abs().max() < 0.05


def test_warping_takes_from_where_the_displacement_leads() -> None:
    image = torch.randn(1, 2, 5, 6, 7)
    moved = torch.zeros(1, 3, 5, 6, 7)
    moved[:, 0], moved[:, 1], moved[:, 2] = 1, -2, 3
    found = warped(image, moved)
    assert torch.allclose(found[:, :, :4, 2:, :4], image[:, :, 1:, :4, 3:], atol=1e-5)
    assert torch.allclose(warped(image[:, :, :1], torch.zeros(1, 3, 1, 6, 7)), image[:, :, :1], atol=1e-6)


@pytest.mark.parametrize("turn", [0.0, 0.5])
def test_a_displacement_in_millimetres_is_that_of_a_transform(turn: float) -> None:
    """The network's warp and the one of a Transform show the same, on any grid."""
    spin = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    axes = spin @ np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], float)
    grid = Grid.from_vectors((10, 12, 14), spacing_mm=(3.0, 1.0, 0.5), origin_mm=(4.0, 5.0, 6.0), direction=axes)
    rng = np.random.default_rng(0)
    image = rng.normal(size=grid.shape).astype(np.float32)
    voxels = np.zeros((3, *grid.shape), np.float32)
    voxels[0], voxels[1], voxels[2] = 0.5, 1.25, -2.0
    ours = warped(torch.from_numpy(image)[None, None], torch.from_numpy(voxels)[None])[0, 0].numpy()
    vectors = Volume(in_millimetres(voxels, grid), grid, unit=codes.MM, axes=("vector",))
    theirs = Transform(np.eye(4), grid, grid, vectors).apply(Volume(image, grid), outside=0.0).array
    inner = (slice(2, -2), slice(3, -3), slice(3, -3))
    assert np.allclose(ours[inner], theirs[inner], atol=1e-3)


def test_a_registration_network_begins_at_rest_and_learns_a_shift() -> None:
    torch.manual_seed(0)
    network = build(plan_of("registration", "registration", patch=(1, 24, 24), channels=("fixed", "moving"), **UNET))
    axis = torch.arange(24.0) - 12
    moving = torch.exp(-(axis[:, None] ** 2 + axis**2) / 20)[None, None]
    fixed = moving.roll((2, -1), (2, 3))
    both = torch.cat([fixed, moving], 1)
    assert network(both).shape == (1, 2, 24, 24)
    assert network(both).abs().max() < 0.01
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        displacement = network(both)
        (
            ((warped(moving, displacement) - fixed) ** 2).mean() + 1e-3 * displacement.diff(dim=3).pow(2).mean()
        ).backward()
        optimiser.step()
    left = ((warped(moving, network(both)) - fixed) ** 2).mean() / ((moving - fixed) ** 2).mean()
    assert left < 0.1
    inside = network(both)[0, :, 14, 11]
    assert inside[0] < -1
    assert inside[1] > 0.3


@pytest.mark.parametrize(
    ("plan", "word"),
    [
        (plan_of("registration", "registration", **UNET), "fixed image"),
        (replace(plan_of("denoising", "denoiser", **UNET), outputs=3), "as many channels"),
        (replace(plan_of("super_resolution", "super_resolution"), outputs=3), "as many channels"),
        (plan_of("super_resolution", "super_resolution", scale=1.5), "does not take these options"),
        (plan_of("denoising", "denoiser", **UNET, strides=[1, 2], deep_supervision=1), "coarser outputs|one image"),
        (Plan("detection", ("CT",), ("a",), Network("heatmap", {"stride": [2, 2]}), (8, 8, 8)), "each of the 3 axes"),
        (Plan("detection", ("CT",), ("a",), Network("heatmap"), (8, 8, 8), outputs=2), "heat map for each label"),
        (Plan("classification", ("CT",), ("a",), Network("resnet", {"depth": 12}), (1, 32, 32)), "depth of 10"),
        (Plan("classification", ("CT",), ("a",), Network("densenet121"), (16, 16, 16)), "32 voxels or more"),
        (
            Plan("classification", ("CT",), ("a",), Network("resnet", {"norm": "layer"}), (1, 32, 32)),
            "batch or instance",
        ),
        (
            Plan("segmentation", ("CT",), ("a",), Network("swin_unetr", {"features": 10}), (32, 32, 32)),
            "multiple of 12",
        ),
    ],
)
def test_plans_that_a_network_cannot_follow_are_told(plan: Plan, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        build(plan)


def test_a_denoiser_sees_how_strong_the_noise_is() -> None:
    torch.manual_seed(0)
    network = build(plan_of("denoising", "denoiser", **UNET)).eval()
    torch.nn.init.normal_(network.body.head.weight)
    x = torch.randn(1, 1, 16, 16, 16)
    with torch.inference_mode():
        weak, strong = ((scale * x - network(scale * x)).norm() for scale in (1.0, 3.0))
    assert float(strong / weak) == pytest.approx(3, rel=0.01)  # normalised, it would be 1


def test_a_normalisation_of_another_name_is_refused() -> None:
    plan = plan_of("denoising", "denoiser", **UNET)
    options = {**plan.network.options, "normalisation": "batch"}
    with pytest.raises(UsageError, match="'instance' or 'none'"):
        build(replace(plan, network=replace(plan.network, options=options)))
