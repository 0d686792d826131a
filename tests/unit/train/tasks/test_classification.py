from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from isocenter import datasets
from isocenter.datasets.dataset import Dataset
from isocenter.errors import Refused, UsageError
from isocenter.nets import predict
from isocenter.nets.models.model import Model, save_model
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Normalisation, Plan
from isocenter.train import tasks
from isocenter.train.cache import cached
from isocenter.train.patches import Sampling, cut
from isocenter.train.settings import Settings
from isocenter.train.tasks import Material
from isocenter.train.tasks.classification import in_middle

COLOURS = {"blue": (40, 60, 200), "red": (200, 60, 40), "grey": (100, 100, 100)}
RANGE = Normalisation("range", 0.0, 255.0)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Pictures of three colours, some wider than others."""
    folder, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / name).mkdir()
        for number in range(6):
            shape = (40, 32 + 4 * (number % 3), 3)
            pixels = np.clip(rng.normal(colour, 25, shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return replace(datasets.open_dataset(folder), channels=("red", "green", "blue"))


def plan_of(photographs: Dataset, **changes: object) -> Plan:
    network = Network("resnet", {"depth": 10, "features": 4})
    plan = Plan("classification", photographs.channels, photographs.categories, network, (1, 32, 36), 8)
    return replace(plan, orientation="LPS", normalisation=(RANGE,) * 3, **changes)  # type: ignore[arg-type]


def material(photographs: Dataset, plan: Plan, folder: Path, **settings: object) -> Material:
    cases = photographs.cases
    held_out = replace(photographs, cases=cases[::3])
    learning = replace(photographs, cases=tuple(case for case in cases if case not in held_out.cases))
    return Material(learning, held_out, plan, Settings(**settings), folder)  # type: ignore[arg-type]


class ByColour(nn.Module):
    """Knows the colours."""

    def __init__(self) -> None:
        super().__init__()
        table = torch.tensor([COLOURS[name] for name in ("blue", "grey", "red")]) / 255
        self.table = nn.Parameter(table)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.flatten(2).sum(2) / (x.flatten(2).amax(1) > 0).sum(1, keepdim=True)
        return -50 * (mean[:, None] - self.table).abs().sum(2)


def test_colours_are_learned_in_a_few_steps(photographs: Dataset, tmp_path: Path) -> None:
    torch.manual_seed(0)
    plan = plan_of(photographs)
    task, network = tasks.build(material(photographs, plan, tmp_path)).task, build(plan)
    optimiser, random = torch.optim.AdamW(network.parameters(), 3e-3), np.random.default_rng(0)
    for _ in range(25):
        optimiser.zero_grad()
        task.loss(network, task.sample(random)).backward()
        optimiser.step()
    with torch.no_grad():
        found = task.validate(network.eval())
    assert list(found) == ["score", "accuracy", "ece", "f1_blue", "f1_grey", "f1_red"]
    assert found["score"] == 1


def test_one_who_knows_is_right_and_one_who_guesses_is_not(photographs: Dataset, tmp_path: Path) -> None:
    plan = plan_of(photographs)
    task = tasks.build(material(photographs, plan, tmp_path)).task
    with torch.no_grad():
        assert task.validate(ByColour())["accuracy"] == 1
        wrong = ByColour()
        wrong.table.data = wrong.table.data.roll(1, 0)
        assert task.validate(wrong)["accuracy"] == 0
        assert task.validate(wrong)["ece"] > 0.9


def test_rare_categories_come_as_often_as_others(photographs: Dataset, tmp_path: Path) -> None:
    plan = plan_of(photographs, batch=30)
    few = replace(photographs, cases=(photographs.cases[0], *photographs.cases[6:]))
    task = tasks.build(Material(few, None, plan, Settings(), tmp_path)).task
    rng = np.random.default_rng(0)
    counts = sum(np.bincount(task.sample(rng).truth.numpy(), minlength=3) for _ in range(10))
    assert (abs(counts - 100) < 30).all()
    assert task.validate(ByColour()) == {}


def test_a_batch_is_the_same_for_the_same_generator(photographs: Dataset, tmp_path: Path) -> None:
    task = tasks.build(material(photographs, plan_of(photographs), tmp_path)).task
    one, other = (task.sample(np.random.default_rng(3)) for _ in range(2))
    assert one.images.shape == (8, 3, 32, 36)
    assert one.images.dtype == torch.float32
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.truth, other.truth)


@pytest.mark.parametrize("patch", [(1, 32, 36), (1, 48, 31), (1, 41, 64)])
def test_what_is_learned_from_is_what_is_served(photographs: Dataset, tmp_path: Path, patch: tuple[int, ...]) -> None:
    plan = plan_of(photographs, patch=patch)
    for case in cached(photographs, plan, tmp_path).cases[:3]:
        learned = cut(in_middle(case, plan.patch), Sampling.of(plan)).image
        served = predict._in_middle(case.prepared().array, plan, "cpu")[0]
        assert np.array_equal(learned[:, 0], served)


def test_a_category_without_cases_is_told_and_cases_without_category_are_left_out(
    photographs: Dataset, tmp_path: Path
) -> None:
    plan = plan_of(photographs)
    other = tuple(replace(case, category="green") for case in photographs.cases[:6])
    mixed = replace(photographs, cases=(*other, *photographs.cases[6:]))
    made = tasks.build(Material(mixed, None, plan, Settings(), tmp_path))
    codes = [reason.code for reason in made.reasons]
    assert codes.count("CASE_LEFT_OUT") == 6
    assert "CATEGORY_UNSEEN" in codes
    with pytest.raises(Refused, match="NOTHING_TO_LEARN_FROM"):
        tasks.build(Material(replace(photographs, cases=other), None, plan, Settings(), tmp_path))


def test_a_loss_of_voxels_is_refused(photographs: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cross_entropy or focal"):
        tasks.build(material(photographs, plan_of(photographs), tmp_path, loss="dice"))


def test_a_model_names_the_category_of_a_photograph(photographs: Dataset, tmp_path: Path) -> None:
    plan = plan_of(photographs)
    torch.manual_seed(0)
    model = save_model(Model("colours", "1", plan, tmp_path / "colours", {}), [build(plan).state_dict()])
    case = photographs.cases[0]
    found = predict.predict(model, datasets.load_case(case, photographs).images)
    assert {label.name for label in found} == set(photographs.categories)
    assert sum(label.probability for label in found) == pytest.approx(1)
