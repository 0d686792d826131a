"""Every folder of the real data: place and values of every volume that dcm2niix made, and each difference by name."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.dicom.sorting.grouping import together
from isocenter.dicom.sorting.series import Series
from isocenter.errors import Refused, UsageError
from isocenter.geometry import Space
from isocenter.volume import Volume

pytestmark = pytest.mark.real

# --- the table ---

RESAMPLED = ("_Eq_1.nii", "_Tilt_1.nii", "_Tilt_Eq_1.nii")
"""What dcm2niix writes beside a volume: its own resampling of uneven or tilted slices."""

_GAP = "slices are missing or uneven: held; dcm2niix closes the gap and warns"
_TILT = "the gantry was tilted: read upright, where dcm2niix writes the slices sheared"
_PALETTE = "a palette: read in its colours, where dcm2niix writes the indices"
_SEGMENTATION = "a segmentation: read by read_segmentation, not as an image"
_SCALE = "rescaled as the header says; dcm2niix takes the vendor's private scale"
_MOVIE = "one slice at 19 times, each a picture plane; dcm2niix stacks them as if they were slices"
_TORTURE, _D2N = "derived_torture/", "dicom2nifti_tests/"

DIFFERENCES: dict[tuple[str, str], str] = {
    # --- geometry ---
    ("dcm_qa_ct_ge_head_tilt/In/GE", "s2_0.nii"): _GAP,
    (f"{_TORTURE}missing_slice", "s123456_None_0.nii"): _GAP,
    (f"{_TORTURE}mixed_two_series_and_junk", "s2913632465_HippoCrop_0.nii"): _GAP,
    (f"{_D2N}failing/sliceincrement/001", "s2_0.nii"): _GAP,
    (f"{_D2N}failing/gantrytilting/001", "s4_0.nii"): _TILT,
    (f"{_TORTURE}duplicate_position_new_uid", "s123456_None_0.nii"): "two slices at one position: held, never stacked",
    (f"{_TORTURE}missing_position_tag", "s123456_None_0.nii"): "a slice without position: held, none is made up",
    # --- pixels ---
    ("fodicom_tests", "s1_0.nii"): "ACR-NEMA of 1984, 12 bits packed without gaps: refused",
    ("pydicom_data", "s1_0a.nii"): _PALETTE,
    ("pydicom_data", "s1_0b.nii"): _PALETTE,
    ("transfer_syntax_one_ct", "s1_0.nii"): _PALETTE,
    ("transfer_syntax_one_ct", "s2_HELICAL_CHEST_0.nii"): "one slice in three encodings is no volume of three times",
    # --- objects ---
    ("dcmqi/segmentations", "s1_Liver_Segmentation_0.nii"): _SEGMENTATION,
    ("dcmqi/segmentations/23x38x3/seg", "s300_Segmentation_0.nii"): _SEGMENTATION,
    ("dcmqi/sr-example", "s16_tumor_segmentation_-_User2_Manual_trial_1_0.nii"): _SEGMENTATION,
    ("ibsi_1_digital_phantom/dicom_deprecated/mask", "s2_Segmentation_0.nii"): _SEGMENTATION,
    **{("highdicom_tests", f"s2_0{letter}.nii"): _SEGMENTATION for letter in ("", *"abcde")},
    **{("pydicom_data", f"s1_Liver_Segmentation_0{letter}.nii"): _SEGMENTATION for letter in ("", *"abcd")},
    ("highdicom_tests", "s1_0.nii"): "tiles of a slide: listed, not read; dcm2niix stacks them as if they were slices",
    # --- multi-frame ---
    ("dcm_qa_enh/In/Philips", "s801_B0_NS_1.nii"): _SCALE,
    ("dcm_qa_enh/In/Philips", "s801_B0_NS_2_fieldmaphz.nii"): _SCALE,
    (f"{_D2N}philips_enhanced/fmri/001", "s701_1.nii"): _SCALE,
    ("fodicom_tests", "s3_Sagittal,1_stack,1_dimension,temporal_position,ext_loc_ref_0.nii"): _MOVIE,
    ("nibabel_tests/nicom/tests/data", "s12_CBU_DTI_64D_1A_1.nii"): "a mosaic of 256 pixels in 7 tiles: held",
    ("pydicom_data", "s1_0.nii"): "colours of 32 bits, which dcm2niix takes for whole numbers of 32 bits",
}
"""Folder, and output of dcm2niix that no volume of ours equals -> why."""

_THEIRS_FAILS = "dcm2niix does not read this encoding"
_SAME_UID = "dcm2niix takes one of the files that it holds for copies of each other"

ALONE: dict[tuple[str, str], str] = {
    (f"{_D2N}failing/gantrytilting/001", "IM-0001-0004.dcm"): _TILT,
    ("dcm_qa_enh/In/Philips", "IM_0027_fMAP.dcm, magnitude"): _SCALE,
    ("dcm_qa_enh/In/Philips", "IM_0027_fMAP.dcm, real"): _SCALE,
    **{
        (f"{_D2N}philips_enhanced/fmri/001", f"IM-0001-9600-0001.dcm, time {time} of 4"): _SCALE
        for time in (1, 2, 3, 4)
    },
    **{("fodicom_tests", f"MOVEKNEE.dcm, time {time} of 19"): _MOVIE for time in range(1, 20)},
    ("fodicom_tests", "D_CLUNIE_CT1_RLE_FRAGS.dcm"): _THEIRS_FAILS,
    ("fodicom_tests", "TestPattern_Palette.dcm"): _PALETTE,
    ("fodicom_tests", "TestPattern_RGB.dcm"): _SAME_UID,
    ("nema_wg04/JLSL", "CT1_JLSL"): _THEIRS_FAILS,
    ("nema_wg04/JLSL", "MR4_JLSL"): _THEIRS_FAILS,
    ("nema_wg04/JLSN", "CT1_JLSN"): _THEIRS_FAILS,
    ("nema_wg04/JPLY", "MR4_JPLY"): _THEIRS_FAILS,
    ("nibabel_tests/nicom/tests/data", "slicethickness_empty_string.dcm"): _THEIRS_FAILS,
    ("transfer_syntax_one_ct", "US-YBR_FULL_422-EVRLE.dcm"): _THEIRS_FAILS,
    ("transfer_syntax_one_ct", "no-pixel-spacing.dcm"): _PALETTE,
    ("pydicom_data", "OT-PAL-8-face.dcm"): _PALETTE,
    **{("pydicom_data", f"JLSL_RGB_ILV{n}.dcm"): _THEIRS_FAILS for n in range(3)},
    ("pydicom_data", "JLSN_RGB_ILV0.dcm"): _THEIRS_FAILS,
    ("pydicom_data", "JLSL_16_15_1_1F.dcm"): _THEIRS_FAILS,
    ("pydicom_data", "JLSL_08_07_0_1F.dcm"): _THEIRS_FAILS,
    ("pydicom_data", "SC_rgb_gdcm2k_uncompressed.dcm"): _SAME_UID,
    **{
        ("pydicom_data", f"SC_rgb_dcmtk_{way}_dcmd.dcm"): _SAME_UID
        for way in ("ebcr", "ebcynp", "ebcys4", "ebcys2", "ebcyn1")
    },
}
"""Folder, and first file of a volume of ours that no output of dcm2niix equals -> why."""


# --- the test ---

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
AIR_HU = -1024
Truth = dict[str, Any]


@cache
def truths(shared_data: Path) -> dict[str, Any]:
    return json.loads((shared_data / "TRUTH_dcm2niix.json").read_text())["folders"]


def test_every_folder_with_a_difference_is_there(shared_data: Path):
    assert {folder for folder, _ in [*DIFFERENCES, *ALONE]} <= set(truths(shared_data))


def test_no_plain_axial_ct_differs(shared_data: Path):
    """What is no tilt, gap, copy or damage equals the truth: those folders stand in no table."""
    assert not {folder for folder, _ in DIFFERENCES} & {
        "chest_ct_covid_P001",
        "chest_ct_normal001_every3",
        "dcmqi/segmentations/ct-3slice",
        "ibsi_1_ct_phantom/dicom/image",
        "ibsi_sts_008_petctmr/dicom/STS_008/CT/image",
        "lungmask_slices",
        "totalsegmentator_example/example_ct_dicom",
    }


def test_each_volume_of_dcm2niix_is_one_of_ours_or_its_difference_is_named(shared_data: Path):
    theirs, ours = {}, {}
    for folder, truth in truths(shared_data).items():
        theirs[folder], ours[folder] = compared(shared_data, folder, truth["outputs"])
    assert sorted((folder, name) for folder, names in theirs.items() for name in names) == sorted(DIFFERENCES)
    assert sorted((folder, name) for folder, names in ours.items() for name in names) == sorted(ALONE)


def compared(shared_data: Path, folder: str, outputs: Sequence[Truth]) -> tuple[list[str], list[str]]:
    """The names of the outputs that no volume of ours equals, and of our series that equal no output."""
    left = [one for one in outputs if not one["name"].endswith(RESAMPLED)]
    alone: list[str] = []
    for names, volume in volumes_of(shared_data, folder):
        equal = next((truth for truth in left if not differs(volume, truth)), None)
        if equal is None:
            alone += names[:1] if len(names) == 1 else []
        else:
            left.remove(equal)
            alone = [name for name in alone if name not in names]
    return [truth["name"] for truth in left], alone


def volumes_of(shared_data: Path, folder: str) -> Iterator[tuple[list[str], Volume]]:
    """What can be read of the files of a folder (not of its subfolders), at last parts of a series together.

    Files that are held for nothing but one UID in several of them are read alone.
    """
    parts = defaultdict(list)
    for series in scan(shared_data / folder):
        if Path(series.instances[0].path).parent != shared_data / folder:
            continue
        if series.verdict.usable:
            parts[series.series_uid].append(series)
        elif any(reason.code == "INSTANCE_CONFLICT" for reason in series.reasons):
            for instance in series.instances:
                yield from (([], read(one)) for one in scan(instance.path) if one.verdict.usable)
    for uid, members in parts.items():
        for series in [*members, *(joined(members) if uid else [])]:
            with suppress(Refused):
                yield [label(series)] if series in members else [label(one) for one in members], read(series)


def label(series: Series) -> str:
    """First file of a series, and the part if the file has several frames."""
    first = series.instances[0]
    name = Path(first.path).name
    return f"{name}, {series.part}" if series.part and first.format.frames > 1 else name


def joined(members: Sequence[Series]) -> list[Series]:
    if len(members) < 2 or members[0].grid.space is not Space.PATIENT:
        return []
    try:
        return [together(members, "part")]
    except UsageError:
        return []


# --- comparing -------------------------------------------------------------------------------------------------------


def differs(volume: Volume, truth: Truth) -> str:
    """What differs from an output; empty if nothing does."""
    array = in_their_order(volume, truth)
    if array is None:
        return "place"
    shape = truth["shape"] if len(truth["shape"]) > 2 else [*truth["shape"], 1]
    if "R" in truth["dtype"]:
        shape = [*shape, 3]
    if list(array.shape) != shape:
        return "shape"
    lowest = AIR_HU if volume.modality == "CT" else -np.inf
    is_colour = "R" in truth["dtype"]
    if not is_colour and truth["min"] >= lowest:
        own = [array.min(), array.max(), array.mean(dtype=float)]
        if not np.allclose(own, [truth[key] for key in ("min", "max", "mean")], rtol=1e-5, atol=1e-3):
            return "range or mean"
        if array.dtype == np.int16 and digest(array) == truth["sha256_int16_Forder"]:
            return ""
    near = 1e-7 * (truth["max"] - truth["min"]) + 1e-4  # they rescale in float32
    if any(reason.code == "LOSSY" for reason in volume.reasons) and is_colour:
        near = 4  # decoders of JPEG may differ in rounding and in how they widen halved colours
    for place, _, value in truth["samples_ijk_worldRAS_value"]:
        own = array[tuple(place)] if is_colour else array[tuple(place)].reshape(-1)[0]
        if not np.allclose(own, np.maximum(np.array(value, float), lowest), rtol=1e-5, atol=near):
            return "values"
    return ""


def digest(array: np.ndarray) -> str:
    """Of all voxels. Equal is enough, but not needed: where dcm2niix keeps a slope, theirs is of something else."""
    return hashlib.sha256(array.astype(np.int16).tobytes("F")).hexdigest()[:16]


def in_their_order(volume: Volume, truth: Truth) -> np.ndarray | None:
    """Our array with the axes of theirs; None if the voxels do not lie where theirs do, within 1e-3 mm."""
    affine = np.array(truth["affine_ras"])
    if volume.grid.space is not Space.PATIENT:
        return np.flip(volume.array.swapaxes(0, 2), 1)  # column, row upwards, slice
    own = LPS_TO_RAS @ volume.grid.affine
    turn = np.linalg.solve(own[:3, :3], affine[:3, :3])
    order = np.abs(turn).argmax(axis=0)
    if sorted(order) != [0, 1, 2]:
        return None
    array = volume.array.transpose(*order, *range(3, volume.array.ndim))
    own = own[:, [*order, 3]]
    for axis in range(3):
        if turn[order[axis], axis] < 0:
            array = np.flip(array, axis)
            own[:, 3] += own[:, axis] * (array.shape[axis] - 1)
            own[:, axis] *= -1
    if array.shape[2] == 1 and volume.shape[0] == 1:
        own[:, 2] = affine[:, 2]  # a single slice: how deep it is, and to which side, is a convention
    return array if np.abs(own - affine).max() <= 1e-3 else None


@pytest.mark.parametrize(
    ("folder", "step_s"),
    [
        ("dcm_qa_agfa/Agfa", 1.22),
        ("dcm_qa_enh/In/Siemens/XA10", 0.5),
        ("dcm_qa_mosaic/In/ep2d_Asc_2", 3.2),
        ("dcm_qa_nih/In/20180918Si/mr_0003", 2.43537),
        ("dcm_qa_stc/In/GE/RTIA/2_epiRT_ascending", 1.5),
        ("dicom2nifti_tests/ge/fmri/001", 2.5),
    ],
)
def test_time_points_lie_as_far_apart_as_dcm2niix_says(shared_data: Path, folder: str, step_s: float) -> None:
    series = together(list(scan(shared_data / folder)), "time")
    assert read(series).time_step_s == pytest.approx(step_s, rel=1e-3)
