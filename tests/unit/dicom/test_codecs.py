"""Codecs: cells as they were before, in every encoding; what lies about itself or is damaged is refused."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicom.frames.instance import PixelFormat
from isocenter.dicom.values import codecs
from isocenter.dicom.values.codecs import PrecisionDiffersError, TruncatedError, UndecodableError, decode
from isocenter.dicom.values.codestreams import read_codestream

UID = "1.2.840.10008.1.2."
DRAW = np.random.default_rng(7)


def form_of(cells, *, bits_stored=0, photometric="", is_signed=False) -> PixelFormat:
    bits = 8 * cells.dtype.itemsize
    samples = cells.shape[2] if cells.ndim == 3 else 1
    bits_stored = bits_stored or bits
    photometric = photometric or ("RGB" if samples == 3 else "MONOCHROME2")
    shape = cells.shape[0], cells.shape[1], samples
    return PixelFormat(*shape, photometric, bits, bits_stored, bits_stored - 1, is_signed=is_signed, frames=1)


def smooth(shape, top, dtype):
    """A picture that lossy codecs keep."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    picture = top * (0.5 + 0.25 * np.sin(rows / 9) + 0.2 * np.cos(columns / 7))
    if len(shape) == 3:
        picture = np.stack([np.roll(picture, 5 * k, axis=k % 2) for k in range(shape[2])], axis=-1)
    return picture.astype(dtype)


def rle(cells) -> bytes:
    """RLE as PS3.5 G has it."""
    planes = cells.reshape(*cells.shape[:2], -1).astype(cells.dtype.newbyteorder(">"))
    rows = planes.view(np.uint8).reshape(*cells.shape[:2], -1)
    segments = [b"".join(imagecodecs.packbits_encode(r.tobytes()) for r in rows[..., k]) for k in range(rows.shape[2])]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    places = np.cumsum([64, *map(len, segments[:-1])])
    return (
        struct.pack("<I", len(segments))
        + b"".join(struct.pack("<I", p) for p in places).ljust(60, b"\0")
        + b"".join(segments)
    )


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush()
    return packed + b"\0" * (len(packed) % 2)


LOSSLESS = {
    "RLE": ("5", rle),
    "deflated frame": ("8.1", lambda cells: deflated(cells.tobytes())),
    "uncompressed frame": ("1.98", lambda cells: cells.tobytes()),
    "JPEG lossless": ("4.70", lambda c: imagecodecs.jpeg8_encode(c, lossless=True, predictor=1, bitspersample=16)),
    "JPEG-LS": ("4.80", imagecodecs.jpegls_encode),
    "JPEG 2000": ("4.90", lambda c: imagecodecs.jpeg2k_encode(c, codecformat="j2k", reversible=True, level=0)),
    "HTJ2K": ("4.201", lambda c: imagecodecs.htj2k_encode(c, reversible=True)),
}


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("shape", [(33, 47), (1, 1), (5, 300), (17, 23, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lossless_encodings_give_the_cells_back(name, shape, dtype):
    uid, encode = LOSSLESS[name]
    if name == "JPEG lossless" and dtype == np.uint8:
        encode = lambda c: imagecodecs.jpeg8_encode(c, lossless=True, predictor=1)  # noqa: E731
    if name == "JPEG lossless" and len(shape) == 3:
        pytest.skip("the encoder at hand transforms colours")
    cells = DRAW.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    frame = bytes(encode(cells))
    found = decode(memoryview(frame + b"\0"), UID + uid, form_of(cells))
    assert found.dtype.itemsize == cells.dtype.itemsize
    assert found.flags.writeable
    assert np.array_equal(found, cells)
    assert not codecs.is_lossy(frame, UID + uid)
    assert codecs.photometric_after(form_of(cells), UID + uid, frame) == ("RGB" if len(shape) == 3 else "MONOCHROME2")


@pytest.mark.parametrize("name", ["RLE", "deflated frame", "uncompressed frame"])
def test_cells_of_32_bits_come_back(name):
    uid, encode = LOSSLESS[name]
    for shape in ((9, 11), (9, 11, 3)):
        cells = DRAW.integers(0, 1 << 32, shape, np.uint32)
        assert np.array_equal(decode(encode(cells), UID + uid, form_of(cells)), cells)


@pytest.mark.parametrize("uid", ["5", "8.1", "1.98"])
def test_single_bits_become_bytes(uid):
    bits = DRAW.integers(0, 2, (13, 11), np.uint8)
    packed = np.packbits(bits, bitorder="little")
    encode = {
        "5": lambda: rle(packed.reshape(1, -1)),
        "8.1": lambda: deflated(packed.tobytes()),
        "1.98": packed.tobytes,
    }
    form = PixelFormat(13, 11, 1, "MONOCHROME2", 1, 1, 0, is_signed=False, frames=1)
    assert np.array_equal(decode(encode[uid](), UID + uid, form), bits)


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_signed_codestreams_stay_signed(dtype):
    cells = DRAW.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, (20, 30), dtype, endpoint=True)
    frame = imagecodecs.jpeg2k_encode(cells, codecformat="j2k", reversible=True, level=0)
    assert np.array_equal(decode(frame, UID + "4.90", form_of(cells, is_signed=True)), cells)


@pytest.mark.parametrize(("bits", "uid", "most"), [(8, "4.50", 3), (12, "4.51", 12)])
def test_lossy_jpeg_lies_near(bits, uid, most):
    cells = smooth((64, 80), (1 << bits) - 1, np.uint8 if bits == 8 else np.uint16)
    frame = imagecodecs.jpeg8_encode(cells, level=95, bitspersample=bits)
    found = decode(frame, UID + uid, form_of(cells, bits_stored=bits))
    assert abs(found.astype(int) - cells).max() <= most
    assert codecs.is_lossy(frame, UID + uid)


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
def test_colours_of_jpeg_become_rgb(subsampling, photometric):
    cells = smooth((48, 64, 3), 255, np.uint8)
    frame = imagecodecs.jpeg8_encode(cells, level=95, subsampling=subsampling)
    form = form_of(cells, photometric=photometric)
    assert abs(decode(frame, UID + "4.50", form).astype(int) - cells).mean() < 4
    assert codecs.photometric_after(form, UID + "4.50", frame) == "RGB"


def test_jpeg_that_states_ycbcr_is_believed_before_a_header_that_says_rgb():
    cells = smooth((48, 64, 3), 255, np.uint8)
    frame = imagecodecs.jpeg8_encode(cells, level=95, subsampling="444")
    assert read_codestream(frame).colour == "YBR"  # by its JFIF marker
    assert abs(decode(frame, UID + "4.50", form_of(cells, photometric="RGB")).astype(int) - cells).max() < 9


def test_jpeg_of_rgb_components_is_not_transformed():
    cells = smooth((48, 64, 3), 255, np.uint8)
    frame = imagecodecs.jpeg8_encode(cells, level=95, colorspace="RGB", outcolorspace="RGB")
    for photometric in ("RGB", "YBR_FULL"):  # Adobe's marker and the names of the components say it
        assert abs(decode(frame, UID + "4.50", form_of(cells, photometric=photometric)).astype(int) - cells).max() < 9


def test_jpeg_that_says_nothing_of_its_colours_goes_by_the_header():
    cells = smooth((48, 64, 3), 255, np.uint8)
    frame = bytes(imagecodecs.jpeg8_encode(cells, level=95, subsampling="444"))
    silent = frame[:2] + frame[4 + int.from_bytes(frame[4:6], "big") :]  # without its JFIF marker
    assert read_codestream(silent).colour == ""
    as_ybr, as_rgb = (decode(silent, UID + "4.50", form_of(cells, photometric=p)) for p in ("YBR_FULL", "RGB"))
    assert abs(as_ybr.astype(int) - cells).max() < 9
    assert abs(as_rgb.astype(int) - cells).max() > 50


def test_colours_of_jpeg_2000_are_transformed_back():
    cells = DRAW.integers(0, 256, (20, 30, 3), np.uint8)
    for uses_transform in (True, False):
        frame = imagecodecs.jpeg2k_encode(cells, codecformat="j2k", reversible=True, level=0, mct=uses_transform)
        for photometric in ("YBR_RCT", "RGB"):
            form = form_of(cells, photometric=photometric)
            assert np.array_equal(decode(frame, UID + "4.90", form), cells)
            assert codecs.photometric_after(form, UID + "4.90", frame) == "RGB"


def test_header_and_codestream_that_disagree_on_colours_are_refused():
    cells = DRAW.integers(0, 256, (20, 30, 3), np.uint8)
    form = form_of(cells, photometric="YBR_FULL")
    frame = imagecodecs.jpeg2k_encode(cells, codecformat="j2k", reversible=True, level=0, mct=True)
    with pytest.raises(UndecodableError, match="disagree"):
        codecs.photometric_after(form, UID + "4.90", frame)
    untouched = imagecodecs.jpeg2k_encode(cells, codecformat="j2k", reversible=True, level=0, mct=False)
    assert codecs.photometric_after(form, UID + "4.90", untouched) == "YBR_FULL"


def test_a_codestream_is_decoded_by_what_it_is():
    cells = DRAW.integers(0, 4096, (20, 30), np.uint16)
    frame = imagecodecs.jpegls_encode(cells)
    assert np.array_equal(decode(frame, UID + "4.70", form_of(cells, bits_stored=12)), cells)


def test_near_lossless_and_irreversible_codestreams_say_that_they_are_lossy():
    cells = DRAW.integers(0, 4096, (64, 64), np.uint16)
    assert codecs.is_lossy(imagecodecs.jpegls_encode(cells, level=2), UID + "4.81")
    assert not codecs.is_lossy(imagecodecs.jpegls_encode(cells), UID + "4.81")
    assert codecs.is_lossy(imagecodecs.jpeg2k_encode(cells, codecformat="j2k", level=60), UID + "4.91")


# --- what lies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["JPEG lossless", "JPEG-LS", "JPEG 2000", "HTJ2K", "RLE", "deflated frame"])
def test_another_size_than_the_header_states_is_refused(name):
    uid, encode = LOSSLESS[name]
    cells = DRAW.integers(0, 65536, (20, 30), np.uint16)
    with pytest.raises((UndecodableError, TruncatedError)):
        decode(bytes(encode(cells)), UID + uid, form_of(np.zeros((64, 60), np.uint16)))


@pytest.mark.parametrize("name", ["JPEG lossless", "JPEG-LS", "JPEG 2000", "HTJ2K"])
def test_a_codestream_that_claims_a_giant_size_is_refused_unread(name):
    uid, encode = LOSSLESS[name]
    cells = DRAW.integers(0, 65536, (20, 30), np.uint16)
    frame = bytes(encode(cells)).replace(struct.pack(">HH", 20, 30), b"\xff\xff\xff\xff", 1)
    frame = frame.replace(struct.pack(">II", 30, 20), b"\0\1\0\0\0\1\0\0", 1)
    with pytest.raises((UndecodableError, TruncatedError), match=r"holds 65|more parts|shorter than any"):
        decode(frame, UID + uid, form_of(cells))


def test_more_tiles_and_packets_than_any_picture_needs_are_refused():
    cells = DRAW.integers(0, 65536, (256, 256), np.uint16)
    tiled = imagecodecs.htj2k_encode(cells, reversible=True, tile=(8, 8))
    frame = bytearray(imagecodecs.jpeg2k_encode(cells, codecformat="j2k", reversible=True, level=0))
    at = frame.index(b"\xff\x52")
    frame[at + 4] |= 1  # precincts of a size of their own: here what follows the segment, tiny ones
    frame[at + 2 : at + 4] = struct.pack(">H", 18)
    frame[at + 14 : at + 14] = b"\x11" * 6
    frame[at + 6 : at + 8] = b"\xff\xff"
    for lying in (tiled, frame):
        with pytest.raises(UndecodableError, match="more parts"):
            decode(bytes(lying), UID + "4.90", form_of(cells))


def test_deflated_frames_are_inflated_no_further_than_the_header_says():
    cells = np.zeros((8, 8), np.uint8)
    bomb = deflated(bytes(1 << 24))
    assert np.array_equal(decode(bomb, UID + "8.1", form_of(cells)), cells)


def test_rle_is_unpacked_no_further_than_the_header_says():
    head = struct.pack("<2I", 1, 64).ljust(64, b"\0")
    with pytest.raises(UndecodableError):
        decode(head + b"\x81\0" * 100_000, UID + "5", form_of(np.zeros((8, 8), np.uint8)))


# --- precision -------------------------------------------------------------------------------------------------------


def j2k(cells) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(cells, codecformat="j2k", reversible=True, level=0))


def test_negative_values_are_refused_where_the_header_says_unsigned():
    cells = np.arange(-50, 350, dtype=np.int16).reshape(20, 20)
    with pytest.raises(PrecisionDiffersError, match="unsigned values of 12 bits"):
        decode(j2k(cells), UID + "4.90", form_of(cells, bits_stored=12))
    assert np.array_equal(decode(j2k(cells + 50), UID + "4.90", form_of(cells, bits_stored=12)), cells + 50)


def test_values_beyond_the_stored_bits_of_a_lossy_codestream_are_refused():
    cells = smooth((64, 64), 4095, np.uint16) + 3000
    frame = imagecodecs.jpeg2k_encode(cells, codecformat="j2k", level=60)
    with pytest.raises(PrecisionDiffersError, match="unsigned values of 16 bits"):
        decode(frame, UID + "4.91", form_of(cells, bits_stored=12))


def test_unsigned_values_of_fewer_bits_are_no_signed_ones():
    cells = np.arange(256, dtype=np.uint8).reshape(16, 16)
    form = form_of(cells.astype(np.uint16), bits_stored=12, is_signed=True)
    with pytest.raises(PrecisionDiffersError, match="unsigned values of 8 bits"):
        decode(j2k(cells), UID + "4.90", form)
    assert np.array_equal(decode(j2k(cells // 2), UID + "4.90", form), cells // 2)


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["JPEG lossless", "JPEG-LS", "JPEG 2000", "HTJ2K"])
def test_a_codestream_without_its_end_is_truncated(name):
    uid, encode = LOSSLESS[name]
    cells = DRAW.integers(0, 65536, (40, 50), np.uint16)
    frame = bytes(encode(cells))
    with pytest.raises(TruncatedError):
        decode(frame[: len(frame) // 2], UID + uid, form_of(cells))


@pytest.mark.parametrize("name", LOSSLESS)
@given(data=st.data())
def test_damage_is_refused_or_gives_cells_of_the_right_shape(name, data):
    uid, encode = LOSSLESS[name]
    cells = smooth((24, 31), 4095, np.uint16)
    frame = bytearray(encode(cells))
    for place in data.draw(st.lists(st.integers(0, len(frame) - 1), min_size=1, max_size=4)):
        frame[place] = data.draw(st.integers(0, 255))
    frame = frame[: data.draw(st.integers(len(frame) // 2, len(frame)))]
    try:
        found = decode(bytes(frame), UID + uid, form_of(cells, bits_stored=12))
    except (TruncatedError, UndecodableError):
        return
    assert found.shape == cells.shape


# --- lossless JPEG ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_every_predictor_of_lossless_jpeg_gives_the_cells_back(predictor, bits):
    dtype = np.uint8 if bits == 8 else np.uint16
    for cells in (DRAW.integers(0, 1 << bits, (31, 43), dtype), smooth((50, 40), (1 << bits) - 1, dtype)):
        frame = bytes(imagecodecs.jpeg8_encode(cells, lossless=True, predictor=predictor, bitspersample=bits))
        found = decode(frame, UID + "4.57", form_of(cells, bits_stored=bits))
        assert found.dtype == dtype
        assert np.array_equal(found, cells)


def test_colours_of_lossless_jpeg_are_left_as_they_are():
    cells = DRAW.integers(0, 256, (20, 30, 3), np.uint8)
    options = {"lossless": True, "predictor": 1, "colorspace": "RGB", "outcolorspace": "RGB"}
    frame = bytes(imagecodecs.jpeg8_encode(cells, **options))
    assert np.array_equal(decode(frame, UID + "4.70", form_of(cells)), cells)


def lossless_jpeg(cells) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(cells, lossless=True, predictor=1, bitspersample=16))


@pytest.mark.parametrize("padding", [b"", b"\0", bytes(100), b"\xff\xff"])
def test_padding_behind_lossless_jpeg_is_no_damage(padding):
    cells = smooth((64, 64), 4095, np.uint16)
    assert np.array_equal(decode(lossless_jpeg(cells) + padding, UID + "4.70", form_of(cells)), cells)


@pytest.mark.parametrize(("kind", "share"), [("cut", 0.95), ("gap", 0.9), ("zeros", 0.2), ("bytes", 0.2)])
def test_a_library_carries_on_over_damage_that_is_noticed_here(kind, share):
    cells = smooth((64, 64), 3000, np.uint16) + np.random.default_rng(1).integers(0, 60, (64, 64), np.uint16)
    frame = lossless_jpeg(cells)
    start, refused, tried, carried_on = frame.index(b"\xff\xda") + 20, 0, 0, 0
    for place in range(start, len(frame) - 60, (len(frame) - start) // 60):
        damaged = {
            "cut": frame[:place] + b"\xff\xd9",
            "gap": frame[:place] + frame[place + 30 :],
            "zeros": frame[:place] + bytes(30) + frame[place + 30 :],
            "bytes": frame[:place] + bytes(range(1, 31)) + frame[place + 30 :],
        }[kind]
        tried += 1
        with suppress(imagecodecs.Jpeg8Error):  # now and then it notices
            carried_on += not np.array_equal(imagecodecs.jpeg8_decode(damaged), cells)
        try:
            decode(damaged, UID + "4.70", form_of(cells))
        except (TruncatedError, UndecodableError):
            refused += 1
    assert tried > 40
    assert carried_on > 0.9 * tried
    assert refused >= share * tried  # other bits of the same lengths cannot be told from sound ones


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\xff\xc4", b"\xff\xc5"),  # a table of another kind of codestream
        (b"\x01\x01\x00\x01", b"\x01\x01\x00\x09"),  # a predictor that there is not
    ],
)
def test_headers_of_lossless_jpeg_that_say_nonsense_are_refused(before, after):
    cells = smooth((64, 64), 4095, np.uint16)
    frame = lossless_jpeg(cells)
    for lying in (frame.replace(before, after), frame.replace(b"\xff\xc4", b"\xff\xe5")):
        if lying != frame:
            with pytest.raises(UndecodableError):
                decode(lying, UID + "4.70", form_of(cells))


def test_restart_intervals_of_lossless_jpeg_are_left_to_the_library():
    cells = smooth((16, 20), 255, np.uint8)
    frame = bytes(imagecodecs.jpeg8_encode(cells, lossless=True, predictor=1))
    at = frame.index(b"\xff\xda")
    restarting = frame[:at] + b"\xff\xdd\0\4" + struct.pack(">H", 16 * 20) + frame[at:]  # after the last pixel
    assert np.array_equal(decode(restarting, UID + "4.70", form_of(cells)), cells)


@pytest.mark.parametrize("photometric", ["YBR_RCT", "YBR_ICT"])
def test_a_transform_of_jpeg_2000_is_refused_in_what_is_not_that(photometric):
    form = form_of(np.zeros((4, 4, 3), np.uint8), photometric=photometric)
    with pytest.raises(UndecodableError, match="JPEG 2000"):
        codecs.photometric_after(form, UID + "5", b"")
    with pytest.raises(UndecodableError, match="JPEG 2000"):
        codecs.photometric_after(form, UID + "4.80", imagecodecs.jpegls_encode(np.zeros((4, 4, 3), np.uint8)))
