from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from isocenter import formats
from isocenter.datasets.dataset import Case, Dataset
from isocenter.errors import UsageError
from isocenter.evaluate.froc import judge
from isocenter.findings import Algorithm, Box, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.nets import predict
from isocenter.nets.detecting import aims, detections
from isocenter.nets.models.model import Model, save_model
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Plan
from isocenter.train import tasks
from isocenter.train.cache import cached
from isocenter.train.serving import running
from isocenter.train.settings import Settings
from isocenter.train.tasks import Material
from isocenter.train.tasks.detection import detection_loss, scan_of
from isocenter.volume import Volume

SPACING = (3.0, 1.0, 1.0)
NETWORK = Network("heatmap", {"stride": [1, 2, 2], "features": [8, 16], "blocks": [1, 1]})
PLAN = Plan("detection", ("MR",), ("small", "large"), NETWORK, (8, 32, 32), 2, spacing_mm=SPACING)


def balls(seed: int) -> tuple[Volume, Segmentation]:
    """Bright balls of two sizes on noise; grey bars are none."""
    rng = np.random.default_rng(seed)
    grid = Grid.from_vectors((12, 56, 48), spacing_mm=SPACING)
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1) * SPACING
    array, labels = rng.normal(0, 1, grid.shape).astype(np.float32), np.zeros(grid.shape, np.uint8)
    for number, corner in enumerate(((3, 12, 12), (8, 12, 34), (3, 42, 34), (8, 42, 12))):
        middle = np.array(corner) + rng.integers(-1, 2, 3) * (1, 3, 3)
        size = 1 + (number + seed) % 2
        ball = np.linalg.norm(index - middle * SPACING, axis=-1) <= 3.2 * size
        array[ball] += 8
        labels[ball] = size
    array[:, 26:29, int(rng.integers(8, 40)) :] += 8
    image = Volume(array, grid, modality="MR")
    return image, Segmentation.of(
        labels, image, [Segment.named("small", 1), Segment.named("large", 2)], Algorithm("truth", "1")
    )


@pytest.fixture(scope="module")
def ball_set(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder, cases = tmp_path_factory.mktemp("balls"), []
    for number in range(5):
        paths = folder / f"image_{number}.nii.gz", folder / f"label_{number}.nii.gz"
        for made, path in zip(balls(number), paths, strict=True):
            formats.save(made, path)
        cases.append(Case(f"case_{number}", (paths[0],), paths[1]))
    return Dataset("balls", tuple(cases), ("MR",), {"small": 1, "large": 2})


def material(ball_set: Dataset, folder: Path, **settings: object) -> Material:
    learning, held_out = (replace(ball_set, cases=some) for some in (ball_set.cases[2:], ball_set.cases[:2]))
    return Material(learning, held_out, PLAN, Settings(augmentation="none", **settings), folder)  # type: ignore[arg-type]


def test_balls_are_learned_to_be_found_and_told_apart(ball_set: Dataset, tmp_path: Path) -> None:
    torch.manual_seed(0)
    task, network = tasks.build(material(ball_set, tmp_path)).task, build(PLAN)
    with torch.no_grad():
        before = task.validate(network.eval())
    optimiser, random = torch.optim.AdamW(network.parameters(), 5e-3), np.random.default_rng(0)
    network.train()
    for _ in range(100):
        optimiser.zero_grad()
        task.loss(network, task.sample(random)).backward()
        optimiser.step()
    with torch.no_grad():
        after = task.validate(network.eval())
    assert list(after) == ["score", "sensitivity_at_1", "found", "kind"]
    assert before["score"] < 0.3
    assert after["score"] > 0.8
    assert after["kind"] > 0.8
    model = save_model(Model("balls", "1", PLAN, tmp_path / "model", {}), [network.state_dict()])
    image, truth = balls(0)
    found = predict.predict(model, image)
    assert all(isinstance(one, Box) for one in found)
    surest = found[0]
    k, r, c = ((a + b) // 2 for a, b in zip(surest.start, surest.stop, strict=True))
    assert truth.array[k, r, c] == 1 + (surest.name == "large")


def test_batches_are_the_same_for_the_same_generator_and_hold_what_is_aimed_at(
    ball_set: Dataset, tmp_path: Path
) -> None:
    task = tasks.build(material(ball_set, tmp_path)).task
    one, other = (task.sample(np.random.default_rng(3)) for _ in range(2))
    assert one.images.shape == (2, 1, 8, 32, 32)
    assert one.truth.shape == (2, 8, 8, 16, 16)
    assert one.weight.shape == (2, 3, 8, 16, 16)
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.truth, other.truth)


def test_the_loss_is_least_at_what_is_aimed_at() -> None:
    values, weights = (torch.from_numpy(one)[None] for one in aims(balls(0)[1].array, PLAN))
    right = torch.cat([(values[:, :2] == 1) * 18.0 - 9.0, values[:, 2:]], 1)
    least = detection_loss(right, values, weights)
    assert 0 <= least < 0.01
    for channel in range(8):
        worse = right.clone()
        worse[:, channel] += 5.0 if channel < 2 else 1.0
        assert detection_loss(worse, values, weights) > least


def test_nothing_in_a_batch_gives_a_finite_loss_and_no_part_of_a_thing_is_an_alarm() -> None:
    empty, weights = (torch.from_numpy(one)[None] for one in aims(np.zeros((8, 32, 32), np.uint8), PLAN))
    outputs = torch.zeros(1, 8, 8, 16, 16, requires_grad=True)
    detection_loss(outputs, empty, weights).backward()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()
    weights[:, :2, 0] = 0
    with torch.no_grad():
        hidden = outputs.detach().clone()
        hidden[:, :2, 0] = 9
        assert detection_loss(hidden, empty, weights) == detection_loss(outputs, empty, weights)


def test_the_truth_of_a_case_is_where_its_labels_are(ball_set: Dataset, tmp_path: Path) -> None:
    case = cached(ball_set, PLAN, tmp_path).cases[0]
    scan = scan_of(case, (), 2)
    assert len(scan.places_mm) == 4
    assert sorted(scan.radii_mm) == pytest.approx([3.2, 3.2, 6.4, 6.4], rel=0.15)
    image, truth = balls(0)
    for place in scan.places_mm:
        k, r, c = np.rint(image.grid.to_index(place)).astype(int)
        assert truth.array[k, r, c]
    assert math.isinf(judge(scan).best[0])


def test_an_untrained_network_gives_candidates_of_low_score_or_none(ball_set: Dataset, tmp_path: Path) -> None:
    torch.manual_seed(0)
    case = cached(ball_set, PLAN, tmp_path).cases[0]
    with torch.no_grad():
        found = detections(case.prepared(), PLAN, running(build(PLAN).eval(), PLAN))
    assert all(one.score < 0.2 for one in found)


def test_a_loss_by_name_is_refused(ball_set: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="loss of its own"):
        tasks.build(material(ball_set, tmp_path, loss="dice"))
