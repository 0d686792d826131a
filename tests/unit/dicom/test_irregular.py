"""Headers that break the rules of their encoding, and values that are no measure: told, bounded, or refused."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from pydicom.encaps import encapsulate, generate_frames

from isocenter.dicom.file import parsing
from isocenter.dicom.file.bounded import BoundedBytes
from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.errors import Refused
from isocenter.geometry import Grid
from isocenter.testing.dicom import Style, bare, slice_data_set, write_series

GRID = Grid.from_vectors((1, 24, 20), spacing_mm=(3, 1, 1))
VALUES = np.arange(480).reshape(1, 24, 20) - 200.0


def written(folder: Path, style: Style) -> tuple[Path, bytes]:
    (path,) = write_series(VALUES, GRID, folder, style=style)
    return path, path.read_bytes()


def codes_of(path: Path) -> list[str]:
    (series,) = scan(path)
    return [reason.code for reason in series.reasons]


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big endian"])
@pytest.mark.parametrize("number", [0xE00D, 0xE0DD, 0xE000])
@pytest.mark.parametrize("tag", [(0x0020, 0x000D), (0x7FE0, 0x0010)])
def test_a_stray_item_or_end_passes_for_nothing_in_silence(tmp_path: Path, syntax, number, tag):
    path, data = written(tmp_path, Style(syntax=syntax))
    order = ">" if syntax == "big endian" else "<"
    place = data.index(struct.pack(f"{order}HH", *tag))
    path.write_bytes(data[:place] + struct.pack(f"{order}HHI", 0xFFFE, number, 0) + data[place:])
    found = scan(path)
    assert [one.reason.code for one in found.ignored] == ["HEADER_UNREADABLE"] or "HEADER_IRREGULAR" in codes_of(path)


def test_an_element_of_unknown_representation_is_told(tmp_path: Path):
    path, data = written(tmp_path, Style())
    place = data.index(b"\x08\x00\x70\x00LO")
    path.write_bytes(data[: place + 4] + b"XX" + data[place + 6 :])
    assert "HEADER_IRREGULAR" in codes_of(path)
    np.testing.assert_array_equal(read(scan(path)[0]).array, VALUES)


def test_big_endian_is_nothing_irregular(tmp_path: Path):
    path, _ = written(tmp_path, Style(syntax="big endian"))
    assert codes_of(path) == ["SINGLE_SLICE"]


def test_a_header_of_a_million_items_is_given_up_soon(tmp_path: Path):
    path, data = written(tmp_path, Style())
    place = data.index(b"\x20\x00\x0d\x00")
    sequence = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff"
    path.write_bytes(data[:place] + sequence + bytes(8 << 20) + data[place:])
    start = time.perf_counter()
    assert [one.reason.code for one in scan(path).ignored] == ["HEADER_UNREADABLE"]
    assert time.perf_counter() - start < 10


def test_bounded_bytes_are_read_so_often_and_no_more():
    file = BoundedBytes(b"abcd", 2)
    assert file.read(1) + file.read(2) == b"abc"
    with pytest.raises(ValueError, match="elements"):
        file.read(1)


@pytest.mark.parametrize("raw", [b"0", b"-1", b"1e-300", b"1e300", b"nan", b"1\\2", b""])
def test_what_cannot_be_a_length_is_none(raw):
    assert parsing.length_mm(raw) is None
    assert parsing.spacing(raw + b"\\1") is None


@pytest.mark.parametrize("attribute", ["SliceThickness", "PixelSpacing"])
def test_an_absurd_length_is_none(tmp_path: Path, attribute):
    value = "1e300" if attribute == "SliceThickness" else ["1", "1e-300"]
    path, _ = written(tmp_path, Style(attributes={attribute: value}))
    assert {"SPACING_MISSING", "DEPTH_UNKNOWN"} & set(codes_of(path))


def test_a_slope_of_two_values_is_none():
    assert np.isnan(parsing.number(b"1\\2"))


@pytest.mark.parametrize("syntax", ["explicit", "big endian", "JPEG lossless SV1", "RLE"])
def test_bytes_put_into_the_pixel_data_hold_the_series(tmp_path: Path, syntax):
    path, data = written(tmp_path, Style(syntax=syntax))
    place = data.rindex(b"\x7f\xe0\x00\x10" if syntax == "big endian" else b"\xe0\x7f\x10\x00") + 12
    end = len(data) if "endian" in syntax or syntax == "explicit" else len(data) - 8
    path.write_bytes(data[: place + 90] + b"\x07\x01" * 9 + data[place + 90 : end] + data[end:])
    found = scan(path)
    assert not found[0].verdict.usable
    assert {"PIXELS_SURPLUS", "PIXELS_TRUNCATED"} & set(codes_of(path))


@pytest.mark.parametrize("tail", [b"\0" * 40, b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0abcd", b"\xe1\x7f\x10\x00LO\x02\0ab"])
def test_zeros_and_later_elements_may_follow_the_pixel_data(tmp_path: Path, tail):
    path, data = written(tmp_path, Style())
    path.write_bytes(data + tail)
    assert codes_of(path) == ["SINGLE_SLICE"]


@pytest.mark.parametrize(
    "tail",
    [
        b"\x01",
        b"junk" * 4,
        b"\xfe\xff\xdd\xe0" + bytes(4),
        b"\x28\x00\x10\x00US\x02\0\x10\0",
        b"\xe0\x7f\x10\x00OW\0\0" + bytes(4),
    ],
)
def test_other_bytes_may_not(tmp_path: Path, tail):
    path, data = written(tmp_path, Style())
    path.write_bytes(data + tail)
    assert "PIXELS_SURPLUS" in codes_of(path)


def test_uncompressed_pixels_of_undefined_length_are_told(tmp_path: Path):
    path, data = written(tmp_path, Style())
    place = data.rindex(b"\xe0\x7f\x10\x00")
    path.write_bytes(data[: place + 8] + b"\xff\xff\xff\xff" + data[place + 12 :])
    assert "HEADER_IRREGULAR" in codes_of(path)


@pytest.mark.parametrize(
    ("keyword", "word"),
    [
        ("BitsStored", "Bits Stored"),
        ("PixelRepresentation", "Pixel Representation"),
        ("PhotometricInterpretation", "Photometric Interpretation"),
        ("SamplesPerPixel", "Samples per Pixel"),
    ],
)
def test_a_pixel_format_that_is_not_said_is_guessed_and_told(tmp_path: Path, keyword, word):
    path, _ = written(tmp_path, Style(attributes={keyword: None}))
    (series,) = scan(path)
    assert [reason.message for reason in series.reasons if reason.code == "PIXEL_FORMAT_GUESSED"] == [
        f"1 of 1 instances (Instance Number 1) do not say their {word}."
    ]


@pytest.mark.parametrize("frames", ["0", "-1", "1\\2"])
def test_a_number_of_frames_that_is_none_is_told(tmp_path: Path, frames):
    path, _ = written(tmp_path, Style(attributes={"NumberOfFrames": frames.split("\\")}))
    assert "PIXEL_FORMAT_GUESSED" in codes_of(path)


def test_rows_of_another_width_are_none(tmp_path: Path):
    path, data = written(tmp_path, Style())
    path.write_bytes(data.replace(b"\x28\x00\x10\x00US\x02\0\x18\0", b"\x28\x00\x10\x00US\x04\0\x18\0\0\0"))
    assert "UNSUPPORTED" in codes_of(path)


def test_the_whole_header_of_a_deflated_file_is_inflated_no_further_than_its_pixels(tmp_path: Path):
    path, data = written(tmp_path, Style(syntax="deflated"))
    at = len(data) - len(bare(data))
    data_set = zlib.decompress(data[at:], -zlib.MAX_WBITS)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(data[:at] + packer.compress(data_set + bytes(50 << 20)) + packer.flush())
    (series,) = scan(path)
    tracemalloc.start()
    header = series.instances[0].dataset()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert header.Rows == 24
    assert header.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1.99"
    assert most < 10 << 20


def test_a_transfer_syntax_of_another_representation_is_told(tmp_path: Path):
    path, data = written(tmp_path, Style())
    path.write_bytes(data.replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x10\x00LO"))
    assert "HEADER_IRREGULAR" in codes_of(path)


@pytest.mark.parametrize("syntax", ["JPEG 2000 lossless", "JPEG-LS", "RLE", "deflated"])
def test_a_small_file_that_claims_a_gigantic_picture_is_refused_before_it_is_read(tmp_path: Path, syntax):
    path, _ = written(tmp_path, Style(syntax=syntax, attributes={"Rows": 60000, "Columns": 60000}))
    assert "PIXELS_TRUNCATED" in codes_of(path)


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path):
    path, data = written(tmp_path, Style())
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.dcm", data[:200] + bytes(400 << 20))
    path.unlink()
    tracemalloc.start()
    found = scan(tmp_path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [one.reason.code for one in found.ignored] == ["HEADER_UNREADABLE"]
    assert most < 8 << 20


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big endian"])
def test_a_meta_header_that_names_no_transfer_syntax_is_told(tmp_path: Path, syntax):
    path, data = written(tmp_path, Style(syntax=syntax))
    place = data.index(b"\x02\x00\x10\x00UI")
    path.write_bytes(data[:place] + data[place + 8 + data[place + 6] :])
    assert "HEADER_IRREGULAR" in codes_of(path)
    np.testing.assert_array_equal(read(scan(path)[0]).array, VALUES)


def test_a_missing_sign_is_guessed_only_where_it_changes_no_value(tmp_path: Path):
    def edit(_, data_set):
        del data_set.PixelRepresentation

    written(tmp_path / "high", Style(rescale=(1.0, 0.0), edit=edit))
    with pytest.raises(Refused) as refused:
        read(scan(tmp_path / "high")[0])
    assert [reason.code for reason in refused.value.reasons] == ["SIGN_UNKNOWN"]
    written(tmp_path / "low", Style(rescale=(1.0, -1024.0), edit=edit))
    assert np.array_equal(read(scan(tmp_path / "low")[0]).array, VALUES)


def test_a_codestream_of_another_kind_than_its_transfer_syntax_is_told(tmp_path: Path):
    path, data = written(tmp_path, Style(syntax="JPEG 2000 lossless"))
    path.write_bytes(data.replace(b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.4.80"))
    volume = read(scan(path)[0])
    assert "SYNTAX_DIFFERS" in [reason.code for reason in volume.reasons]
    np.testing.assert_array_equal(volume.array, VALUES)


def test_a_codestream_with_loss_is_told_though_the_header_is_silent(tmp_path: Path):
    style = Style(syntax="JPEG-LS near-lossless", attributes={"LossyImageCompression": None})
    path, _ = written(tmp_path, style)
    assert "LOSSY" in [reason.code for reason in read(scan(path)[0]).reasons]


@pytest.mark.parametrize("syntax", ["JPEG 2000 lossless", "HTJ2K lossless"])
@pytest.mark.parametrize("change", ["delete", "insert"])
def test_a_jpeg_2000_codestream_whose_parts_are_of_another_length_is_refused(tmp_path: Path, syntax, change):
    path = tmp_path / "image.dcm"
    data_set = slice_data_set(VALUES[0], GRID, 0, style=Style(syntax=syntax))
    frame = next(generate_frames(data_set.PixelData, number_of_frames=1))
    place = frame.index(b"\xff\x93") + 20
    frame = frame[:place] + (frame[place + 6 :] if change == "delete" else b"\x11" * 6 + frame[place:])
    data_set.PixelData = encapsulate([frame])
    data_set.save_as(path, enforce_file_format=True)
    with pytest.raises(Refused, match="PIXELS_TRUNCATED"):
        read(scan(path)[0])


def test_rle_segments_that_hold_more_than_the_frame_are_refused(tmp_path: Path):
    path = tmp_path / "image.dcm"
    data_set = slice_data_set(VALUES[0], GRID, 0, style=Style(syntax="RLE"))
    frame = next(generate_frames(data_set.PixelData, number_of_frames=1))
    data_set.PixelData = encapsulate([frame + b"\x02abc"])
    data_set.save_as(path, enforce_file_format=True)
    with pytest.raises(Refused, match="PIXELS_UNDECODABLE"):
        read(scan(path)[0])


def test_pixel_data_of_another_representation_are_told(tmp_path: Path):
    path, data = written(tmp_path, Style())
    path.write_bytes(data.replace(b"\xe0\x7f\x10\x00OW", b"\xe0\x7f\x10\x00UT"))
    found = scan(path)
    assert [one.reason.code for one in found.ignored] == ["HEADER_UNREADABLE"] or "HEADER_IRREGULAR" in codes_of(path)


def test_a_codestream_that_lies_about_its_precision_is_refused(tmp_path: Path):
    path, data = written(tmp_path, Style(syntax="JPEG lossless SV1"))
    place = data.index(b"\xff\xc3") + 4
    path.write_bytes(data[:place] + b"\x02" + data[place + 1 :])
    with pytest.raises(Refused, match="PIXELS_UNDECODABLE"):
        read(scan(path)[0])


def test_a_jpeg_that_is_too_short_for_its_size_is_refused(tmp_path: Path):
    path, data = written(tmp_path, Style(syntax="JPEG lossless SV1", attributes={"Rows": 2400, "Columns": 2000}))
    place = data.index(b"\xff\xc3") + 5
    path.write_bytes(data[:place] + struct.pack(">HH", 2400, 2000) + data[place + 4 :])
    with pytest.raises(Refused, match="PIXELS_TRUNCATED"):
        read(scan(path)[0])


@pytest.mark.parametrize(
    ("keyword", "value"), [("RescaleSlope", "1e300"), ("RescaleSlope", "1e-300"), ("RescaleIntercept", "-1e300")]
)
def test_an_absurd_rescale_is_held(tmp_path: Path, keyword, value):
    path, _ = written(tmp_path, Style(modality="PT", attributes={keyword: value}))
    assert "RESCALE_UNKNOWN" in codes_of(path)


@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_a_deflated_data_set_that_does_not_end_well_is_refused(tmp_path: Path, kept):
    path, data = written(tmp_path, Style(syntax="deflated"))
    at = len(data) - len(bare(data))
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    tail = bytes(np.random.default_rng(1).integers(0, 256, 4000, np.uint8))
    packed = packer.compress(zlib.decompress(data[at:], -zlib.MAX_WBITS) + tail) + packer.flush()
    path.write_bytes(data[:at] + packed)
    np.testing.assert_array_equal(read(scan(path)[0]).array, VALUES)
    path.write_bytes(data[:at] + packed[: int(len(packed) * kept)])
    with pytest.raises(Refused, match="PIXELS_UNDECODABLE"):
        read(scan(path)[0])


def test_a_jpeg_with_a_marker_that_there_is_not_is_refused(tmp_path: Path):
    path, data = written(tmp_path, Style(syntax="JPEG lossless SV1"))
    place = data.index(b"\xff\xd8\xff") + 3
    path.write_bytes(data[:place] + b"\x8d" + data[place + 1 :])
    with pytest.raises(Refused, match="PIXELS_UNDECODABLE"):
        read(scan(path)[0])


def test_an_undefined_length_of_what_cannot_have_one_is_no_sequence(tmp_path: Path):
    path, data = written(tmp_path, Style())
    place = data.index(b"\x20\x00\x0d\x00")
    sequence = b"UV\0\0\xff\xff\xff\xff" + struct.pack("<HHIHHI", 0xFFFE, 0xE000, 0, 0xFFFE, 0xE0DD, 0)
    path.write_bytes(data[:place] + b"\x08\x00\x40\x11" + sequence + data[place:])
    found = scan(path)
    assert [one.reason.code for one in found.ignored] == ["HEADER_UNREADABLE"] or "HEADER_IRREGULAR" in codes_of(path)


def test_deflated_pixels_of_undefined_length_are_told(tmp_path: Path):
    path, data = written(tmp_path, Style(syntax="deflated"))
    at = len(data) - len(bare(data))
    data_set = zlib.decompress(data[at:], -zlib.MAX_WBITS)
    place = data_set.rindex(b"\xe0\x7f\x10\x00") + 8
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    changed = data_set[:place] + b"\xff\xff\xff\xff" + data_set[place + 4 :]
    path.write_bytes(data[:at] + packer.compress(changed) + packer.flush())
    assert "HEADER_IRREGULAR" in codes_of(path)


def test_colours_that_hold_more_than_their_stored_bits_are_held(tmp_path: Path):
    path = tmp_path / "image.dcm"
    data_set = slice_data_set(VALUES[0], GRID, 0)
    data_set.SOPClassUID, data_set.Modality = "1.2.840.10008.5.1.4.1.1.7", "OT"
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation, data_set.PlanarConfiguration = 3, "RGB", 0
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit, data_set.PixelRepresentation = 8, 2, 7, 0
    data_set.PixelData = bytes(range(240)) * 6
    data_set.save_as(path, enforce_file_format=True)
    with pytest.raises(Refused, match="BITS_BEYOND_STORED"):
        read(scan(path)[0])
