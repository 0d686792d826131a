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
            named = {str(segment.label): segment.name for segment in labels.segments}
            assert set(expected["labels"]) == set(named), name
            for label, size in expected["labels"].items():
                assert labels.volume_ml(named[label]) == pytest.approx(size["ml"], rel=1e-3, abs=1e-3), name
                checked += 1
    assert checked > 600


def test_the_organs_that_totalsegmentator_names_are_had_by_their_names(shared_data):
    found = formats.load_segmentation(shared_data / "totalsegmentator_example" / "example_seg.nii.gz")
    assert {"liver", "spleen", "kidney_left", "vertebrae_L1"} < set(found.names)
    assert found.segment("liver").label == 5


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


def test_a_real_ct_comes_through_every_format_and_simpleitk_reads_it(shared_data, tmp_path):
    import SimpleITK as sitk  # noqa: N813

    ct = formats.load(shared_data / "totalsegmentator_example" / "example_ct_sm.nii.gz")
    for ending in (".nii.gz", ".nii", ".nrrd", ".mha", ".npz", ".npy", ".zarr", ".tif"):
        path = tmp_path / f"ct{ending}"
        formats.save(ct, path)
        again = formats.load(path)
        np.testing.assert_array_equal(again.array, ct.array, err_msg=ending)
        assert again.grid.coincides(ct.grid), ending
        assert (again.unit, again.modality) == (codes.HU, "CT"), ending
        if ending in (".nii.gz", ".nii", ".nrrd", ".mha"):
            image = sitk.ReadImage(str(path))
            np.testing.assert_array_equal(sitk.GetArrayFromImage(image), ct.array)
            there = image.TransformIndexToPhysicalPoint((7, 5, 3))
            np.testing.assert_allclose(ct.grid.to_world((3, 5, 7)), there, atol=1e-3)


def test_a_real_cohort_with_masks_is_exported_and_leads_back(shared_data, tmp_path):
    from isocenter.pipeline.export import ExportSettings, export

    folder = shared_data / "hippocampus_mr_labelled"
    settings = ExportSettings(shape=(48, 64, 48), outside=0, format="npy", center="mask")
    made = export(folder / "images", tmp_path / "out", settings=settings, masks=folder / "labels")
    assert (len(made.usable), len(made.failed)) == (104, 0)
    assert made.images.shape == made.masks.shape == (104, 48, 64, 48)
    for row in made.usable[::13]:
        name = row["case"]
        back = made.back(name, made.masks[row["index"]])
        truth = formats.load_segmentation(folder / "labels" / f"{name}.nii.gz")
        np.testing.assert_array_equal(back.array, truth.array)
        assert back.grid.coincides(truth.grid)


def test_the_studies_of_a_folder_of_faults_are_exported_or_say_why(shared_data, tmp_path):
    from isocenter.pipeline.export import ExportSettings, export

    settings = ExportSettings(shape=(16, 32, 32), spacing_mm=(6, 8, 8), outside=0, format="npy", series="all")
    paths = [path for path in sorted((shared_data / "derived_torture").iterdir()) if path.is_dir()]
    made = export(paths, tmp_path / "out", settings=settings)
    assert made.usable
    assert made.failed
    assert all(row["reasons"] for row in made.failed)
    assert {row["verdict"] for row in made.failed} <= {"held", "rejected"}
