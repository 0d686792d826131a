"""Damaged files: refused or listed with a reason, never a crash; a short run of what `make soak` does at length."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import numpy as np
import pytest

from isocenter.dicom.derived.headers import repair
from isocenter.dicom.file import parsing
from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.errors import InputError, Refused
from isocenter.geometry import Grid
from isocenter.testing.dicom import SYNTAXES, Style, bare, slice_data_set, write_series

GRID = Grid.from_vectors((1, 24, 20), spacing_mm=(3, 1, 1))
VALUES = np.arange(480).reshape(24, 20) - 200.0


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one kind of damage."""
    spoiled = bytearray(data)
    place = rng.randrange(len(data) - 4)
    match rng.randrange(5):
        case 0:
            del spoiled[place:]
        case 1:
            for _ in range(rng.randrange(1, 12)):
                spoiled[rng.randrange(132, len(data))] = rng.randrange(256)
        case 2:
            del spoiled[place : place + rng.randrange(1, 40)]
        case 3:
            spoiled[place : place + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\xff\xff\xff\x7f"])
        case _:
            spoiled[place : place + 4] = rng.choice([b"\xfe\xff\xdd\xe0", b"\xfe\xff\x00\xe0", b"\xe0\x7f\x10\x00"])
    return bytes(spoiled)


@pytest.mark.parametrize("syntax", [*SYNTAXES, "bare"])
def test_damage_never_crashes(tmp_path: Path, syntax):
    rng = random.Random(f"damage {syntax}")  # noqa: S311
    style = Style(syntax="implicit" if syntax == "bare" else syntax, bits_stored=12, is_signed=False)
    path = tmp_path / "image.dcm"
    slice_data_set(VALUES, GRID, 0, style=style).save_as(path, enforce_file_format=True)
    sound = bare(path.read_bytes()) if syntax == "bare" else path.read_bytes()
    outcomes = set()
    for _ in range(60):
        path.write_bytes(damaged(sound, rng))
        found = scan(path)
        outcomes.update(ignored.reason.code for ignored in found.ignored)
        for series in found:
            try:
                read(series)
            except Refused as refused:
                outcomes.update(reason.code for reason in refused.reasons)
    assert outcomes  # the damage was noticed


def test_a_sequence_without_end_is_damage(tmp_path: Path):
    (path,) = write_series(VALUES[np.newaxis], GRID, tmp_path)
    data = path.read_bytes()
    nested = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    place = data.index(b"\x10\x00\x10\x00PN")
    path.write_bytes(data[:place] + nested * 5000 + data[place:])
    found = scan(path)
    assert len(found) == 0 or not found[0].verdict.usable


def test_an_inflation_bomb_is_not_inflated(tmp_path: Path):
    (path,) = write_series(VALUES[np.newaxis], GRID, tmp_path, style=Style(syntax="deflated"))
    data = path.read_bytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()
    meta_end = len(data) - len(bare(data))
    path.write_bytes(data[:meta_end] + zeros)
    found = scan(path)
    assert len(found) == 0
    assert found.ignored[0].reason.code == "HEADER_UNREADABLE"


@pytest.mark.parametrize("keyword", ["Rows", "Columns"])
@pytest.mark.parametrize("syntax", ["explicit", "JPEG lossless SV1", "JPEG 2000 lossless"])
def test_an_absurd_size_claims_no_memory(tmp_path: Path, keyword, syntax):
    style = Style(syntax=syntax, attributes={"Rows": 65535, "Columns": 65535, keyword: 65534})
    write_series(VALUES[np.newaxis], GRID, tmp_path, style=style)
    with pytest.raises(Refused):
        read(scan(tmp_path)[0])


def sources_with_damaged_vr(folder: Path, tag: bytes):
    """Headers of three slices, the first of which has a value representation that does not exist."""
    grid = Grid.from_vectors((3, 24, 20), spacing_mm=(3, 1, 1))
    path = write_series(np.stack([VALUES] * 3), grid, folder)[0]
    data = path.read_bytes()
    at = data.index(tag, 300)
    path.write_bytes(data[: at + 4] + b"U\x91" + data[at + 6 :])
    (series,) = scan(folder)
    return [instance.dataset() for instance in series.instances]


@pytest.mark.parametrize("tag", [b"\x08\x00\x16\x00UI", b"\x08\x00\x18\x00UI"])
def test_a_uid_of_a_damaged_value_representation_is_mended(tmp_path: Path, tag):
    assert len(repair(sources_with_damaged_vr(tmp_path, tag))) == 3


def test_a_place_of_a_damaged_value_representation_makes_no_objects(tmp_path: Path):
    sources = sources_with_damaged_vr(tmp_path, b"\x20\x00\x37\x00DS")
    with pytest.raises(Refused, match="SOURCES_WITHOUT_UID"):
        repair(sources)


def test_a_header_that_pydicom_cannot_read_is_an_error_of_the_input(tmp_path: Path):
    path = tmp_path / "image.dcm"
    slice_data_set(VALUES, GRID, 0).save_as(path, enforce_file_format=True)
    path.write_bytes(path.read_bytes().replace(b"ISO_IR 192", b"\x1b\0\n\0\3\0P\x0192"))
    (series,) = scan(path)
    with pytest.raises(InputError, match="damaged"):
        series.instances[0].dataset()


@pytest.mark.parametrize("raw", [b"1_0", b"nan", b"inf", b"1,5", b"ten", b"\0\x008"])
def test_what_is_no_decimal_string_is_no_number(raw):
    assert np.isnan(parsing.number(raw))


def test_text_of_a_character_set_whose_name_holds_a_null_is_read_as_far_as_it_is_plain():
    assert parsing.words(b"\xe9a", b"latin\0one") == "\ufffda"
