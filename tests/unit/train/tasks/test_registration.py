from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from isocenter.datasets.dataset import Dataset
from isocenter.errors import InputError, UsageError
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Normalisation, Plan
from isocenter.train import tasks
from isocenter.train.settings import Settings
from isocenter.train.tasks import Material
from isocenter.train.tasks.registration import jacobian, local_correlation, moved_labels, roughness


@pytest.fixture
def plan(blob_plan: Plan) -> Plan:
    network = Network("registration", {"features": (4, 8), "blocks": (1, 1)})
    return replace(
        blob_plan, task="registration", labels=(), channels=("fixed", "moving"), outputs=3, network=network,
        normalisation=(Normalisation(), Normalisation()), patch=(10, 14, 16),
    )  # fmt: skip


def material(blob_set: Dataset, plan: Plan, folder: Path) -> Material:
    split = replace(blob_set, cases=blob_set.cases[:4]), replace(blob_set, cases=blob_set.cases[4:])
    return Material(*split, plan, Settings(), folder)


def test_a_pair_is_brought_together_by_learning(blob_set: Dataset, plan: Plan, folder: Path) -> None:
    torch.manual_seed(0)
    task, network = tasks.build(material(blob_set, plan, folder)).task, build(plan)
    with torch.no_grad():
        before = task.validate(network.eval())
    assert before["score"] == pytest.approx(before["dice_before"], abs=1e-3)
    assert before["folds"] == 0
    optimiser, batch = torch.optim.AdamW(network.parameters(), 3e-3), task.sample(np.random.default_rng(0))
    losses = []
    for _ in range(12):
        optimiser.zero_grad()
        loss = task.loss(network.train(), batch)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.01


def test_slices_are_registered_too(blob_set: Dataset, plan: Plan, folder: Path) -> None:
    flat = replace(plan, patch=(1, 20, 24), outputs=2)
    task, network = tasks.build(material(blob_set, flat, folder)).task, build(flat)
    assert torch.isfinite(task.loss(network, task.sample(np.random.default_rng(0))))
    with torch.no_grad():
        found = task.validate(network.eval())
    assert found["score"] == pytest.approx(found["dice_before"], abs=1e-3)


def test_correlation_is_blind_to_contrast_and_sees_place() -> None:
    image = torch.randn(1, 1, 12, 12, 12, generator=torch.Generator().manual_seed(0))
    assert local_correlation(image, 3 * image + 5) == pytest.approx(1, abs=1e-3)
    assert local_correlation(image, -image) == pytest.approx(1, abs=1e-3)
    assert local_correlation(image, image.roll(4, 2)) < 0.1


def test_a_stretch_has_its_jacobian_and_a_fold_one_below_0() -> None:
    k, r, c = np.meshgrid(*[np.arange(6.0)] * 3, indexing="ij")
    stretch = torch.from_numpy(np.stack([0.5 * k, 0 * r, -0.25 * c])[None]).float()
    assert torch.allclose(jacobian(stretch), torch.full((1, 5, 5, 5), 1.5 * 0.75))
    folded = torch.from_numpy(np.stack([-1.5 * k, 0 * r, 0 * c])[None]).float()
    assert (jacobian(folded) < 0).all()
    assert roughness(stretch) == pytest.approx((0.25 + 0.0625) / 3 / 3)


def test_labels_move_as_images_do() -> None:
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1, 2, 3] = 7
    displacement = np.zeros((3, 4, 5, 6), np.float32)
    displacement[2] = 1
    moved = moved_labels(labels, displacement)
    assert moved[1, 2, 2] == 7
    assert moved.sum() == 7


def test_what_is_no_pair_is_told(blob_set: Dataset, plan: Plan, folder: Path) -> None:
    with pytest.raises(UsageError, match="fixed and a moving"):
        tasks.build(material(blob_set, replace(plan, channels=("a", "b", "c")), folder))
    one = replace(blob_set, cases=blob_set.cases[:1])
    with pytest.raises(InputError, match="pairs"):
        tasks.build(Material(one, None, plan, Settings(), folder))
