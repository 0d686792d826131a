"""Pixel cells to pixel data in any transfer syntax that can be written, by pydicom and imagecodecs; for tests."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.encaps import encapsulate

Array = npt.NDArray[Any]
Encoder = Callable[[Array, int], bytes]
"""(row, column[, sample]) cells and bits stored -> codestream."""

_SYNTAX = "1.2.840.10008.1.2"
SYNTAXES: MappingProxyType[str, str] = MappingProxyType(
    {
        "implicit": _SYNTAX,
        "explicit": _SYNTAX + ".1",
        "deflated": _SYNTAX + ".1.99",
        "big endian": _SYNTAX + ".2",
        "RLE": _SYNTAX + ".5",
        "JPEG lossless": _SYNTAX + ".4.57",
        "JPEG lossless SV1": _SYNTAX + ".4.70",
        "JPEG-LS": _SYNTAX + ".4.80",
        "JPEG-LS near-lossless": _SYNTAX + ".4.81",
        "JPEG 2000 lossless": _SYNTAX + ".4.90",
        "JPEG 2000": _SYNTAX + ".4.91",
        "HTJ2K lossless": _SYNTAX + ".4.201",
    }
)
"""Names of the transfer syntaxes that take any pixel cells of 8 or 16 bits."""
FURTHER_SYNTAXES: MappingProxyType[str, str] = MappingProxyType(
    {
        "JPEG baseline": _SYNTAX + ".4.50",
        "JPEG extended": _SYNTAX + ".4.51",
        "JPEG XL lossless": _SYNTAX + ".4.110",
        "HTJ2K lossless RPCL": _SYNTAX + ".4.202",
        "HTJ2K": _SYNTAX + ".4.203",
        "encapsulated uncompressed": _SYNTAX + ".1.98",
        "deflated frame": _SYNTAX + ".8.1",
    }
)
"""Names of those that are rare, or bound to 8 or 12 bits."""
UIDS: MappingProxyType[str, str] = MappingProxyType({**SYNTAXES, **FURTHER_SYNTAXES})
LOSSY = frozenset({"JPEG-LS near-lossless", "JPEG 2000", "JPEG baseline", "JPEG extended"})
"""Those that change values."""
NATIVE = frozenset({"implicit", "explicit", "deflated", "big endian"})
"""Those whose pixel data are not encapsulated."""


def put_pixels(ds: Dataset, frames: Array, syntax: str, bits_stored: int) -> None:
    """Set the pixel data of a data set, encoded.

    Parameters
    ----------
    ds
        Changed in place.
    frames
        (frame, row, column[, sample]) unsigned little-endian cells.
    syntax
        A key of :data:`UIDS`.
    bits_stored
        How many bits of a cell hold the value.
    """
    if syntax in NATIVE:
        content = (frames.byteswap() if syntax == "big endian" else frames).tobytes()
        ds.PixelData = content + b"\0" * (len(content) % 2)
    else:
        ds.PixelData = encapsulate([encode(frame, syntax, bits_stored) for frame in frames])
    ds["PixelData"].VR = "OW" if syntax in NATIVE and frames.dtype.itemsize > 1 else "OB"
    if syntax in LOSSY:
        ds.LossyImageCompression = "01"


def encode(cells: Array, syntax: str, bits_stored: int) -> bytes:
    """The codestream of one frame in an encapsulated transfer syntax."""
    content = _ENCODERS[syntax](cells, bits_stored)
    return content + b"\0" * (len(content) % 2)


def _by_imagecodecs(name: str, **options: Any) -> Encoder:
    def encode_frame(cells: Array, _: int) -> bytes:
        import imagecodecs

        return bytes(getattr(imagecodecs, name)(np.ascontiguousarray(cells), **options))

    return encode_frame


def _jpeg(**options: Any) -> Encoder:
    """JPEG of as many bits as the cells have; of 12 where they have 16."""

    def encode_frame(cells: Array, bits: int) -> bytes:
        import imagecodecs

        bits = 8 if cells.dtype.itemsize == 1 else options.get("bitspersample", bits)
        given = {**options, "bitspersample": bits}
        return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(cells), **given))

    return encode_frame


def _rle(cells: Array, _: int) -> bytes:
    """RLE (PS3.5 G): for each sample the bytes from the highest to the lowest; each row packed on its own."""
    import imagecodecs

    samples = cells if cells.ndim == 3 else cells[..., None]
    size = cells.dtype.itemsize
    planes = [
        np.ascontiguousarray((samples[..., sample] >> (8 * byte)) & 255).astype(np.uint8)
        for sample in range(samples.shape[-1])
        for byte in reversed(range(size))
    ]
    segments = [b"".join(imagecodecs.packbits_encode(row.tobytes()) for row in plane) for plane in planes]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    offsets = np.cumsum([64, *map(len, segments)])[:-1].tolist()
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


def _deflated(cells: Array, _: int) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(cells.tobytes()) + packer.flush()


_ENCODERS: dict[str, Encoder] = {
    "RLE": _rle,
    "JPEG lossless": _by_imagecodecs("ljpeg_encode", bitspersample=16),
    "JPEG lossless SV1": _jpeg(lossless=True, predictor=1, bitspersample=16),
    "JPEG-LS": _by_imagecodecs("jpegls_encode"),
    "JPEG-LS near-lossless": _by_imagecodecs("jpegls_encode", level=2),
    "JPEG 2000 lossless": _by_imagecodecs("jpeg2k_encode", codecformat="j2k", reversible=True, level=0),
    "JPEG 2000": _by_imagecodecs("jpeg2k_encode", codecformat="j2k", level=100),
    "HTJ2K lossless": _by_imagecodecs("htj2k_encode", reversible=True),
    "HTJ2K lossless RPCL": _by_imagecodecs("htj2k_encode", reversible=True),
    "HTJ2K": _by_imagecodecs("htj2k_encode", reversible=True),
    "JPEG baseline": _jpeg(level=100, subsampling="444"),
    "JPEG extended": _jpeg(level=100),
    "JPEG XL lossless": _by_imagecodecs("jpegxl_encode", lossless=True, usecontainer=False),
    "encapsulated uncompressed": lambda cells, _: cells.tobytes(),
    "deflated frame": _deflated,
}
