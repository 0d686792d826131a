"""NIfTI and NRRD files of others against published volumes and SimpleITK."""

import json

import numpy as np
import pytest

from isocenter import codes, formats

pytestmark = pytest.mark.real


def test_label_volumes_shapes_and_orientations_are_the_published_ones(shared_data):
    truth = json.loads((shared_data / "TRUTH_nifti_volumes.json").read_text())
    checked = 0
    for name, expected in truth.items():
        volume = formats.load(shared_data / name)
        assert list(volume.shape[2::-1]) == expected["shape"][:3], name
        assert volume.grid.orientation[::-1] == expected["orient"], name
        np.testing.assert_allclose(volume.spacing_mm[::-1], expected["zooms"][:3], rtol=1e-3, err_msg=name)
        if isinstance(expected["labels"], dict):
            labels = formats.load_segmentation(shared_data / name)
            assert {f"label_{label}" for label in expected["labels"]} == set(labels.names), name
            for label, size in expected["labels"].items():
                assert labels.volume_ml(f"label_{label}") == pytest.approx(size["ml"], rel=1e-3, abs=1e-3), name
                checked += 1
    assert checked > 600


def test_ct_without_a_unit_is_guessed_and_mr_and_labels_are_not(shared_data):
    folder = shared_data / "totalsegmentator_example"
    assert formats.load(folder / "example_ct_sm.nii.gz").unit == codes.HU
    for other in ("example_mr_sm.nii.gz", "example_seg.nii.gz"):
        assert formats.load(folder / other).unit == codes.ONE
    for case in sorted((shared_data / "hippocampus_mr_labelled" / "images").glob("*.nii.gz"))[:30]:
        assert formats.load(case).unit == codes.ONE


def test_nrrd_files_lie_where_simpleitk_says(shared_data):
    import SimpleITK as sitk  # noqa: N813

    files = sorted(shared_data.rglob("*.nrrd"))
    assert len(files) > 10
    for file in files:
        volume, image = formats.load(file), sitk.ReadImage(str(file))
        np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(image))
        there = image.TransformIndexToPhysicalPoint((3, 2, 1))
        np.testing.assert_allclose(volume.grid.to_world((1, 2, 3)), there, atol=1e-6)
