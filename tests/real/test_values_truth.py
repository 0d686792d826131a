"""Values of real images: colours and palettes against pydicom, SUV and maps against what their makers state."""

from __future__ import annotations

import math
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_color_lut, pixel_array

from isocenter import codes
from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.dicom.values import units
from isocenter.dicom.values.suv import suv_factor
from isocenter.errors import Refused

pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore::UserWarning:pydicom")]

TRUE_COLOURS = [
    *(f"SC_rgb{end}.dcm" for end in ("", "_16bit", "_32bit", "_expb", "_expb_16bit", "_expb_32bit")),
    *(f"SC_rgb_dcmtk_eb{end}_dcmd.dcm" for end in ("cr", "cyn1", "cyn2", "cynp", "cys2", "cys4")),
    *("SC_rgb_gdcm2k_uncompressed.dcm", "SC_ybr_full_uncompressed.dcm", "color-pl.dcm", "color-px.dcm"),
]
PALETTES = ["pydicom_data/OBXXXX1A_rle.dcm", "pydicom_data/OT-PAL-8-face.dcm", "fodicom_tests/TestPattern_Palette.dcm"]
PALETTES += ["transfer_syntax_one_ct/no-pixel-spacing.dcm"]


def lone(path: Path, **options):
    """The volume of a file, read alone."""
    (series,) = scan(path)
    return read(series, **options)


def codes_of(volume):
    return [reason.code for reason in volume.reasons]


# --- colours ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRUE_COLOURS)
def test_colours_are_those_of_pydicom(shared_data: Path, name):
    path = shared_data / "pydicom_data" / name
    truth = pixel_array(pydicom.dcmread(path))
    volume = lone(path)
    assert volume.axes == ("color",)
    assert volume.unit == codes.ONE
    assert volume.array.dtype == truth.dtype.newbyteorder("=")
    assert np.abs(volume.array[0].astype(np.int64) - truth).max() <= (1 if "ybr" in name else 0)
    assert truth.std() > 10


def test_planes_and_pixels_of_one_picture_are_equal(shared_data: Path):
    planes, pixels = (lone(shared_data / "pydicom_data" / f"color-p{kind}.dcm") for kind in "lx")
    assert np.array_equal(planes.array, pixels.array)


def test_halved_chrominance_is_what_pydicom_makes_of_it(shared_data: Path):
    path = shared_data / "transfer_syntax_one_ct" / "US-YBR_FULL_422-EVRLE.dcm"
    volume, truth = lone(path), pixel_array(pydicom.dcmread(path))
    assert volume.shape == (1, 555, 800, 3)
    assert np.abs(volume.array[0].astype(int) - truth).max() <= 1


@pytest.mark.parametrize("name", PALETTES)
def test_palettes_give_the_colours_that_pydicom_gives(shared_data: Path, name):
    path = shared_data / name
    ds = pydicom.dcmread(path, force=True)
    if "TransferSyntaxUID" not in ds.file_meta:
        ds.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    truth = apply_color_lut(ds.pixel_array, ds)
    volume = lone(path)
    assert volume.axes == ("color",)
    assert volume.array.dtype == truth.dtype
    assert np.array_equal(volume.array[0], truth)


@pytest.mark.parametrize("name", ["YBR_FULL_8", "YBR_RCT_8", "RGB_8"])
def test_colours_of_one_picture_are_alike_before_and_after_a_server_decoded_it(shared_data: Path, name):
    (folder,) = (shared_data / "ms_dicom_server_transcode").rglob(name)
    coded, decoded = lone(folder / "Input.dcm"), lone(folder / "ExpectedOutput.dcm")
    off = np.abs(coded.array.astype(int) - decoded.array)
    assert off.max() <= (3 if name == "YBR_FULL_8" else 0)
    assert decoded.array.std() > 10


@pytest.mark.parametrize(
    "name", [f"SC_rgb{end}_2frame.dcm" for end in ("", "_16bit", "_32bit", "_expb", "_expb_16bit", "_expb_32bit")]
)
def test_colours_of_two_frames_are_those_of_pydicom(shared_data: Path, name):
    path = shared_data / "pydicom_data" / name
    truth = pixel_array(pydicom.dcmread(path))
    volume = lone(path)
    assert volume.shape == (1, 100, 100, 2, 3)
    assert volume.axes[-1] == "color"
    assert np.array_equal(np.moveaxis(volume.array[0], 2, 0), truth)


def test_the_palette_of_a_cine_holds_for_each_frame(shared_data: Path):
    path = shared_data / "pydicom_data" / "OBXXXX1A_rle_2frame.dcm"
    ds = pydicom.dcmread(path)
    volume = lone(path)
    assert volume.axes == ("time", "color")
    assert np.array_equal(np.moveaxis(volume.array[0], 2, 0), apply_color_lut(ds.pixel_array, ds))


# --- grey ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fodicom_tests/CR-MONO1-10-chest", "highdicom_tests/dx_image.dcm"])
def test_monochrome1_is_told_and_not_inverted(shared_data: Path, name):
    ds = pydicom.dcmread(shared_data / name, force=True)
    volume = lone(shared_data / name)
    size = ds.Rows * ds.Columns
    stored = np.frombuffer(ds.PixelData, f"<u{ds.BitsAllocated // 8}", size).reshape(ds.Rows, ds.Columns)
    assert np.array_equal(volume.array[0], stored)
    assert "MONOCHROME1" in codes_of(volume)


@pytest.mark.parametrize(("name", "dtype"), [("float", np.float32), ("double_float", np.float64)])
def test_a_parametric_map_of_floats_is_what_pydicom_reads(shared_data: Path, name, dtype):
    path = shared_data / "pydicom_data" / f"parametric_map_{name}.dcm"
    volume = lone(path)
    truth = pydicom.dcmread(path).pixel_array
    assert volume.array.dtype == dtype
    assert volume.unit == codes.ONE
    assert np.array_equal(volume.array[0], truth)
    assert truth.std() > 0.01


def test_each_frame_of_a_field_map_has_its_own_rescale(shared_data: Path):
    """Magnitude and field in hertz in one object, as Philips writes it."""
    (path,) = (shared_data / "dcm_qa_enh" / "In" / "Philips").glob("*.dcm")
    ds = pydicom.dcmread(path)
    truth = {}
    for stored, group in zip(ds.pixel_array, ds.PerFrameFunctionalGroupsSequence, strict=True):
        (line,) = group.PixelValueTransformationSequence
        real = stored * float(line.RescaleSlope) + float(line.RescaleIntercept)
        place = tuple(np.round(group.PlanePositionSequence[0].ImagePositionPatient, 3))
        truth[float(line.RescaleIntercept) < 0, place] = real.astype(np.float32)
    volumes = [read(series) for series in scan(path)]
    assert len(volumes) == 2
    assert {volume.unit.value for volume in volumes} == {"1", "Hz"}
    for volume in volumes:
        for k, slice_ in enumerate(volume.array):
            place = tuple(np.round(volume.grid.to_world((k, 0, 0)), 3))
            assert np.array_equal(slice_, truth[volume.unit.value == "Hz", place])


# --- PET -------------------------------------------------------------------------------------------------------------


def test_a_pet_in_suv_with_51_rescale_slopes_is_the_nifti_of_its_makers(shared_data: Path):
    folder = shared_data / "ibsi_sts_008_petctmr"
    (series,) = scan(folder / "dicom" / "STS_008" / "PET" / "image")
    assert len({frame.rescale.slope for frame in series.frames}) == 51
    volume = read(series, values="suvbw")
    assert volume.unit == units.SUV_BW
    assert np.array_equal(volume.array, read(series).array)
    image = nibabel.load(folder / "nifti" / "STS_008" / "PET_image.nii.gz")
    truth = np.asarray(image.dataobj)
    index = np.stack(np.meshgrid(*map(np.arange, volume.shape), indexing="ij"), -1).reshape(-1, 3)
    world = volume.grid.to_world(index) * (-1, -1, 1)
    theirs = np.rint(nibabel.affines.apply_affine(np.linalg.inv(image.affine), world)).astype(int)
    assert np.allclose(volume.array.ravel(), truth[tuple(theirs.T)], rtol=1e-4, atol=1e-4)


def test_the_suv_of_a_ge_scan_follows_from_its_dose_and_times(shared_data: Path):
    path = shared_data / "fodicom_tests" / "GH184.dcm"
    elapsed_s = (11 * 3600 + 36) - (9 * 3600 + 32 * 60)
    dose = 474592928 * math.exp(-math.log(2) * elapsed_s / 6588)
    native, suv = lone(path), lone(path, values="suvbw")
    assert suv_factor(pydicom.dcmread(path, stop_before_pixels=True)) == pytest.approx(90000 / dose)
    assert native.unit == units.BQ_PER_ML
    assert suv.unit == units.SUV_BW
    assert np.allclose(suv.array, native.array * (90000 / dose), rtol=1e-5)
    with pytest.raises(Refused, match="Sex"):  # it is "O": the formula of lean body mass does not know it
        lone(path, values="suvlbm")


def test_a_ct_has_no_suv(shared_data: Path):
    with pytest.raises(Refused, match="not PET"):
        lone(shared_data / "highdicom_tests" / "ct_image.dcm", values="suvbw")
