"""RT Structure Sets of real studies against the masks that their publishers made of them with another program."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom import dcmread

from isocenter.dicom.annotations.segmentation import read_segmentation
from isocenter.dicom.scan import scan
from isocenter.geometry import Grid
from isocenter.pipeline import look

pytestmark = pytest.mark.real

_STS = "ibsi_sts_008_petctmr"
CASES = {
    "CT phantom": (
        "ibsi_1_ct_phantom/dicom/image",
        "ibsi_1_ct_phantom/dicom/mask",
        "ibsi_1_ct_phantom/nifti/mask/mask.nii.gz",
    ),
    **{
        name: (
            f"{_STS}/dicom/STS_008/{name}/image",
            f"{_STS}/dicom/STS_008/{name}/mask",
            f"{_STS}/nifti/STS_008/{name}_mask.nii.gz",
        )
        for name in ("PET", "CT", "MR_T1")
    },
}


@pytest.mark.parametrize("name", CASES)
def test_every_voxel_is_that_of_the_published_mask(shared_data: Path, name: str) -> None:
    image, outlines, mask = (shared_data / part for part in CASES[name])
    series = scan(image)[0]
    assert series.grid is not None
    found = read_segmentation(next(outlines.iterdir()), grid=series.grid)
    truth = nibabel.load(mask)
    assert np.array_equal(found.mask(found.names[0]), voxels_on(truth, series.grid))
    assert found.reasons == ()


def voxels_on(image: nibabel.Nifti1Image, grid: Grid) -> np.ndarray:
    """A mask in NIfTI's axes on the grid that it lies on, each voxel looked up by its place."""
    index = np.argwhere(np.asarray(image.dataobj) > 0)
    world = nibabel.affines.apply_affine(image.affine, index) * (-1, -1, 1)
    places = grid.to_index(world)
    assert np.abs(places - np.rint(places)).max() < 1e-2
    voxels = np.zeros(grid.shape, bool)
    voxels[tuple(np.rint(places).astype(int).T)] = True
    return voxels


def test_a_clinical_structure_set_is_drawn_whole_but_for_what_has_no_contours(shared_data: Path) -> None:
    """Areas against the shoelace formula, contour by contour where no two share a plane."""
    dataset = dcmread(shared_data / "dicompyler_rt" / "rtss.dcm")
    frame = str(dataset.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID)
    grid = covering(dataset, frame)
    found = read_segmentation(shared_data / "dicompyler_rt" / "rtss.dcm", grid=grid)
    assert found.names == (
        *("body", "borders", "breast", "heart", "lt_lung", "nodes", "scar", "tumor_bed", "tumor_bed_block"),
    )
    assert [reason.code for reason in found.reasons if reason.code == "STRUCTURE_WITHOUT_AREA"] == [
        "STRUCTURE_WITHOUT_AREA"
    ]
    drawn = {int(item.ReferencedROINumber): item for item in dataset.ROIContourSequence}
    heart = found.mask("heart")
    for item in drawn[5].ContourSequence:
        points = grid.to_index(np.array(item.ContourData, float).reshape(-1, 3))
        area = shoelace(points[:, 1:])
        rim = np.hypot(*np.diff(points[:, 1:], axis=0, append=points[:1, 1:]).T).sum()
        assert abs(heart[round(float(points[0, 0]))].sum() - area) <= rim / 2


def covering(dataset, frame: str) -> Grid:
    points = np.concatenate(
        [
            np.array(contour.ContourData, float).reshape(-1, 3)
            for item in dataset.ROIContourSequence
            for contour in item.get("ContourSequence", [])
        ]
    )
    low, high = points.min(axis=0) - 2, points.max(axis=0) + 2
    depths = np.unique(np.round(points[:, 2], 3))
    step = float(np.diff(depths).min())
    shape = (round((depths[-1] - depths[0]) / step) + 1, *(int(high[i] - low[i]) + 1 for i in (1, 0)))
    affine = np.array([[0, 0, 1, low[0]], [0, 1, 0, low[1]], [step, 0, 0, depths[0]], [0, 0, 0, 1]])
    return Grid(shape, affine, frame)


def shoelace(points: np.ndarray) -> float:
    (r, c), (r1, c1) = points.T, np.roll(points, -1, axis=0).T
    return abs(float(np.sum(r * c1 - r1 * c))) / 2


@pytest.mark.parametrize("name", ["PET", "CT", "MR_T1"])
def test_outlines_are_put_onto_the_series_that_they_name(shared_data: Path, name: str) -> None:
    image, outlines, _ = (shared_data / part for part in CASES[name])
    found, _ = look.image(next(outlines.iterdir()), on=shared_data / _STS)
    assert found.grid == scan(image)[0].grid
