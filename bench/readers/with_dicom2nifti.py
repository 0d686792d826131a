"""dicom2nifti: convert_directory on the whole folder."""

from __future__ import annotations

import importlib.metadata
import tempfile
from pathlib import Path

import dicom2nifti
import nibabel
from with_dcm2niix import picture_of

from isocenter.testing.conformance import Answer

VERSIONS = {"dicom2nifti": importlib.metadata.version("dicom2nifti")}


def read(folder: Path) -> Answer:
    with tempfile.TemporaryDirectory() as out:
        dicom2nifti.convert_directory(str(folder), out, compression=False, reorient=False)
        pictures = [picture_of(nibabel.load(path)) for path in sorted(Path(out).glob("*.nii"))]
    if not pictures:
        raise ValueError("Nothing was converted.")
    return Answer(pictures)
