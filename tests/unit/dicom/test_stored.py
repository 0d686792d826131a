"""Cells of uncompressed pictures out of their files: single bits, planes, halved colours, big endian words."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.dicom.values.colour import to_rgb
from isocenter.errors import Refused
from isocenter.testing.dicom import uid_of

RNG = np.random.default_rng(5)
RGB = RNG.integers(0, 255, (5, 7, 3), endpoint=True).astype(np.uint8)


def written(folder: Path, shape, data: bytes, *, syntax=ExplicitVRLittleEndian, vr="OW", **attributes):
    """A secondary capture of these bytes."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", uid_of("picture")
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = uid_of("study"), uid_of("series"), "OT"
    ds.Rows, ds.Columns = shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated = ds.BitsStored = 8
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.HighBit = ds.BitsStored - 1
    ds.add_new("PixelData", vr, data + bytes(len(data) % 2))
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(folder / "picture.dcm", enforce_file_format=True)
    (series,) = scan(folder)
    return series


def colours(**attributes):
    return {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0, **attributes}


def swapped(data: bytes) -> bytes:
    """Bytes as they lie in big endian words."""
    return np.frombuffer(data + bytes(len(data) % 2), "<u2").astype(">u2").tobytes()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_single_bits_come_apart_the_lowest_first(tmp_path: Path, syntax):
    bits = RNG.integers(0, 1, (5, 7), endpoint=True).astype(np.uint8)
    data = np.packbits(bits.ravel(), bitorder="little").tobytes()
    data = data if syntax == ExplicitVRLittleEndian else swapped(data)
    series = written(tmp_path, bits.shape, data, syntax=syntax, BitsAllocated=1, BitsStored=1)
    volume = read(series)
    assert volume.array.dtype == np.int16
    assert np.array_equal(volume.array[0], bits)


@pytest.mark.parametrize("vr", ["OB", "OW"])
@pytest.mark.parametrize("shape", [(5, 7), (4, 6)])
def test_big_endian_bytes_are_swapped_where_they_lie_in_words(tmp_path: Path, vr, shape):
    pixels = RNG.integers(0, 255, shape, endpoint=True).astype(np.uint8)
    data = pixels.tobytes() if vr == "OB" else swapped(pixels.tobytes())
    volume = read(written(tmp_path, shape, data, syntax=ExplicitVRBigEndian, vr=vr))
    assert np.array_equal(volume.array[0], pixels)


@pytest.mark.parametrize(("bits", "dtype"), [(8, "u1"), (16, "u2"), (32, "u4")])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("planar", [0, 1])
def test_colours_of_any_depth_and_order(tmp_path: Path, bits, dtype, syntax, planar):
    rgb = RGB.astype(dtype) << (bits - 8)
    stored = np.moveaxis(rgb, -1, 0) if planar else rgb
    data = stored.astype(f"{'<' if syntax == ExplicitVRLittleEndian else '>'}{dtype}").tobytes()
    look = colours(PlanarConfiguration=planar, BitsAllocated=bits, BitsStored=bits)
    volume = read(written(tmp_path, (5, 7), data, syntax=syntax, vr="OB" if bits == 8 else "OW", **look))
    assert volume.axes == ("color",)
    assert volume.array.dtype == np.dtype(dtype)
    assert np.array_equal(volume.array[0], rgb)


def test_colours_of_twelve_bits_keep_their_scale(tmp_path: Path):
    rgb = RGB.astype("u2") << 4
    look = colours(BitsAllocated=16, BitsStored=12)
    volume = read(written(tmp_path, (5, 7), rgb.tobytes(), **look))
    assert np.array_equal(volume.array[0], rgb)


@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_PARTIAL_422"])
def test_halved_colour_differences_hold_for_two_columns(tmp_path: Path, photometric):
    y, cb, cr = (RNG.integers(16, 235, (3, 4)).astype(np.uint8) for _ in range(3))
    cells = np.stack([y[:, ::2], y[:, 1::2], cb[:, ::2], cr[:, ::2]], axis=-1)
    volume = read(written(tmp_path, (3, 4), cells.tobytes(), vr="OB", **colours(PhotometricInterpretation=photometric)))
    full = np.stack([y, np.repeat(cb[:, ::2], 2, axis=1), np.repeat(cr[:, ::2], 2, axis=1)], axis=-1)
    assert np.array_equal(volume.array[0], to_rgb(full, photometric, 8))


@pytest.mark.parametrize(
    "look",
    [
        colours(PhotometricInterpretation="YBR_FULL_422"),  # of an odd number of columns
        colours(PhotometricInterpretation="YBR_RCT"),  # without a codestream
        colours(PhotometricInterpretation="HSV"),
        colours(PixelRepresentation=1),
        {"SamplesPerPixel": 4, "PhotometricInterpretation": "CMYK", "PlanarConfiguration": 0},
        {"PhotometricInterpretation": "RGB"},
    ],
)
def test_colours_that_cannot_be_made_rgb_are_refused(tmp_path: Path, look):
    series = written(tmp_path, (5, 7), bytes(5 * 7 * 4), **look)
    with pytest.raises(Refused, match="UNSUPPORTED"):
        read(series)


@pytest.mark.parametrize("kind", ["bits", "colours"])
def test_pixel_data_that_are_too_short_are_refused(tmp_path: Path, kind):
    look = {"BitsAllocated": 1, "BitsStored": 1} if kind == "bits" else colours(BitsAllocated=16, BitsStored=16)
    series = written(tmp_path, (50, 70), struct.pack("<100H", *range(100)), **look)
    with pytest.raises(Refused, match="PIXELS_TRUNCATED"):
        read(series)
