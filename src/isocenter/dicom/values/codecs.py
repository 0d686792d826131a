"""Codecs: one compressed frame to its pixel cells, for every transfer syntax that is read. Stored values only.

What a codestream states of itself is compared with the header before anything is decoded. The decoders are those of
imagecodecs (BSD), but for its decoders of whole RLE frames and of one lossless JPEG, which can crash on damaged bytes;
lossless JPEG of one component is decoded by :mod:`isocenter.dicom.values.lossless_jpeg`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.file.encapsulation import TruncatedError, UndecodableError, frames_of
from isocenter.dicom.values.codestreams import Codestream, read_codestream

if TYPE_CHECKING:
    from isocenter.dicom.frames.instance import PixelFormat

__all__ = [
    "DECODERS",
    "PrecisionDiffersError",
    "TruncatedError",
    "UndecodableError",
    "decode",
    "frames_of",
    "is_lossy",
    "is_mislabelled",
    "photometric_after",
]

Pixels = npt.NDArray[Any]
Bytes = Any
"""bytes or a memoryview of them: decoders take both."""

_RLE_HEADER_BYTES = 64
_RLE_PADDING_BYTES = 1
"""Behind the frame in a segment; more is damage."""


class PrecisionDiffersError(UndecodableError):
    """The codestream holds values that the bits and the sign that the header states cannot."""


def decode(frame: Bytes, syntax: str, form: PixelFormat) -> Pixels:
    """Decode one frame.

    Parameters
    ----------
    frame
        The codestream.
    syntax
        A key of :data:`DECODERS`.
    form
        What the header states.

    Returns
    -------
    (row, column) or (row, column, sample) pixel cells, C order, writable: unsigned, or signed where the codestream
    itself is. They are as wide as the codestream's precision asks for, which may be less or more than Bits Allocated.
    Only the lowest Bits Stored of a cell count, and of unsigned cells the highest of these is the sign where the
    header says that values are signed; so far cells are as in uncompressed pixel data, with High Bit at Bits Stored
    - 1. Of Bits Allocated 1 each cell is a byte, 0 or 1. :func:`photometric_after` says what the samples mean.

    Raises
    ------
    TruncatedError, UndecodableError, PrecisionDiffersError
    """
    try:
        cells = DECODERS[syntax](frame, form)
    except (RuntimeError, ValueError, TypeError, struct.error, zlib.error) as error:  # RuntimeErrors of imagecodecs
        raise UndecodableError("The decoder found the codestream damaged.") from error
    if cells.shape != form.shape or cells.dtype.kind not in "iu":
        raise UndecodableError("The decoder did not find the pixels that the header states.")
    return cells if cells.flags.writeable else cells.copy()


_OF_JPEG_2000 = ("YBR_RCT", "YBR_ICT")


def photometric_after(form: PixelFormat, syntax: str, frame: Bytes) -> str:
    """Photometric Interpretation of what :func:`decode` yields.

    Parameters
    ----------
    form
        What the header states.
    syntax
        A key of :data:`DECODERS`.
    frame
        The codestream.

    Returns
    -------
    ``"RGB"`` of JPEG in colour, whose transform the decoder undoes, and of JPEG 2000 in colour, unless the header says
    YBR_FULL and the codestream knows of no transform. Of all else as the header says; full where that is subsampled.

    Raises
    ------
    TruncatedError, UndecodableError
        As :func:`decode`.
    """
    if form.samples != 3:
        return form.photometric
    stated = None if syntax in _RAW else _stated(frame, form)
    kind = stated.kind if stated is not None else ""
    if form.photometric in _OF_JPEG_2000 and kind not in ("JPEG", "JPEG 2000"):
        raise UndecodableError(f"{form.photometric} is a transform of JPEG 2000, and the pixels are not in that.")
    if stated is None:
        return form.photometric
    if kind == "JPEG" or form.photometric in _OF_JPEG_2000:
        return "RGB"
    if stated.colour == "RGB" and form.photometric != "RGB":
        raise UndecodableError("Header and codestream disagree on the colours of the samples.")
    return "YBR_FULL" if form.photometric.startswith("YBR") else form.photometric


def is_lossy(frame: Bytes, syntax: str) -> bool:
    """Whether a codestream says that something was lost, be it said by the header or not.

    Raises
    ------
    TruncatedError, UndecodableError
        If the codestream does not state what it is.
    """
    return syntax not in _RAW and read_codestream(frame).is_lossy


def is_mislabelled(frame: Bytes, syntax: str, form: PixelFormat) -> bool:
    """Whether a codestream is of another kind than the header says; it is decoded as what it is.

    Raises
    ------
    TruncatedError, UndecodableError
        If the codestream does not state what it is.
    """
    if syntax in _RAW:
        return False
    stated = read_codestream(frame)
    is_too_deep = syntax == _BASELINE and stated.precision > 8
    is_of_jpeg_2000 = form.photometric in ("YBR_RCT", "YBR_ICT")
    return stated.kind != _KINDS[syntax] or is_too_deep or (is_of_jpeg_2000 and stated.kind != "JPEG 2000")


# --- codestreams that state what they hold ---------------------------------------------------------------------------


def _stated(frame: Bytes, form: PixelFormat) -> Codestream:
    """What a codestream states, if that is what the header does."""
    stated = read_codestream(frame)
    found, expected = (stated.rows, stated.columns, stated.samples), (form.rows, form.columns, form.samples)
    if found != expected:
        raise UndecodableError(
            f"The codestream holds {found[0]} x {found[1]} pixels of {found[2]} samples; "
            f"the header says {expected[0]} x {expected[1]} of {expected[2]}."
        )
    return stated


def _by_content(frame: Bytes, form: PixelFormat) -> Pixels:
    """A JPEG, JPEG-LS or JPEG 2000 codestream, by what it says that it is."""
    import imagecodecs

    stated = _stated(frame, form)
    match stated.kind:
        case "JPEG":
            cells = imagecodecs.jpeg8_decode(frame, colorspace=_jpeg_colour(stated, form), outcolorspace=_out(form))
        case "JPEG lossless":
            cells = _lossless_jpeg(frame, stated)
        case "JPEG-LS":
            cells = imagecodecs.jpegls_decode(frame)
        case "JPEG 2000":  # of high throughput too: the binding of OpenJPH is faster, but can hang on damaged headers
            cells = imagecodecs.jpeg2k_decode(frame)
    _check_precision(cells, stated, form)
    return np.asarray(cells)


def _lossless_jpeg(frame: Bytes, stated: Codestream) -> Pixels:
    """By our own decoder where it can, for it notices damage; numba is loaded for it alone."""
    import imagecodecs

    from isocenter.dicom.values import lossless_jpeg

    cells = lossless_jpeg.decode(frame, stated)
    if cells is None:
        space = {1: "GRAYSCALE", 3: "RGB"}.get(stated.samples)
        cells = np.asarray(imagecodecs.jpeg8_decode(frame, colorspace=space, outcolorspace=space))
    return cells


def _jpeg_colour(stated: Codestream, form: PixelFormat) -> str | None:
    """The colours of a JPEG's components: as it says itself, else as the header does."""
    if form.samples != 3:
        return _out(form)
    is_rgb = stated.colour == "RGB" or (not stated.colour and form.photometric == "RGB")
    return "RGB" if is_rgb else "YCBCR"


def _out(form: PixelFormat) -> str | None:
    return {1: "GRAYSCALE", 3: "RGB"}.get(form.samples)


def _check_precision(cells: Pixels, stated: Codestream, form: PixelFormat) -> None:
    """Refuse values that the header's bits cannot hold, where the codestream's precision and sign are others.

    Unsigned samples of Bits Stored are let pass, for they may be the two's complement of signed values; and so are
    whole cells without loss, whose further bits are what they are in uncompressed pixel data, and judged with these.
    """
    bits, is_signed = form.bits_stored, form.is_signed
    if stated.precision == bits and stated.is_signed in (False, is_signed):
        return
    if stated.precision == form.bits_allocated and not stated.is_signed and not stated.is_lossy:
        return
    lowest, highest = int(cells.min()), int(cells.max())
    if highest >= 1 << stated.precision:
        raise UndecodableError("The codestream holds values that its own precision cannot.")
    top = (1 << (bits - 1 if is_signed else bits)) - 1
    if is_signed and not stated.is_signed and stated.precision < bits:
        top = (1 << (stated.precision - 1)) - 1  # a higher value may be a negative one, or may not
    if lowest < (-(1 << (bits - 1)) if is_signed else 0) or highest > top:
        raise PrecisionDiffersError(
            f"The codestream holds {'signed' if stated.is_signed else 'unsigned'} values of {stated.precision} bits "
            f"which {'signed' if is_signed else 'unsigned'} values of {bits} bits, as the header states, cannot be."
        )


# --- RLE and frames that are stored as they are ----------------------------------------------------------------------


def _rle(frame: Bytes, form: PixelFormat) -> Pixels:
    """RLE (PS3.5 G): one segment per byte of a pixel cell, the highest byte of the first sample first."""
    import imagecodecs

    width = max(form.bits_allocated // 8, 1)
    count, size = width * form.samples, _frame_bytes(form) // (width * form.samples)
    if len(frame) < _RLE_HEADER_BYTES:
        raise TruncatedError("The RLE data have no header.")
    stated, *offsets = struct.unpack_from(f"<{1 + min(count, 15)}I", frame)
    ends = [*offsets[1:], len(frame)]
    if stated != count or offsets[0] < _RLE_HEADER_BYTES or any(a >= b for a, b in zip(offsets, ends, strict=True)):
        raise UndecodableError("The RLE data do not have one segment per byte of a pixel.")
    planes = []
    for start, end in zip(offsets, ends, strict=True):
        segment = imagecodecs.packbits_decode(frame[start:end], out=size + _RLE_PADDING_BYTES)
        if len(segment) < size:
            raise TruncatedError("The RLE data are too short for the frame.")
        planes.append(np.frombuffer(segment, np.uint8, size))
    if form.bits_allocated == 1:
        return _unpacked(planes[0], form)
    if form.samples == 1:
        return _composed(planes).reshape(form.shape)
    cells = np.empty((form.rows * form.columns, form.samples), f"<u{width}")
    for sample in range(form.samples):
        cells[:, sample] = _composed(planes[sample * width : (sample + 1) * width])
    return cells.reshape(form.shape)


def _composed(planes: list[Pixels]) -> Pixels:
    """Whole cells of their bytes, the highest first."""
    cells = planes[0].astype(f"<u{len(planes)}")
    for plane in planes[1:]:
        cells <<= 8
        cells |= plane
    return cells


def _inflated(frame: Bytes, form: PixelFormat) -> Pixels:
    """A deflated frame (PS3.5 A.4.13): inflated no further than the header's size."""
    return _stored(zlib.decompressobj(-zlib.MAX_WBITS).decompress(frame, _frame_bytes(form)), form)


def _stored(frame: Bytes, form: PixelFormat) -> Pixels:
    """A frame that is not compressed; its samples, if it has several, are told apart by the module on colours."""
    size = _frame_bytes(form)
    if len(frame) < size:
        raise TruncatedError("The frame ends before the last pixel.")
    if form.bits_allocated == 1:
        return _unpacked(np.frombuffer(frame, np.uint8, size), form)
    return np.frombuffer(frame, f"<u{form.bits_allocated // 8}", size * 8 // form.bits_allocated).reshape(form.shape)


def _frame_bytes(form: PixelFormat) -> int:
    return -(-form.rows * form.columns * form.samples * form.bits_allocated // 8)


def _unpacked(packed: Pixels, form: PixelFormat) -> Pixels:
    """Bytes of 0 and 1 of eight pixels in a byte, the lowest bit first (PS3.5 8.2)."""
    return np.unpackbits(packed, count=form.rows * form.columns, bitorder="little").reshape(form.rows, form.columns)


_SYNTAX = "1.2.840.10008.1.2."
_RAW = MappingProxyType({_SYNTAX + "1.98": _stored, _SYNTAX + "8.1": _inflated, _SYNTAX + "5": _rle})
_BASELINE = _SYNTAX + "4.50"
_KINDS = {
    f"{_SYNTAX}4.{end}": kind
    for kind, ends in {
        "JPEG": ("50", "51", "53", "55"),
        "JPEG lossless": ("57", "70"),
        "JPEG-LS": ("80", "81"),
        "JPEG 2000": ("90", "91", "201", "202", "203"),
    }.items()
    for end in ends
}

DECODERS: MappingProxyType[str, Callable[[Bytes, PixelFormat], Pixels]] = MappingProxyType(
    {**_RAW, **dict.fromkeys(_KINDS, _by_content)}
)
"""Transfer Syntax UID -> (codestream, what the header states) -> pixel cells as of :func:`decode`."""
