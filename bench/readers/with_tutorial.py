"""What tutorials do: every file by pydicom, sorted by z, slope and intercept, spacing from the first two slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom

from isocenter.testing.conformance import Answer, Picture

VERSIONS = {"pydicom": pydicom.__version__}


def read(folder: Path) -> Answer:
    slices = [pydicom.dcmread(path) for path in folder.rglob("*") if path.is_file()]
    slices.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    array = np.stack([ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept) for ds in slices])
    first = slices[0]
    try:
        thickness = abs(slices[0].ImagePositionPatient[2] - slices[1].ImagePositionPatient[2])
    except IndexError:
        thickness = float(first.SliceThickness)
    affine = np.eye(4)
    affine[:3, 2] = np.array(first.ImageOrientationPatient[:3], float) * first.PixelSpacing[1]
    affine[:3, 1] = np.array(first.ImageOrientationPatient[3:], float) * first.PixelSpacing[0]
    affine[:3, 0] = (0, 0, thickness)
    affine[:3, 3] = first.ImagePositionPatient
    return Answer([Picture(array, affine)])
