"""Reading real series: against dcm2niix, highdicom, uncompressed twins, and the expected behaviour on damaged ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.errors import Refused
from isocenter.reasons import Verdict

pytestmark = pytest.mark.real

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

# Folders of single-frame CT, MR and PET whose one volume is to be equal to the one that dcm2niix made.
EQUAL = [
    "chest_ct_covid_P001",
    "chest_ct_normal001_every3",
    "dcm_qa_decubitus_hfdr/In/HFDR/2_t1_fl2d_sag",
    "dcm_qa_sag/In/2_gre_field_mapping",
    "dcmqi/segmentations/ct-3slice",
    "dcmqi/segmentations/23x38x3/image",
    "derived_torture/clean",
    "derived_torture/duplicate_same_uid",
    "derived_torture/instance_number_reversed",
    "derived_torture/mixed_rescale",
    "derived_torture/no_preamble_no_meta",
    "derived_torture/shuffled_no_extension",
    "derived_torture/two_missing_ends",
    "dicom2nifti_tests/ge/anatomical/001",
    "dicom2nifti_tests/ge/anatomical/001_implicit",
    "dicom2nifti_tests/generic/anatomical/001",
    "dicom2nifti_tests/generic/anatomical/001_implicit",
    "dicom2nifti_tests/generic/anatomical/002_non_isotropic",
    "dicom2nifti_tests/generic/compressed/001",
    "dicom2nifti_tests/generic/compressed_j2k/001",
    "dicom2nifti_tests/hitachi/anatomical/001",
    "dicom2nifti_tests/hitachi/anatomical/001_implicit",
    "ibsi_1_ct_phantom/dicom/image",
    "ibsi_2_digital_phantom/dicom/orientation",
    "ibsi_2_digital_phantom/dicom/sphere",
    "ibsi_sts_008_petctmr/dicom/STS_008/CT/image",
    "ibsi_sts_008_petctmr/dicom/STS_008/MR_T1/image",
    "ibsi_sts_008_petctmr/dicom/STS_008/PET/image",
    "lungmask_slices",
    "torchio_dicom",
    "totalsegmentator_example/example_ct_dicom",
]


def truth_of(shared_data: Path, folder: str):
    folders = json.loads((shared_data / "TRUTH_dcm2niix.json").read_text())["folders"]
    (output,) = folders[folder]["outputs"]
    return output


@pytest.mark.parametrize("folder", EQUAL)
def test_place_and_values_are_those_of_dcm2niix(shared_data: Path, folder):
    truth = truth_of(shared_data, folder)
    (series,) = scan(shared_data / folder)
    volume = read(series)
    to_ras = LPS_TO_RAS @ volume.grid.affine
    assert sorted(volume.shape) == sorted(truth["shape"])
    from_truth = np.linalg.inv(to_ras) @ np.array(truth["affine_ras"])
    assert np.abs(np.abs(np.round(from_truth[:3, :3])) - np.abs(from_truth[:3, :3])).max() < 2e-3
    for _, world_ras, value in truth["samples_ijk_worldRAS_value"]:
        index = np.linalg.solve(to_ras, [*world_ras, 1])[:3]
        nearest = tuple(np.rint(index).astype(int))
        off_mm = np.linalg.norm((to_ras[:3, :3]) @ (index - nearest))
        assert off_mm < 2e-3  # the truth file states a thousandth of a millimetre
        air = -1024 if volume.modality == "CT" else -np.inf
        assert volume.array[nearest] == pytest.approx(max(value, air), rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("folder", EQUAL)
def test_shape_and_mean_are_those_of_dcm2niix(shared_data: Path, folder):
    truth = truth_of(shared_data, folder)
    volume = read(scan(shared_data / folder)[0])
    if any(reason.code == "OUTSIDE_SCAN_CIRCLE" for reason in volume.reasons):
        assert truth["min"] < -1024
        assert volume.array.min() == -1024
    else:
        assert volume.array.min() == pytest.approx(truth["min"], rel=1e-5, abs=1e-4)
        assert volume.array.mean(dtype=float) == pytest.approx(truth["mean"], rel=1e-5, abs=1e-3)
    assert volume.array.max() == pytest.approx(truth["max"], rel=1e-5, abs=1e-4)


@pytest.mark.parametrize(
    "folder",
    ["torchio_dicom", "dcm_qa_decubitus_hfdr/In/HFDR/2_t1_fl2d_sag", "ibsi_sts_008_petctmr/dicom/STS_008/CT/image"],
)
def test_array_and_affine_are_those_of_highdicom(shared_data: Path, folder):
    highdicom = pytest.importorskip("highdicom")
    (series,) = scan(shared_data / folder)
    data_sets = [pydicom.dcmread(instance.path) for instance in series.instances]
    theirs = highdicom.get_volume_from_series(data_sets[::-1])
    ours = read(series)
    assert np.abs(ours.grid.affine - theirs.affine).max() < 1e-3
    rescaled = theirs.array * float(data_sets[0].get("RescaleSlope", 1)) + float(
        data_sets[0].get("RescaleIntercept", 0)
    )
    assert np.array_equal(ours.array, rescaled)


# --- decoding --------------------------------------------------------------------------------------------------------


def lone(path: Path):
    """The volume of a folder's file, read alone."""
    (series,) = scan(path)
    return read(series)


@pytest.mark.parametrize("image", ["CT1", "MR4"])
@pytest.mark.parametrize(("folder", "most"), [("RLE", 0), ("JPLL", 0), ("JLSL", 0), ("J2KR", 0), ("JLSN", 4)])
def test_each_encoding_decodes_to_the_reference(shared_data: Path, image, folder, most):
    (reference,) = (shared_data / "nema_wg04" / "REF").glob(f"{image}*")
    coded = list((shared_data / "nema_wg04" / folder).glob(f"{image}*"))
    if not coded:
        pytest.skip(f"no {image} in {folder}")
    truth, found = lone(reference), lone(coded[0])
    slope = abs(scan(reference)[0].frames[0].rescale.slope or 1)
    assert np.abs(truth.array.astype(float) - found.array).max() <= most * slope + 1e-3
    assert truth.array.std() > 1


@pytest.mark.parametrize(
    ("ending", "most"),
    [
        *[(ending, 0) for ending in ("1.2", "1.2.1", "1.2.1.99", "1.2.2", "1.2.5", "4.57", "4.70", "4.80", "4.90")],
        *[("4.81", 1), ("4.91", 5), ("4.51", 30), ("4.53", 30), ("4.55", 30)],
    ],
)
def test_one_ct_in_many_transfer_syntaxes(shared_data: Path, ending, most):
    folder = shared_data / "transfer_syntax_one_ct"
    (coded,) = folder.glob(f"CTImage.dcm_*_1.2.840.*{ending}.dcm") if ending != "1.2" else folder.glob("*Implicit*")
    truth, found = lone(folder / "CTImage.dcm"), lone(coded)
    slope = abs(scan(coded)[0].frames[0].rescale.slope or 1)
    assert np.abs(truth.array.astype(float) - found.array).max() <= most * slope + 1e-3


# --- damaged series --------------------------------------------------------------------------------------------------


def torture(shared_data: Path, name: str):
    return scan(shared_data / "derived_torture" / name)


@pytest.mark.parametrize(
    ("name", "code", "count"),
    [
        ("missing_slice", "SLICE_GAP", 16),
        ("duplicate_position_new_uid", "DUPLICATE_POSITION", 18),
        ("truncated_pixel_data", "PIXELS_TRUNCATED", 17),
        ("missing_position_tag", "POSITION_MISSING", 17),
    ],
)
def test_what_cannot_be_read_rightly_is_refused_with_its_reason(shared_data: Path, name, code, count):
    (series,) = torture(shared_data, name)
    assert not series.verdict.usable
    assert [reason.code for reason in series.reasons] == [code]
    assert len(series) == count
    assert series.reasons[0].instances
    with pytest.raises(Refused, match=code):
        read(series)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("duplicate_same_uid", ["DUPLICATE_INSTANCE", "UNIT_UNKNOWN"]),
        ("shuffled_no_extension", ["UNIT_UNKNOWN"]),
        ("instance_number_reversed", ["UNIT_UNKNOWN"]),
        ("mixed_rescale", ["RESCALE_VARIES", "UNIT_UNKNOWN"]),
        ("no_preamble_no_meta", ["NO_PREAMBLE", "UNIT_UNKNOWN"]),
    ],
)
def test_what_can_be_read_equals_the_clean_series(shared_data: Path, name, codes):
    (series,), (clean,) = torture(shared_data, name), torture(shared_data, "clean")
    volume, truth = read(series), read(clean)
    assert volume.grid.coincides(truth.grid)
    assert np.array_equal(volume.array, truth.array) or (
        name == "mixed_rescale" and np.abs(volume.array - truth.array).max() <= 1
    )
    assert [reason.code for reason in volume.reasons] == codes


def test_missing_ends_leave_a_valid_volume(shared_data: Path):
    (series,) = torture(shared_data, "two_missing_ends")
    assert series.verdict is Verdict.OK
    assert not series.reasons
    assert len(series) == 15


def test_a_mixed_folder_gives_two_series_and_lists_the_rest(shared_data: Path):
    found = torture(shared_data, "mixed_two_series_and_junk")
    assert sorted(len(series) for series in found) == [12, 17]
    listed = {Path(ignored.path).name: ignored.reason.code for ignored in found.ignored}
    assert listed == {
        "Thumbs.db": "NOT_DICOM",
        "empty.dcm": "EMPTY_FILE",
        "notes.txt": "NOT_DICOM",
        "random.dcm": "NOT_DICOM",
    }


def test_tilt_with_gaps_is_held(shared_data: Path):
    (series,) = scan(shared_data / "dcm_qa_ct_ge_head_tilt")
    assert series.verdict is Verdict.HELD
    assert [reason.code for reason in series.reasons] == ["SPACING_VARIES"]


def test_a_tilted_ct_keeps_the_place_of_its_values(shared_data: Path):
    """dcm2niix states the sheared stack; our upright one holds the same values where a voxel centre is hit."""
    folder = "dicom2nifti_tests/failing/gantrytilting/001"
    (series,) = scan(shared_data / folder)
    volume = read(series)
    first = pydicom.dcmread(series.instances[0].path)
    stored = np.maximum(first.pixel_array * first.RescaleSlope + first.RescaleIntercept, -1024)
    rows = np.round(volume.grid.to_index(series.grid.to_world((0, 0, 0)))).astype(int)
    assert not volume.grid.is_sheared
    assert np.array_equal(volume.array[0, rows[1] : rows[1] + 512, rows[2] : rows[2] + 512], stored)
