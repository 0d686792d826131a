"""TorchIO: ScalarImage of the folder."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np
import torchio

from isocenter.testing.conformance import Answer, Picture

VERSIONS = {"torchio": importlib.metadata.version("torchio")}


def read(folder: Path) -> Answer:
    image = torchio.ScalarImage(folder)
    data = np.moveaxis(image.data.numpy(), (0, 1, 2, 3), (3, 2, 1, 0))
    affine = np.diag([-1, -1, 1, 1]) @ image.affine
    array = data[..., 0] if data.shape[-1] == 1 else data
    return Answer([Picture(array, affine[:, [2, 1, 0, 3]])])
