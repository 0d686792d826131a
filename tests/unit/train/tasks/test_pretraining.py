from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from isocenter.datasets.dataset import Dataset
from isocenter.errors import UsageError
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Plan
from isocenter.train import tasks
from isocenter.train.settings import Settings
from isocenter.train.tasks import Material
from isocenter.train.tasks.pretraining import contrast, cover, covered_error, pretraining_plan


def test_two_views_of_each_place_are_drawn_and_covered(blob_set: Dataset, blob_plan: Plan, folder: Path) -> None:
    made = tasks.build(Material(blob_set, None, pretraining_plan(blob_plan), Settings(augmentation="none"), folder))
    batch = made.task.sample(np.random.default_rng(0))
    assert batch.images.shape == batch.truth.shape == (4, 1, 8, 16, 16)
    assert torch.equal(batch.truth[:2], batch.truth[2:])
    assert not torch.equal(batch.weight[:2], batch.weight[2:])
    assert torch.equal(batch.images, batch.truth * (1 - batch.weight))
    assert made.task.validate(build(made.task.plan)) == {}


@pytest.mark.parametrize("shape", [(8, 16, 16), (40, 56, 40), (1, 32, 33), (1, 2, 1)])
def test_half_of_the_blocks_are_covered(shape: tuple[int, int, int]) -> None:
    covers = np.stack([cover(shape, 0.5, np.random.default_rng(seed)) for seed in range(20)])
    assert covers.shape[1:] == shape
    assert set(np.unique(covers)) == {0, 1}
    assert covers.mean() == pytest.approx(0.5, abs=0.1)


def test_a_few_steps_draw_better_what_is_covered(blob_set: Dataset, blob_plan: Plan, folder: Path) -> None:
    torch.manual_seed(0)
    split = replace(blob_set, cases=blob_set.cases[:4]), replace(blob_set, cases=blob_set.cases[4:])
    task = tasks.build(Material(*split, pretraining_plan(blob_plan), Settings(), folder)).task
    network = build(task.plan)
    optimiser, random = torch.optim.AdamW(network.parameters(), 1e-2), np.random.default_rng(0)
    with torch.no_grad():
        before = task.validate(network)["score"]
        assert task.validate(network)["score"] == before
    for _ in range(25):
        optimiser.zero_grad()
        task.loss(network, task.sample(random)).backward()
        optimiser.step()
    with torch.no_grad():
        assert task.validate(network)["score"] > before


def test_the_contrast_is_least_where_views_of_a_place_are_alone_alike() -> None:
    apart = functional.normalize(torch.eye(4).repeat(2, 1), dim=1)
    alike = torch.ones(8, 4) / 2
    assert contrast(apart, 0.1) < 1e-3
    assert contrast(alike, 0.1) == pytest.approx(np.log(7), rel=1e-5)
    mixed = apart[[0, 1, 2, 3, 1, 2, 3, 0]]
    assert contrast(mixed, 0.1) > 5


def test_only_what_is_covered_counts() -> None:
    truth, weight = torch.zeros(1, 1, 2, 2, 2), torch.zeros(1, 1, 2, 2, 2)
    weight[..., 0] = 1
    drawn = torch.full_like(truth, 3.0)
    drawn[..., 1] = 100
    assert covered_error(drawn, tasks.Batch(truth, truth, weight)) == 3


def test_a_network_for_pretraining_says_what_it_is_for(blob_plan: Plan) -> None:
    plan = pretraining_plan(blob_plan)
    with pytest.raises(UsageError, match="option 'of'"):
        build(replace(plan, network=Network("pretraining")))
    with pytest.raises(UsageError, match="draws the 1 channels"):
        build(replace(plan, outputs=3))
