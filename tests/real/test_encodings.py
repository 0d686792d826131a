"""Encodings of the real data: each lossless one bit-equal to its reference, each lossy one within a stated bound."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest

from isocenter.dicom.file.files import FileRef, MemoryBytes
from isocenter.dicom.file.header import read_header
from isocenter.dicom.frames.instance import instance_from
from isocenter.dicom.values import codecs

ONE_CT = {
    "RLELossless": 0,
    "JPEGLSLossless": 0,
    "JPEG2000LosslessOnly": 0,
    "JPEGProcess14SV1": 0,
    "JPEGProcess14": 0,
    "JPEGLSLossy": 1,
    "JPEG2000": 5,
}
"""Transfer syntax in the file's name -> how far a stored value may lie from the uncompressed one."""
WG04 = {
    "RLE/CT1_RLE": 0,
    "RLE/MR4_RLE": 0,
    "RLE/VL1_RLE": 0,
    "JPLL/CT1_JPLL": 0,
    "JPLL/MR4_JPLL": 0,
    "JLSL/CT1_JLSL": 0,
    "JLSL/MR4_JLSL": 0,
    "J2KR/CT1_J2KR": 0,
    "J2KR/MR4_J2KR": 0,
    "J2KR/VL1_J2KR": 0,
    "JLSN/CT1_JLSN": 4,
    "JLSN/MR4_JLSN": 4,
    "JPLY/MR4_JPLY": 40,
    "J2KI/CT1_J2KI": 352,
    "J2KI/MR4_J2KI": 29,
    "J2KI/VL1_J2KI": 44,
}


def frames(path: Path):
    """Decoded frames of a file as signed numbers of its Bits Stored, what their samples are, and if they are lossy."""
    content = path.read_bytes()
    instance = instance_from(FileRef(str(path)), read_header(MemoryBytes(content)))
    form, syntax = instance.format, instance.transfer_syntax
    streams = codecs.frames_of(content[instance.pixels.offset :], form.frames)
    cells = np.stack([codecs.decode(stream, syntax, form) for stream in streams])
    meaning = {codecs.photometric_after(form, syntax, stream) for stream in streams}
    assert len(meaning) == 1
    if cells.dtype.kind == "u" and form.is_signed:
        spare = 8 * cells.dtype.itemsize - form.bits_stored
        cells = (cells << spare).view(f"i{cells.dtype.itemsize}") >> spare
    return cells.astype(np.int64), meaning.pop(), any(codecs.is_lossy(stream, syntax) for stream in streams)


def uncompressed(path: Path):
    return pydicom.dcmread(path).pixel_array.astype(np.int64)


@pytest.mark.parametrize("name", ONE_CT)
def test_one_ct_is_the_same_in_every_encoding(shared_data, name):
    folder = shared_data / "transfer_syntax_one_ct"
    (path,) = folder.glob(f"CTImage.dcm_{name}TransferSyntax*")
    cells, meaning, _ = frames(path)
    assert meaning == "MONOCHROME2"
    assert abs(cells[0] - uncompressed(folder / "CTImage.dcm")).max() <= ONE_CT[name]


@pytest.mark.parametrize(("process", "most"), [("1", 65), ("2_4", 40), ("6_8", 40), ("10_12", 40)])
def test_lossy_jpeg_of_8_and_12_bits_lies_near_the_truth_in_hu(shared_data, process, most):
    folder = shared_data / "transfer_syntax_one_ct"
    (path,) = folder.glob(f"CTImage.dcm_JPEGProcess{process}TransferSyntax*")
    cells, _, is_lossy = frames(path)
    found, truth = pydicom.dcmread(path), pydicom.dcmread(folder / "CTImage.dcm")
    found_hu = cells[0] * float(found.RescaleSlope) + float(found.RescaleIntercept)
    truth_hu = truth.pixel_array * float(truth.RescaleSlope) + float(truth.RescaleIntercept)
    assert is_lossy
    assert abs(found_hu - truth_hu).max() <= most


@pytest.mark.parametrize("name", WG04)
def test_wg04_is_the_same_in_every_encoding(shared_data, name):
    folder = shared_data / "nema_wg04"
    cells, meaning, is_lossy = frames(folder / name)
    reference = uncompressed(folder / f"REF/{Path(name).name[:3]}_UNC")
    difference = abs(cells[0] - reference)
    assert difference.max() <= WG04[name]
    assert is_lossy == (WG04[name] > 0)
    assert meaning == ("RGB" if "VL1" in name else "MONOCHROME2")


@pytest.mark.parametrize(
    ("folder", "most"),
    [("JPEG2000Lossless/YBR_RCT_8", 0), ("RLELossless/RGB_8", 0), ("JPEGProcess1/YBR_FULL_8", 1)],
)
def test_colours_are_those_that_another_server_found(shared_data, folder, most):
    folder = shared_data / "ms_dicom_server_transcode/Decode" / folder
    cells, meaning, _ = frames(folder / "Input.dcm")
    other = pydicom.dcmread(folder / "ExpectedOutput.dcm")
    found = pydicom.pixels.pixel_array(other, raw=False)
    assert meaning == "RGB"
    assert abs(cells[0] - found).max() <= most


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("emri_small_RLE", "emri_small"),
        ("emri_small_jpeg_ls_lossless", "emri_small"),
        ("emri_small_jpeg_2k_lossless", "emri_small"),
        ("liver_rle", "liver"),
        ("liver_j2k", "liver"),
        ("liver_deflate", "liver"),
        ("liver_nonbyte_aligned_rle", "liver_nonbyte_aligned"),
        ("liver_nonbyte_aligned_j2k", "liver_nonbyte_aligned"),
        ("liver_nonbyte_aligned_deflate", "liver_nonbyte_aligned"),
        ("JLSL_RGB_ILV1", "JLSL_RGB_ILV0"),
        ("JLSL_RGB_ILV2", "JLSL_RGB_ILV0"),
    ],
)
def test_many_frames_bits_and_interleavings_are_the_same_in_every_encoding(shared_data, name, reference):
    folder = shared_data / "pydicom_data"
    found = frames(folder / f"{name}.dcm")[0]
    if reference.startswith("JLSL"):
        assert np.array_equal(found, frames(folder / f"{reference}.dcm")[0])
    else:
        assert np.array_equal(found, uncompressed(folder / f"{reference}.dcm"))


def test_two_readers_agree_on_every_file_that_both_decode(shared_data):
    differences, count = {}, 0
    for name in ("fodicom_tests", "pydicom_data", "dicom2nifti_tests/generic", "nibabel_tests", "nema_wg04"):
        for path in sorted((shared_data / name).rglob("*")):
            other = theirs(path)
            if other is None:
                continue
            found = frames(path)[0].reshape(other.shape)
            count += 1
            if abs(found - other).max() > (1 if "GH538" in path.name else 0):  # another rounding of its colours
                differences[path.name] = abs(found - other).max()
    assert not differences
    assert count > 30


def theirs(path: Path):
    """What pydicom decodes of a compressed file in RGB or grey; None where it cannot or need not."""
    try:
        ds = pydicom.dcmread(io.BytesIO(path.read_bytes()), force=True)
        if ds.file_meta.TransferSyntaxUID not in codecs.DECODERS:
            return None
        return pydicom.pixels.pixel_array(ds, raw=False).astype(np.int64)
    except Exception:  # noqa: BLE001 - it refuses in many ways
        return None


def test_frames_are_whole_though_the_end_of_the_file_is_missing(shared_data):
    folder = shared_data / "pydicom_data"
    found, _, _ = frames(folder / "emri_small_jpeg_2k_lossless_too_short.dcm")
    assert np.array_equal(found, uncompressed(folder / "emri_small.dcm"))


def test_fragments_without_a_table_are_told_apart(shared_data):
    cells, _, is_lossy = frames(shared_data / "transfer_syntax_one_ct/CT0012.fragmented_no_bot_jpeg_baseline.51.dcm")
    assert is_lossy
    assert cells.shape == (2, 512, 512)
    assert np.corrcoef(cells[0].ravel(), cells[1].ravel())[0, 1] > 0.5  # both are pictures of one patient
