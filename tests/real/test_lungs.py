"""Lungs and bone on real scans, with the settings used everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter import codes
from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.geometry import Grid
from isocenter.ops.anatomy import segment
from isocenter.volume import Volume

pytestmark = pytest.mark.real

LUNGS = ("lung_right", "lung_left")


def ct_of(folder):
    return read(next(series for series in scan(folder) if series.modality == "CT"))


def nifti(path):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.load(path)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    array = np.asarray(image.dataobj)
    return np.ascontiguousarray(array.transpose(2, 1, 0)), Grid(array.shape[::-1], affine[:, [2, 1, 0, 3]])


def codes_of(found):
    return {reason.code for reason in found.reasons}


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.fixture(scope="module")
def covid(shared_data):
    volume = ct_of(shared_data / "chest_ct_covid_P001")
    return volume, segment(volume, "lungs")


def test_lungs_are_there_in_every_slice_that_shows_them(covid):
    """Slices from the head on; the apex of the left lung begins in slice 9, that of the right one in slice 13."""
    _, found = covid
    areas = {name: found.mask(name).sum(axis=(1, 2)) for name in LUNGS}
    assert (areas["lung_left"][10:] > 100).all()
    assert (areas["lung_right"][13:] > 100).all()
    assert not found.mask(*LUNGS)[:9].any()
    assert not codes_of(found) & {"LUNG_DISCONTINUOUS", "LUNG_LEAK", "LUNG_MISSING"}


def test_infiltrates_are_lung(covid):
    _, found = covid
    assert "DENSE_LUNG_INCLUDED" in codes_of(found)
    for place in ((84, 353, 148), (88, 355, 145), (92, 355, 152), (98, 353, 157), (53, 333, 371), (58, 333, 371)):
        assert found.mask(*LUNGS)[place]


def test_lungs_that_go_on_below_the_image_are_said_to_be_cut(covid):
    assert "LUNG_CUT" in codes_of(covid[1])


def test_bowel_gas_is_no_lung(covid):
    volume, found = covid
    front = (slice(128, None), slice(None, 230))
    assert (volume.array[front] < -900).any()
    assert not found.mask(*LUNGS)[front].any()


def test_thick_slices_of_a_normal_chest_need_no_remark(shared_data):
    found = segment(ct_of(shared_data / "chest_ct_normal001_every3"), "lungs")
    assert found.volume_ml("lung_right") == pytest.approx(1857, rel=0.02)
    assert found.volume_ml("lung_left") == pytest.approx(1607, rel=0.02)
    assert not codes_of(found) - {"LOSSY", "SLICES_APART", "OUTSIDE_SCAN_CIRCLE", "DENSE_LUNG_INCLUDED"}


def test_lung_bases_agree_with_a_network_and_are_said_to_be_incomplete(shared_data):
    folder = shared_data / "totalsegmentator_example"
    array, grid = nifti(folder / "example_ct_sm.nii.gz")
    labels, _ = nifti(folder / "example_seg.nii.gz")
    found = segment(Volume(array.astype(np.float32), grid, codes.HU, modality="CT"), "lungs")
    assert dice(found.mask(*LUNGS), np.isin(labels, range(10, 15))) >= 0.95
    assert {"LUNG_CUT", "COVERAGE_SHORT"} <= codes_of(found)


def test_bone_agrees_with_a_network_as_far_as_density_can_tell(shared_data):
    """Sacrum, vertebrae, limbs, hips, skull, ribs and breastbone of its class map; the scan has soft bones."""
    folder = shared_data / "totalsegmentator_example"
    array, grid = nifti(folder / "example_ct_sm.nii.gz")
    labels, _ = nifti(folder / "example_seg.nii.gz")
    bones = np.isin(labels, [*range(25, 51), *range(69, 79), *range(91, 117)])
    found = segment(Volume(array.astype(np.float32), grid, codes.HU, modality="CT"), "bone")
    assert dice(found.mask("bone"), bones) > 0.8


def test_an_abdomen_holds_no_lung_and_bowel_gas_is_not_taken_for_it(shared_data):
    found = segment(ct_of(shared_data / "totalsegmentator_example" / "example_ct_dicom"), "lungs")
    assert not found.array.any()
    assert "LUNGS_NOT_FOUND" in codes_of(found)


def test_one_lung_in_a_cropped_image_is_found_named_and_said_to_be_cut(shared_data):
    found = segment(ct_of(shared_data / "ibsi_1_ct_phantom"), "lungs")
    assert found.volume_ml("lung_right") > 1000
    assert found.volume_ml("lung_left") == 0
    assert {"LUNG_CUT", "LUNG_MISSING", "LUNG_SIDE_GUESSED"} <= codes_of(found)


def test_two_slices_are_enough(shared_data):
    found = segment(ct_of(shared_data / "lungmask_slices"), "lungs")
    for name in LUNGS:
        assert found.mask(name).any(axis=(1, 2)).all()
    assert "COVERAGE_SHORT" in codes_of(found)


@pytest.mark.parametrize(
    ("name", "truth", "least"),
    [("muscle", "skeletal_muscle", 0.8), ("outer_fat", "subcutaneous_fat", 0.83), ("inner_fat", "torso_fat", 0.78)],
)
def test_muscle_and_fat_agree_with_a_network_as_far_as_walls_can_tell(shared_data, name, truth, least):
    """Half of each muscle cross-section is wall one or two voxels thick."""
    folder = shared_data / "totalsegmentator_example"
    array, grid = nifti(folder / "example_ct_sm.nii.gz")
    labels, _ = nifti(folder / "example_seg_tissue_types" / f"{truth}.nii.gz")
    found = segment(Volume(array.astype(np.float32), grid, codes.HU, modality="CT"), "muscle")
    assert dice(found.mask(name), labels > 0) > least
