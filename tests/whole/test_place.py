"""Left stays left: the lungs of a phantom lie where they were made, however its slices were cut and stored."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from nibabel.affines import apply_affine

from isocenter import formats
from isocenter.geometry import Grid
from isocenter.pipeline.run import Result, run
from isocenter.testing.dicom import Style, write_series
from isocenter.testing.phantom import ChestPhantom, chest_phantom

LUNGS = {"Right lung": ("lung_right", 1), "Left lung": ("lung_left", 2)}
TOWARDS = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
SHAPE, SPACING_MM = (60, 84, 84), (5.0, 4.4, 4.4)
STACKS = {"feet first, prone, left-handed": "SAR", "on the side": "IRP", "sagittal": "RIP", "coronal": "PIL"}


def chest(orientation: str, shear_mm: float = 0.0) -> ChestPhantom:
    """The phantom on a grid of an orientation, each slice shifted along its rows."""
    letters = [next(i for i, pair in enumerate(("SI", "AP", "LR")) if letter in pair) for letter in orientation]
    shape, spacing_mm = [SHAPE[i] for i in letters], [SPACING_MM[i] for i in letters]
    direction = np.array([TOWARDS[letter] for letter in orientation], float).T
    affine = Grid.from_vectors(shape, spacing_mm=spacing_mm, direction=direction).affine.copy()
    affine[:3, 0] += direction[:, 1] * shear_mm
    affine[:3, 3] += np.array((0, 8, 0)) - Grid((shape[0], shape[1], shape[2]), affine).center_mm
    return chest_phantom(Grid((shape[0], shape[1], shape[2]), affine))


def points_of(path: Path, label: str) -> npt.NDArray[np.float64]:
    """LPS points of a segment of a SEG, from its attributes alone (PS3.3 C.7.6.2.1.1)."""
    seg = pydicom.dcmread(path)
    number = next(int(item.SegmentNumber) for item in seg.SegmentSequence if item.SegmentLabel == label)
    shared, found = seg.SharedFunctionalGroupsSequence[0], []
    for frame, own in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        if own.SegmentIdentificationSequence[0].ReferencedSegmentNumber != number:
            continue
        along_row, along_column = np.reshape(shared.PlaneOrientationSequence[0].ImageOrientationPatient, (2, 3))
        between_rows, between_columns = shared.PixelMeasuresSequence[0].PixelSpacing
        rows, columns = (places[:, None] for places in np.nonzero(frame))
        corner = np.array(own.PlanePositionSequence[0].ImagePositionPatient, float)
        found.append(corner + rows * between_rows * along_column + columns * between_columns * along_row)
    return np.concatenate(found).astype(float)


def same_place(points: npt.NDArray[np.float64], phantom: ChestPhantom, label: int) -> float:
    """Share of points that lie in a structure of the truth."""
    index = np.rint(phantom.truth.grid.to_index(points)).astype(int)
    return float(np.mean(phantom.truth.array[tuple(index.T)] == label))


def same_volumes(result: Result, phantom: ChestPhantom) -> bool:
    return all(
        abs(result.value("volume", name) / phantom.volumes_ml[name] - 1) < 0.02 for name in ("lung_right", "lung_left")
    )


@pytest.mark.parametrize(("orientation", "shear_mm"), [*((o, 0.0) for o in STACKS.values()), ("IPL", 1.2)])
def test_each_lung_of_a_seg_lies_where_it_was_made(tmp_path: Path, orientation: str, shear_mm: float) -> None:
    phantom = chest(orientation, shear_mm)
    numbers = range(phantom.volume.grid.shape[0], 0, -1)
    style = Style(instance_numbers=list(numbers), attributes={"PatientName": "Müller^Жанна=山田^太郎"})
    write_series(phantom.volume.array, phantom.volume.grid, tmp_path / "study", style=style)
    (result,) = run("lungs", tmp_path / "study", tmp_path / "out")
    assert result.verdict.usable
    assert same_volumes(result, phantom)
    for label, (_, truth) in LUNGS.items():
        points = points_of(result.outputs["seg"], label)
        assert same_place(points, phantom, truth) > 0.97
        assert (points[:, 0].mean() < 0) == (label == "Right lung")
    for kind in ("seg", "sr", "pdf_dicom"):
        assert pydicom.dcmread(result.outputs[kind]).PatientName == "Müller^Жанна=山田^太郎"
    assert "Müller Жанна" in result.outputs["html"].read_text(encoding="utf-8")


@pytest.mark.parametrize("axes", ["LAS", "PIR"])
def test_each_lung_of_a_nifti_lies_where_it_was_made(tmp_path: Path, axes: str) -> None:
    phantom = chest("IPL")
    formats.save(phantom.volume, tmp_path / "plain.nii.gz")
    image = nib.load(tmp_path / "plain.nii.gz")
    turn = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(image.affine), nib.orientations.axcodes2ornt(axes)
    )
    nib.save(image.as_reoriented(turn), tmp_path / "turned.nii.gz")
    (result,) = run("lungs", tmp_path / "turned.nii.gz", tmp_path / "out")
    assert same_volumes(result, phantom)
    masks = nib.load(result.outputs["masks"])
    assert nib.aff2axcodes(masks.affine) == tuple(axes)
    for name, label in LUNGS.values():
        points = apply_affine(masks.affine, np.argwhere(np.asarray(masks.dataobj) == label))
        assert same_place(points * (-1, -1, 1), phantom, label) > 0.97, name
