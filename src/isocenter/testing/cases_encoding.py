"""Cases of the conformance suite: how files are written. Transfer syntaxes, fragments, odd headers, damaged pixels."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydicom import DataElement, Dataset, Sequence
from pydicom.encaps import encapsulate, encapsulate_extended, generate_fragments
from pydicom.tag import Tag

from isocenter.geometry import Grid
from isocenter.testing.cases_geometry import AXIAL, SHAPE, grid_along
from isocenter.testing.cases_values import BODY, SMALL, refused, value_case
from isocenter.testing.dicom import Style, bare, write_series
from isocenter.testing.encoding import FURTHER_SYNTAXES, LOSSY, SYNTAXES
from isocenter.testing.truth import Case, Ramp, Truth

CT = Style(bits_stored=12, is_signed=False)
FileEdit = Callable[[bytes], bytes]


def encoded(name: str, told: str, style: Style = CT, value: Ramp = BODY, **truth: Any) -> Case:
    """A case of one series on the axial grid."""
    return replace(value_case(name, told, style, value, **truth), group="encoding")


def rewritten(name: str, told: str, edit: FileEdit, style: Style = CT) -> Case:
    """The same, whose files are changed after they were written."""

    def writer(folder: Path) -> None:
        for path in write_series(BODY, AXIAL, folder, style=style):
            path.write_bytes(edit(path.read_bytes()))

    return Case(name, "encoding", told, writer, (Truth(BODY, AXIAL),))


def encoding_cases() -> Iterator[Case]:
    """All cases of this module."""
    yield from _syntaxes()
    yield from _fragments()
    yield from _headers()
    yield from _sequences()
    yield from _charsets()
    yield from _damaged()
    yield from _lying()


# --- transfer syntaxes ----------------------------------------------------------------------------------------------


def _syntaxes() -> Iterator[Case]:
    for name in SYNTAXES:
        yield _in_syntax(name, CT, BODY)
    eight = Style(modality="MR", bits_allocated=8, bits_stored=8, is_signed=False, rescale=None)
    for name in FURTHER_SYNTAXES:
        case = _in_syntax(name, *((eight, SMALL) if name == "JPEG baseline" else (CT, BODY)))
        is_new = name == "JPEG XL lossless"  # hardly a reader knows it yet
        yield replace(case, refusals=frozenset({"UNSUPPORTED"})) if is_new else case
    yield from _odd_sizes(eight)
    signed = Style(bits_stored=16, is_signed=True, rescale=(1.0, 0.0))
    for name in ("RLE", "JPEG lossless SV1", "JPEG-LS", "JPEG 2000 lossless", "HTJ2K lossless"):
        yield encoded(f"{name}, signed", "16 bits, below zero too.", replace(signed, syntax=name), Ramp(-800.0))
        yield encoded(f"{name}, 8 bits", "One byte a pixel.", replace(eight, syntax=name), SMALL)


def _odd_sizes(eight: Style) -> Iterator[Case]:
    """Slices of an odd number of bytes, and 32-bit cells, in every order of bytes."""
    odd = grid_along((1, 0, 0), (0, 1, 0), shape=(5, 7, 9))
    wide = replace(eight, modality="PT", bits_allocated=32, bits_stored=32, rescale=(1.0, 0.0))
    large = Ramp(100_000.0, (3100.0, 5300.0, 7900.0))
    for syntax in ("implicit", "explicit", "big endian", "deflated"):
        for name, style, value in (("63 bytes a slice", eight, SMALL), ("63 cells of 32 bits", wide, large)):
            writer = _writer(value, odd, replace(style, syntax=syntax))
            yield Case(f"{name}, {syntax}", "encoding", "An odd number of pixels.", writer, (Truth(value, odd),))


def _writer(value: Ramp, grid: Grid, style: Style) -> Callable[[Path], object]:
    return lambda folder: write_series(value, grid, folder, style=style)


def _in_syntax(name: str, style: Style, value: Ramp) -> Case:
    """The series in a transfer syntax; what was compressed with loss has to be told."""
    told = f"{style.bits_stored} bits in this transfer syntax."
    if name not in LOSSY:
        return encoded(name, told, replace(style, syntax=name), value)
    case = encoded(name, told, replace(style, syntax=name), value, tolerance=2.51)
    return replace(case, says=frozenset({"LOSSY"}))


# --- fragments and offset tables ------------------------------------------------------------------------------------


def _fragments() -> Iterator[Case]:
    def frames(ds: Dataset) -> list[bytes]:
        return [b"".join(list(generate_fragments(ds.PixelData))[1:])]

    def cut(_: int, ds: Dataset) -> None:
        ds.PixelData = encapsulate(frames(ds), fragments_per_frame=4)

    def without_table(_: int, ds: Dataset) -> None:
        ds.PixelData = encapsulate(frames(ds), has_bot=False)

    def wrong_table(_: int, ds: Dataset) -> None:
        items = encapsulate(frames(ds), has_bot=False)[8:]
        ds.PixelData = struct.pack("<HHLL", 0xFFFE, 0xE000, 4, 4711) + items

    def extended(_: int, ds: Dataset) -> None:
        ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(frames(ds))

    def padded(_: int, ds: Dataset) -> None:
        ds.PixelData = encapsulate([frames(ds)[0] + b"\0\0"])

    for syntax in ("JPEG-LS", "RLE"):
        style = replace(CT, syntax=syntax)
        for name, told, edit in (
            ("frame in four fragments", "One codestream, four items.", cut),
            ("offset table empty", "No offsets.", without_table),
            ("offset table wrong", "An offset beyond the end.", wrong_table),
            ("extended offset table", "64-bit offsets.", extended),
            ("codestream padded", "Two more noughts at the end.", padded),
        ):
            yield encoded(f"{name}, {syntax}", told, replace(style, edit=edit))


# --- headers --------------------------------------------------------------------------------------------------------


def _headers() -> Iterator[Case]:
    implicit = replace(CT, syntax="implicit")
    naked = rewritten("no preamble, no meta header", "Implicit VR, the data set alone.", bare, implicit)
    yield replace(naked, says=frozenset({"NO_PREAMBLE"}))
    yield rewritten("no preamble, no meta header, explicit", "Explicit VR, the data set alone.", bare)
    big = rewritten("no meta header, big endian", "Alone, big endian.", bare, replace(CT, syntax="big endian"))
    yield replace(big, refusals=frozenset({"NOT_DICOM", "HEADER_UNREADABLE"}))
    yield rewritten("known tags as UN", "Position, slope and intercept are written with VR UN.", _as_unknown)
    yield rewritten("preamble not empty", "A TIFF header in the preamble.", lambda data: b"II*\0" * 32 + data[128:])
    trailing = struct.pack("<HH2sHL", 0xFFFC, 0xFFFC, b"OB", 0, 4096) + bytes(4096)
    yield rewritten("trailing padding", "Data Set Trailing Padding behind the pixels.", lambda data: data + trailing)
    yield rewritten("rubbish behind the pixels", "300 noughts.", lambda data: data + bytes(300))
    lied = rewritten("meta header lies", "It says implicit, but the data set is explicit.", _says_implicit)
    yield replace(lied, refusals=frozenset({"HEADER_UNREADABLE", "PIXELS_MISSING", "PIXELS_SURPLUS"}))
    yield rewritten("group length of the meta header wrong", "Ten too many.", _wrong_meta_length)

    def group_lengths(_: int, ds: Dataset) -> None:
        for group in (0x0008, 0x0010, 0x0020, 0x0028):
            ds.add(DataElement(Tag(group, 0), "UL", 1234))

    def bytes_of_words(_: int, ds: Dataset) -> None:
        ds["PixelData"].VR = "OB"

    def one_frame(_: int, ds: Dataset) -> None:
        ds.NumberOfFrames = 1

    def spaces(_: int, ds: Dataset) -> None:
        ds.Modality = "CT  "
        ds.RescaleSlope = " 1.0000"
        ds.PixelSpacing = [" 1.25 ", "1.50"]

    for name, told, edit in (
        ("group lengths", "Retired, and wrong.", group_lengths),
        ("16 bits as OB", "Pixel Data of VR OB.", bytes_of_words),
        ("Number of Frames of one", "In a single-frame image.", one_frame),
        ("numbers with spaces", "Decimal strings padded on both sides.", spaces),
    ):
        yield encoded(name, told, replace(CT, edit=edit))


def _says_implicit(data: bytes) -> bytes:
    return data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0", 1)


def _as_unknown(data: bytes) -> bytes:
    """Some elements of decimal strings with the VR UN, whose length has four bytes."""
    for tag in (b"\x20\x00\x32\x00DS", b"\x28\x00\x52\x10DS", b"\x28\x00\x53\x10DS"):
        at = data.index(tag)
        data = data[: at + 4] + b"UN\0\0" + data[at + 6 : at + 8] + b"\0\0" + data[at + 8 :]
    return data


def _wrong_meta_length(data: bytes) -> bytes:
    at = data.index(b"\x02\x00\x00\x00UL") + 8
    length = int.from_bytes(data[at : at + 4], "little")
    return data[:at] + (length + 10).to_bytes(4, "little") + data[at + 4 :]


def _sequences() -> Iterator[Case]:
    def nested() -> Dataset:
        inner = Dataset()
        inner.CodeValue, inner.CodingSchemeDesignator, inner.CodeMeaning = "T-D3000", "SRT", "Chest"
        outer = Dataset()
        outer.ReferencedSOPClassUID, outer.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
        outer.PurposeOfReferenceCodeSequence = Sequence([inner])
        return outer

    def undefined(_: int, ds: Dataset) -> None:
        ds.ReferencedImageSequence = Sequence([nested(), nested()])
        ds["ReferencedImageSequence"].is_undefined_length = True
        for item in ds.ReferencedImageSequence:
            item.is_undefined_length_sequence_item = True
            item["PurposeOfReferenceCodeSequence"].is_undefined_length = True

    def icon(_: int, ds: Dataset) -> None:
        small = Dataset()
        small.Rows, small.Columns, small.BitsAllocated, small.BitsStored, small.HighBit = 4, 4, 8, 8, 7
        small.SamplesPerPixel, small.PhotometricInterpretation, small.PixelRepresentation = 1, "MONOCHROME2", 0
        small.PixelData = bytes(range(16))
        small["PixelData"].VR = "OB"
        ds.IconImageSequence = Sequence([small])

    def private(_: int, ds: Dataset) -> None:
        block = ds.private_block(0x0029, "ISOCENTER TEST", create=True)
        block.add_new(0x10, "OB", bytes(range(256)) * 4)
        block.add_new(0x11, "UN", b"\xfe\xff\x00\xe0\xff\xff\xff\xff" * 3)
        block.add_new(0x12, "SQ", Sequence([nested()]))

    def position_within(_: int, ds: Dataset) -> None:
        item = nested()
        item.ImagePositionPatient, item.RescaleSlope, item.Rows = [0, 0, 0], "7", 3
        ds.SourceImageSequence = Sequence([item])

    for syntax in ("explicit", "implicit"):
        style = replace(CT, syntax=syntax)
        for name, told, edit in (
            ("sequences of undefined length", "Items and sequences end by delimiters.", undefined),
            ("icon image", "A small picture in a sequence before the pixels.", icon),
            ("private elements", "Binary ones, one that looks like an item.", private),
            ("position within a sequence", "That of another image.", position_within),
        ):
            yield encoded(f"{name}, {syntax}", told, replace(style, edit=edit))

    told = "A private FD of six bytes, which is no whole number of values."
    yield rewritten("private element of wrong length", told, _uneven_private)
    yield rewritten("private element of odd length", "One byte more than told before it.", _odd_private)


def _uneven_private(data: bytes) -> bytes:
    """A private element of doubles whose length is none of theirs."""
    at = data.index(b"\x28\x00\x02\x00US")
    return data[:at] + struct.pack("<HH2sH", 0x0027, 0x1010, b"FD", 6) + b"123456" + data[at:]


def _odd_private(data: bytes) -> bytes:
    """A private element of odd length right before the pixels' group."""
    at = data.index(b"\x28\x00\x02\x00US")
    return data[:at] + struct.pack("<HH2sH", 0x0027, 0x1010, b"LO", 5) + b"12345" + data[at:]


def _charsets() -> Iterator[Case]:
    kinds = {
        "Latin 1": ("ISO_IR 100", "Müller^Jürgen".encode("latin-1")),
        "Cyrillic": ("ISO_IR 144", "Иванов^Иван".encode("iso8859-5")),
        "Japanese": (["", "ISO 2022 IR 87"], b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
        "Korean": (["", "ISO 2022 IR 149"], b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7"),
        "Chinese": ("GB18030", "王^小东".encode("gb18030")),
        "unknown": ("KLINGON", b"Q\xfc\xff\xfe^X"),
        "absent but needed": (None, "Ångström^Ä".encode("latin-1")),
    }
    for name, (charset, raw) in kinds.items():
        yield encoded(f"character set: {name}", "Names and descriptions in it.", replace(CT, edit=_in(charset, raw)))


def _in(charset: Any, raw: bytes) -> Callable[[int, Dataset], None]:
    def edit(_: int, ds: Dataset) -> None:
        if charset is None:
            del ds.SpecificCharacterSet
        else:
            ds.SpecificCharacterSet = charset
        for keyword, vr in (("PatientName", "PN"), ("SeriesDescription", "LO")):
            tag = Tag(keyword)
            ds[tag] = DataElement(tag, "UN", raw + b" " * (len(raw) % 2))
            ds[tag].VR = vr

    return edit


# --- damaged and lying ----------------------------------------------------------------------------------------------


def _damaged() -> Iterator[Case]:
    def short(index: int, ds: Dataset) -> None:
        if index == 2:
            ds.PixelData = ds.PixelData[:-40]

    def long(index: int, ds: Dataset) -> None:
        if index == 2:
            ds.PixelData += bytes(40)

    def lost(index: int, ds: Dataset) -> None:
        if index == 2:
            del ds.PixelData

    def broken(index: int, ds: Dataset) -> None:
        if index == 2:
            (stream,) = list(generate_fragments(ds.PixelData))[1:]
            ds.PixelData = encapsulate([stream[: len(stream) // 2 & ~1]])

    cut, undecodable = "PIXELS_TRUNCATED", "PIXELS_UNDECODABLE"
    yield refused(encoded("pixel data too short", "Twenty pixels fewer.", replace(CT, edit=short)), cut)
    yield refused(encoded("pixel data missing", "In one slice.", replace(CT, edit=lost)), "PIXELS_MISSING")
    surplus = encoded("pixel data too long", "Twenty pixels more.", replace(CT, edit=long))
    yield replace(surplus, refusals=frozenset({"PIXELS_SURPLUS"}))
    yield refused(_one_cut("file cut within the pixels", CT), cut)
    for syntax in ("RLE", "JPEG lossless SV1", "JPEG-LS", "JPEG 2000 lossless", "HTJ2K lossless"):
        style = replace(CT, syntax=syntax)
        half = encoded(f"codestream cut in half, {syntax}", "In one slice.", replace(style, edit=broken))
        yield refused(half, cut, undecodable)
        yield refused(_one_cut(f"file cut within the pixels, {syntax}", style), cut, undecodable)


def _one_cut(name: str, style: Style) -> Case:
    def writer(folder: Path) -> None:
        path = write_series(BODY, AXIAL, folder, style=style)[2]
        path.write_bytes(path.read_bytes()[:-60])

    return Case(name, "encoding", "The copy stopped.", writer, (Truth(BODY, AXIAL),))


def _lying() -> Iterator[Case]:
    def rows(by: int) -> Callable[[int, Dataset], None]:
        def edit(_: int, ds: Dataset) -> None:
            ds.Rows = SHAPE[1] + by

        return edit

    def swapped(_: int, ds: Dataset) -> None:
        ds.Rows, ds.Columns = ds.Columns, ds.Rows

    cut, surplus, damaged = "PIXELS_TRUNCATED", "PIXELS_SURPLUS", "PIXELS_UNDECODABLE"
    yield refused(encoded("Rows larger than the pixels", "Two more.", replace(CT, edit=rows(2))), cut)
    yield refused(encoded("Rows smaller than the pixels", "Two fewer.", replace(CT, edit=rows(-2))), surplus)
    for syntax in ("RLE", "JPEG-LS", "JPEG 2000 lossless"):
        style = replace(CT, syntax=syntax)
        codes = (cut, surplus, damaged)
        yield refused(
            encoded(f"Rows smaller than the codestream, {syntax}", "Two fewer.", replace(style, edit=rows(-2))), *codes
        )
        yield refused(
            encoded(f"Rows larger than the codestream, {syntax}", "Two more.", replace(style, edit=rows(2))), *codes
        )
    turned = encoded(
        "Rows and Columns exchanged", "The codestream says otherwise.", replace(CT, syntax="JPEG-LS", edit=swapped)
    )
    yield refused(turned, cut, surplus, damaged)
