"""MONAI: LoadImage with its ITKReader, on the folder."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import monai
from monai.data import ITKReader
from with_monai_pydicom import read_with

from isocenter.testing.conformance import Answer

VERSIONS = {"monai": monai.__version__, "itk": importlib.metadata.version("itk")}


def read(folder: Path) -> Answer:
    return read_with(ITKReader(), folder)
