"""MONAI: LoadImage with its PydicomReader, on the folder."""

from __future__ import annotations

from pathlib import Path

import monai
import numpy as np
from monai.data import ITKReader, PydicomReader
from monai.transforms import LoadImage

from isocenter.testing.conformance import Answer, Picture

VERSIONS = {"monai": monai.__version__}


def read(folder: Path) -> Answer:
    return read_with(PydicomReader(), folder)


def read_with(reader: PydicomReader | ITKReader, folder: Path) -> Answer:
    image = LoadImage(reader=reader, image_only=True, dtype=None)(str(folder))
    data = image.numpy()
    data = data[..., None] if data.ndim == 2 else data
    affine = np.diag([-1, -1, 1, 1]) @ np.asarray(image.affine)
    return Answer([Picture(np.swapaxes(data, 0, 2), affine[:, [2, 1, 0, 3]])])
