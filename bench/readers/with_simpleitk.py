"""SimpleITK: each series that GDCM finds in the folder (and below), read as one image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from isocenter.testing.conformance import Answer, Picture

VERSIONS = {"SimpleITK": sitk.Version.VersionString()}


def read(folder: Path) -> Answer:
    found = sitk.ImageSeriesReader
    pictures = []
    for place in [folder, *(path for path in sorted(folder.rglob("*")) if path.is_dir())]:
        for uid in found.GetGDCMSeriesIDs(str(place)):
            names = found.GetGDCMSeriesFileNames(str(place), uid)
            pictures.append(picture_of(sitk.ReadImage(names if len(names) > 1 else names[0])))
    if not pictures:
        raise ValueError("GDCM finds no series.")
    return Answer(pictures)


def picture_of(image: sitk.Image) -> Picture:
    if image.GetDimension() == 2:
        image = sitk.JoinSeries(image)
    size = image.GetDimension()
    linear = np.array(image.GetDirection()).reshape(size, size) * image.GetSpacing()
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = linear[:3, 2::-1], image.GetOrigin()[:3]
    array = sitk.GetArrayFromImage(image)
    return Picture(np.moveaxis(array, 0, 3) if size == 4 else array, affine)
