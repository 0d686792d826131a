"""Small data sets of known content on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from isocenter import formats
from isocenter.datasets.dataset import Case, Dataset
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.nets.plan import Network, Plan
from isocenter.volume import Volume

SPACING = (2.0, 1.0, 1.5)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Small networks on one thread: faster, and the same bits whatever machine it is."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def blobs(seed: int, shape: tuple[int, int, int] = (14, 18, 16)) -> tuple[Volume, Segmentation]:
    """An image in which two structures are brighter than noise, and their labels."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint8)
    k, r, c = random.integers(3, 6, 3)
    labels[k : k + 6, r : r + 6, c : c + 6] = 1
    labels[k + 6 : k + 8, r + 2 : r + 4, c + 2 : c + 4] = 2
    array = random.normal(0, 1, shape).astype(np.float32) + 6 * (labels == 1) + 12 * (labels == 2)
    grid = Grid.from_vectors(shape, spacing_mm=SPACING)
    image = Volume(array.astype(np.float32), grid, modality="MR")
    segments = [Segment.named("body", 1), Segment.named("tip", 2)]
    return image, Segmentation.of(labels, image, segments, Algorithm("truth", "1"))


@pytest.fixture(scope="session")
def blob_set(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Six labelled cases, as NIfTI."""
    folder = tmp_path_factory.mktemp("blobs")
    cases = []
    for number in range(6):
        image, labels = blobs(number)
        paths = folder / f"image_{number}.nii.gz", folder / f"label_{number}.nii.gz"
        formats.save(image, paths[0])
        formats.save(labels, paths[1])
        cases.append(Case(f"case_{number}", (paths[0],), paths[1]))
    return Dataset("blobs", tuple(cases), ("MR",), {"body": 1, "tip": 2})


@pytest.fixture(scope="session")
def blob_plan() -> Plan:
    """A plan for them that is quick to learn by."""
    network = Network("residual_unet", {"features": (4, 8), "blocks": (1, 1)})
    return Plan("segmentation", ("MR",), ("body", "tip"), network, (8, 16, 16), 2, spacing_mm=(2.0, 1.0, 1.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where prepared cases go."""
    return tmp_path / "prepared"
