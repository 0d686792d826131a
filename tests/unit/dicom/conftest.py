"""A small CT study with complete headers, what was found in it, and how its objects are made."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.uid import CTImageStorage

from isocenter import codes
from isocenter.dicom.derived.making import Making
from isocenter.findings import Algorithm, Measurement, Segment, Segmentation
from isocenter.geometry import Grid

SHAPE = (6, 10, 9)  # 90 pixels a frame: not a whole number of bytes
SPACING = (2.0, 0.8, 0.7)
FRAME = "1.2.826.0.1.3680043.8.498.4"


def header(k: int, *, shift_mm: float = 0.0) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet, ds.ImageType = "ISO_IR 100", ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, f"1.2.826.0.1.3680043.8.498.1.{k + 1}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.2", "1.2.826.0.1.3680043.8.498.3"
    for name in ("Study", "Series", "Acquisition", "Content"):
        setattr(ds, f"{name}Date", "20240102")
        setattr(ds, f"{name}Time", "101010")
    ds.AccessionNumber, ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "A1", "1", 3, k + 1
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName, ds.SoftwareVersions = "CT", "PHANTOM", "SIM", "1"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Phantom^Anna", "P0", "19600101", "O"
    ds.ReferringPhysicianName, ds.StudyDescription, ds.BodyPartExamined = "Who^Doctor", "CHEST", "CHEST"
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = FRAME, ""
    ds.ImagePositionPatient = [-3.0, -4.0 + shift_mm * k, 100.0 - SPACING[0] * k]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = list(SPACING[1:]), SPACING[0]
    ds.Rows, ds.Columns = SHAPE[1:]
    return ds


def native_grid(shift_mm: float = 0.0) -> Grid:
    affine = np.eye(4)
    affine[:3, 0] = 0, shift_mm, -SPACING[0]
    affine[:3, 1] = 0, SPACING[1], 0
    affine[:3, 2] = SPACING[2], 0, 0
    affine[:3, 3] = -3, -4, 100
    return Grid(SHAPE, affine, FRAME)


@pytest.fixture
def sources() -> list[Dataset]:
    return [header(k) for k in range(SHAPE[0])]


@pytest.fixture
def tilted() -> tuple[list[Dataset], Grid]:
    """Headers of a stack whose slices are sheared against each other, and its grid."""
    return [header(k, shift_mm=0.6) for k in range(SHAPE[0])], native_grid(0.6)


@pytest.fixture
def segmentation() -> Segmentation:
    """Two lungs in one layer, a body that overlaps them in another, and a trachea that was not found."""
    rng = np.random.default_rng(1)
    lungs = rng.integers(0, 3, SHAPE).astype(np.uint8)
    lungs[0] = 0
    lungs[5][lungs[5] == 2] = 0
    body = np.zeros(SHAPE, np.uint8)
    body[1:5, 2:8, 1:7] = 7
    segments = (
        Segment("lung_right", 1, "Right lung", codes.RIGHT_LUNG, color=(220, 90, 90)),
        Segment("lung_left", 2, "Left lung", codes.LEFT_LUNG, color=(90, 160, 230)),
        Segment("trachea", 3, "Trachea", codes.TRACHEA),
        Segment("body", 7, "Body", codes.BODY, layer=1),
    )
    return Segmentation((lungs, body), native_grid(), segments, Algorithm("lungs", "0.1.0", (("threshold_hu", -500),)))


@pytest.fixture
def measurements() -> tuple[Measurement, ...]:
    both = ("lung_right", "lung_left")
    return (
        Measurement("volume", "Volume", 2100.125, codes.ML, codes.VOLUME, both[:1], method="Voxels counted."),
        Measurement("mean", "Mean density", -812.3456789012345, codes.HU, codes.ATTENUATION, both[:1], codes.MEAN),
        Measurement("volume", "Volume", 1.0 / 3.0, codes.ML, codes.VOLUME, both[1:]),
        Measurement("volume", "Volume", 3912.5, codes.ML, codes.VOLUME, both),
    )


@pytest.fixture
def making() -> Making:
    return Making(datetime(2026, 11, 21, 2, 0, 3, 250000, tzinfo=UTC), ("digest of pixels", "settings"))


@pytest.fixture
def complaints() -> Callable[[Path], list[str]]:
    """What dciodvfy has to say against a file."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")

    def ask(path: Path) -> list[str]:
        said = subprocess.run([program, "-new", str(path)], capture_output=True, text=True, check=False).stderr
        return [line for line in said.splitlines() if line.startswith(("Error", "Warning", "Abort"))]

    return ask
