"""Readers of DICOM that read a series as an array of HU; some give stored values, which :mod:`bench.reading` tells."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.jobs import Job, dcm2niix, files


def read_by_isocenter() -> Job:
    from isocenter.dicom.reading.pixels import read
    from isocenter.dicom.scan import scan

    return lambda folder: read(scan(folder)[0]).array


def read_by_isocenter_with_digests() -> Job:
    from isocenter.dicom.reading.pixels import read_with_digests
    from isocenter.dicom.scan import scan

    return lambda folder: read_with_digests(scan(folder)[0])[0].array


def read_by_dicomsdl() -> Job:
    """The fastest way that it offers: stored values into one array, in threads where the decoder takes long."""
    import dicomsdl
    import numpy as np

    def read(folder: str) -> Any:
        slices = [dicomsdl.open(path) for path in files(folder)]
        slices.sort(key=lambda one: -one.ImagePositionPatient[2])
        stored = slices[0].getPixelDataInfo()
        out = np.empty((len(slices), stored["Rows"], stored["Cols"]), stored["dtype"])
        jobs = [(one, out[k]) for k, one in enumerate(slices)]
        if slices[0].getTransferSyntax() == "1.2.840.10008.1.2.1":
            for one, place in jobs:
                one.copyFrameData(0, place)
            return out
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            list(threads.map(lambda job: job[0].copyFrameData(0, job[1]), jobs))
        return out

    return read


def read_by_fastdicom() -> Job:
    import fastdicom
    import numpy as np

    def read(folder: str) -> Any:
        slices = [fastdicom.dcmread(path) for path in files(folder)]
        slices.sort(key=lambda one: -one.ImagePositionPatient[2])
        return np.stack([one.pixel_array for one in slices])

    return read


def read_by_pydicom() -> Job:
    import numpy as np
    from pydicom import dcmread

    def read(folder: str) -> Any:
        slices = sorted((dcmread(path) for path in files(folder)), key=lambda one: -one.ImagePositionPatient[2])
        array = np.empty((len(slices), slices[0].Rows, slices[0].Columns), np.int16)
        for k, one in enumerate(slices):
            array[k] = one.pixel_array
            array[k] *= np.int16(one.RescaleSlope)
            array[k] += np.int16(one.RescaleIntercept)
        return array

    return read


def read_by_gdcm() -> Job:
    """Stored values, in the way of the examples of its documentation."""
    import gdcm
    import numpy as np

    def frame(path: str) -> tuple[float, Any]:
        reader = gdcm.ImageReader()
        reader.SetFileName(path)
        if not reader.Read():
            raise RuntimeError(f"GDCM cannot read {path}")
        image = reader.GetImage()
        columns, rows = image.GetDimensions()[:2]
        cells = image.GetBuffer().encode("utf-8", errors="surrogateescape")
        return -image.GetOrigin(2), np.frombuffer(cells, np.uint16).reshape(rows, columns)

    return lambda folder: np.stack([cells for _, cells in sorted(map(frame, files(folder)), key=lambda one: one[0])])


def read_by_simpleitk() -> Job:
    import SimpleITK as sitk  # noqa: N813

    def read(folder: str) -> Any:
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(folder))
        return sitk.GetArrayFromImage(reader.Execute())[::-1]

    return read


def read_by_dcm2niix() -> Job:
    """A NIfTI file on disk is all that it gives."""

    def read(folder: str) -> Any:
        with tempfile.TemporaryDirectory() as out:
            dcm2niix("-z", "n", "-b", "n", "-o", out, "-f", "volume", folder)
            if "--once" in sys.argv:
                return None
            return nifti(next(Path(out).glob("*.nii")))

    return read


def read_by_dicom2nifti() -> Job:
    import dicom2nifti

    def read(folder: str) -> Any:
        with tempfile.TemporaryDirectory() as out:
            path = Path(out) / "volume.nii"
            dicom2nifti.dicom_series_to_nifti(folder, str(path), reorient_nifti=False)
            return nifti(path)

    return read


def nifti(path: Path) -> Any:
    import nibabel
    import numpy as np

    array = np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0)  # type: ignore[attr-defined]
    return array[::-1, ::-1]


def read_by_monai() -> Job:
    from monai.transforms import LoadImage

    load = LoadImage(image_only=True)
    return lambda folder: load(folder).numpy().transpose(2, 1, 0)


def read_by_torchio() -> Job:
    from torchio import ScalarImage

    return lambda folder: ScalarImage(folder).data[0].numpy().transpose(2, 1, 0)[::-1]


def read_by_highdicom() -> Job:
    from highdicom import get_volume_from_series
    from pydicom import dcmread

    return lambda folder: get_volume_from_series([dcmread(path) for path in files(folder)]).array


READERS: dict[str, Callable[[], Job]] = {
    "Isocenter": read_by_isocenter,
    "Isocenter, SHA-256": read_by_isocenter_with_digests,
    "dicomsdl": read_by_dicomsdl,
    "fastdicom": read_by_fastdicom,
    "dcm2niix": read_by_dcm2niix,
    "pydicom": read_by_pydicom,
    "GDCM": read_by_gdcm,
    "SimpleITK": read_by_simpleitk,
    "TorchIO": read_by_torchio,
    "highdicom": read_by_highdicom,
    "dicom2nifti": read_by_dicom2nifti,
    "MONAI": read_by_monai,
}
