"""A small labelled data set of known truth: a bright organ with a brighter lesion in it, amid noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from isocenter import formats
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.volume import Volume

LABELS = {"organ": 1, "lesion": 2}
"""Value of each structure in the label files."""

SPACING_MM = (1.5, 1.0, 1.0)


def labelled_case(seed: int) -> tuple[Volume, Segmentation]:
    """An image like an MR and its labels; the same for the same seed.

    The organ is an ellipsoid of 6 to 9 mm half axes, the lesion a ball of 3 mm at its middle. Shapes vary by a few
    voxels from seed to seed.
    """
    random = np.random.default_rng(seed)
    shape = tuple(int(n) for n in random.integers((18, 26, 26), (23, 33, 33)))
    grid = Grid.from_vectors((shape[0], shape[1], shape[2]), spacing_mm=SPACING_MM)
    places = np.stack(np.meshgrid(*[np.arange(n, dtype=np.float64) for n in shape], indexing="ij"), axis=-1)
    middle = np.array(shape) / 2 + random.uniform(-1.5, 1.5, 3)
    away = (places - middle) * SPACING_MM
    labels = ((away / random.uniform(6, 9, 3)) ** 2).sum(-1) < 1
    labels = labels.astype(np.uint8)
    labels[np.linalg.norm(away, axis=-1) < 3] = LABELS["lesion"]
    values = random.normal(100, 10, shape) + np.array([0.0, 50.0, 100.0])[labels]
    image = Volume(values.astype(np.float32), grid, modality="MR")
    segments = [Segment.named(name, value) for name, value in LABELS.items()]
    return image, Segmentation.of(labels, image, segments, Algorithm("truth", "1"))


def write_labelled(folder: Path, count: int = 12) -> Path:
    """Write cases as nnU-Net has them: ``dataset.json``, ``imagesTr``, ``labelsTr``.

    Parameters
    ----------
    folder
        Where to; made if it is not there.
    count
        How many cases; the first is always the same.

    Returns
    -------
    The folder.
    """
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        image, labels = labelled_case(seed)
        formats.save(image, folder / "imagesTr" / f"case_{seed:03}_0000.nii.gz")
        formats.save(labels, folder / "labelsTr" / f"case_{seed:03}.nii.gz")
    table = {
        "name": "labelled",
        "licence": "CC0",
        "channel_names": {"0": "MR"},
        "labels": {"background": 0, **LABELS},
        "numTraining": count,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(table, indent=1), encoding="utf-8")
    return folder
