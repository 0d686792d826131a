from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from isocenter.augment.chain import Augmentation
from isocenter.augment.noise import Noise
from isocenter.datasets.dataset import Dataset
from isocenter.errors import UsageError
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Plan
from isocenter.train import tasks
from isocenter.train.settings import Settings
from isocenter.train.tasks import Material
from isocenter.train.tasks.quality import quality


@pytest.fixture
def plan(blob_plan: Plan) -> Plan:
    network = Network("denoiser", {"features": (4, 8), "blocks": (1, 1)})
    return replace(blob_plan, task="denoising", labels=(), network=network)


def made(blob_set: Dataset, plan: Plan, folder: Path, **settings: str) -> tasks.Task:
    split = replace(blob_set, cases=blob_set.cases[:4]), replace(blob_set, cases=blob_set.cases[4:])
    return tasks.build(Material(*split, plan, Settings(**settings), folder)).task


def test_a_network_that_changes_nothing_gains_nothing(blob_set: Dataset, plan: Plan, folder: Path) -> None:
    task = made(blob_set, plan, folder)
    with torch.no_grad():
        found = task.validate(build(plan).eval())
    assert found["score"] == pytest.approx(0, abs=1e-4)
    assert found["ssim"] == pytest.approx(found["ssim_before"], abs=1e-5)


def test_a_few_steps_take_noise_away(blob_set: Dataset, plan: Plan, folder: Path) -> None:
    torch.manual_seed(0)
    task = made(blob_set, plan, folder, loss="l2")
    task = replace(task, spoiling=Augmentation((Noise(size=0.5),)))
    network, random = build(plan), np.random.default_rng(0)
    optimiser = torch.optim.AdamW(network.parameters(), 5e-3)
    for _ in range(40):
        optimiser.zero_grad()
        task.loss(network, task.sample(random)).backward()
        optimiser.step()
    with torch.no_grad():
        assert task.validate(network.eval())["score"] > 0.3


def test_pairs_differ_by_the_noise_alone(blob_set: Dataset, plan: Plan, folder: Path) -> None:
    task = replace(made(blob_set, plan, folder), spoiling=Augmentation((Noise(size=0.25),)))
    batches = [task.sample(np.random.default_rng(seed)) for seed in range(12)]
    noise = torch.cat([(one.images - one.truth).flatten() for one in batches])
    assert noise.std() == pytest.approx(0.25, rel=0.05)
    assert noise.mean() == pytest.approx(0, abs=0.01)
    again = task.sample(np.random.default_rng(0))
    assert torch.equal(again.images, batches[0].images)


def test_slices_with_neighbours_are_restored_to_the_slice(blob_set: Dataset, plan: Plan, folder: Path) -> None:
    flat = replace(plan, patch=(1, 16, 16), neighbours=1, spacing_mm=None)
    task = made(blob_set, flat, folder)
    batch = task.sample(np.random.default_rng(0))
    assert batch.images.shape == (2, 3, 16, 16)
    assert batch.truth.shape == (2, 1, 16, 16)
    assert torch.isfinite(task.loss(build(flat), batch))
    with torch.no_grad():
        assert task.validate(build(flat).eval())["score"] == pytest.approx(0, abs=1e-4)


def test_thick_slices_are_means_of_thin_ones(blob_set: Dataset, plan: Plan, folder: Path) -> None:
    task = made(blob_set, replace(plan, task="super_resolution"), folder)
    batch = task.sample(np.random.default_rng(0))
    across = (batch.images.diff(dim=2).abs().mean(), batch.truth.diff(dim=2).abs().mean())
    assert across[0] < 0.8 * across[1]
    within = (batch.images.diff(dim=3).abs().mean(), batch.truth.diff(dim=3).abs().mean())
    assert within[0] < within[1]


@pytest.mark.parametrize("patch", [(4, 8, 8), (1, 8, 8)], ids=["3D", "2D"])
def test_a_network_that_gives_more_voxels_begins_as_interpolation(
    patch: tuple[int, int, int], blob_set: Dataset, plan: Plan, folder: Path
) -> None:
    network = Network("super_resolution", {"features": 4, "blocks": 1, "scale": 2})
    finer = replace(plan, task="super_resolution", network=network, patch=patch, spacing_mm=None)
    task = made(blob_set, finer, folder)
    batch = task.sample(np.random.default_rng(0))
    assert batch.images.shape[2:] == patch[-batch.images.ndim + 2 :]
    assert batch.truth.shape[2:] == tuple(2 * n for n in batch.images.shape[2:])
    assert float(batch.images.mean()) == pytest.approx(float(batch.truth.mean()), abs=1e-5)
    assert torch.isfinite(task.loss(build(finer), batch))
    with torch.no_grad():
        assert task.validate(build(finer).eval())["score"] == pytest.approx(0, abs=1e-3)


def test_what_cannot_be_taught_is_told(blob_set: Dataset, plan: Plan, folder: Path) -> None:
    finer = replace(plan, task="super_resolution")
    with pytest.raises(UsageError, match="spacing"):
        made(blob_set, replace(finer, spacing_mm=None), folder)
    with pytest.raises(UsageError, match="no noise"):
        made(blob_set, plan, folder, augmentation="pink")
    with pytest.raises(UsageError, match="no loss"):
        made(blob_set, plan, folder, loss="dice")


def test_quality_is_that_of_its_definition() -> None:
    clean = np.random.default_rng(0).random((1, 3, 16, 16)).astype(np.float32)
    clean[0, 0, 0, :2] = 0, 1
    psnr, ssim = quality(clean + np.float32(0.1), clean)
    assert psnr == pytest.approx(20, abs=1e-3)
    assert 0.9 < ssim < 1
    assert quality(clean, clean)[1] == pytest.approx(1)
