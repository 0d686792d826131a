from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from isocenter.datasets.dataset import Case, Dataset
from isocenter.errors import Refused
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Plan
from isocenter.train import tasks
from isocenter.train.settings import Settings
from isocenter.train.tasks import Material
from isocenter.train.tasks.segmentation import dice_of


def material(blob_set: Dataset, plan: Plan, folder: Path, *, held_out: int = 2) -> Material:
    learning = replace(blob_set, cases=blob_set.cases[held_out:])
    kept = replace(blob_set, cases=blob_set.cases[:held_out]) if held_out else None
    return Material(learning, kept, plan, Settings(augmentation="none"), folder)


class ByBrightness(nn.Module):
    """Tells the blobs apart by their z-scored values, which is nearly right."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([-(x - at).abs() * self.scale for at in (-0.2, 3.2, 6.6)], dim=1)


def test_held_out_cases_are_scored_on_their_own_grid(blob_set: Dataset, blob_plan: Plan, folder: Path) -> None:
    task = tasks.build(material(blob_set, blob_plan, folder)).task
    with torch.no_grad():
        found = task.validate(ByBrightness().eval())
    assert list(found) == ["score", "dice_body", "dice_tip"]
    assert found["score"] == pytest.approx((found["dice_body"] + found["dice_tip"]) / 2)
    assert found["dice_body"] > 0.8
    assert found["dice_tip"] > 0.5


def test_a_batch_is_of_the_plan_and_the_same_for_the_same_generator(
    blob_set: Dataset, blob_plan: Plan, folder: Path
) -> None:
    given = material(blob_set, blob_plan, folder, held_out=0)
    task = tasks.build(replace(given, settings=Settings())).task  # augmented
    one, other = (task.sample(np.random.default_rng(3)) for _ in range(2))
    assert one.images.shape == (2, 1, 8, 16, 16)
    assert one.truth.shape == (2, 8, 16, 16)
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.truth, other.truth)
    assert task.validate(ByBrightness()) == {}


def test_a_few_steps_teach_to_tell_the_blobs_apart(blob_set: Dataset, blob_plan: Plan, folder: Path) -> None:
    torch.manual_seed(0)
    task, network = tasks.build(material(blob_set, blob_plan, folder)).task, build(blob_plan)
    optimiser, random = torch.optim.AdamW(network.parameters(), 1e-2), np.random.default_rng(0)
    for _ in range(40):
        optimiser.zero_grad()
        task.loss(network, task.sample(random)).backward()
        optimiser.step()
    with torch.no_grad():
        assert task.validate(network.eval())["dice_body"] > 0.7


def test_slices_with_neighbours_are_learned_from(blob_set: Dataset, folder: Path) -> None:
    network = Network("residual_unet", {"features": (4, 8), "blocks": (1, 1)})
    plan = Plan("segmentation", ("MR",), ("body", "tip"), network, (1, 16, 16), 3, neighbours=1)
    task = tasks.build(material(blob_set, plan, folder)).task
    batch = task.sample(np.random.default_rng(0))
    assert batch.images.shape == (3, 3, 16, 16)
    assert batch.truth.shape == (3, 16, 16)
    made = build(plan)
    assert torch.isfinite(task.loss(made, batch))
    with torch.no_grad():
        assert 0 <= task.validate(made.eval())["score"] <= 1


def test_cases_without_labels_are_left_out(blob_set: Dataset, blob_plan: Plan, folder: Path) -> None:
    bare = tuple(Case(case.id, case.images) for case in blob_set.cases[:1])
    some = replace(blob_set, cases=(*bare, *blob_set.cases[1:3]))
    made = tasks.build(Material(some, None, blob_plan, Settings(augmentation="none"), folder))
    assert [one.instances for one in made.reasons if one.code == "CASE_LEFT_OUT"] == [("case_0",)]
    with pytest.raises(Refused, match="NOTHING_TO_LEARN_FROM"):
        tasks.build(Material(replace(some, cases=bare), None, blob_plan, Settings(augmentation="none"), folder))


def test_a_structure_that_neither_has_says_nothing() -> None:
    truth = np.zeros((1, 2, 4), np.uint8)
    truth[0, 0] = 1
    found = np.zeros((1, 2, 4), np.uint8)
    found[0, 0, :2], found[0, 1, 0] = 1, 2
    dice = dice_of(found, truth, 3)
    assert dice[:2] == [pytest.approx(2 * 2 / 6), 0.0]
    assert np.isnan(dice[2])
