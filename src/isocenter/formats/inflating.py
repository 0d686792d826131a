"""Reading gzip and zlib streams at once: by libdeflate, twice as fast as zlib; by zlib what that does not take."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

from isocenter.errors import InputError

_GZIP_MAGIC = b"\x1f\x8b"
_MOST = 1032  # times; deflate shrinks nothing further than this


def is_gzip(content: bytes) -> bool:
    """Whether bytes begin as a gzip file does."""
    return content[:2] == _GZIP_MAGIC


def gunzipped(content: bytes) -> bytes:
    """What a gzip file of one or more members holds.

    Raises
    ------
    InputError
        If it is damaged or cut short.
    """
    whole = _by_libdeflate(content)
    if whole is not None:
        return whole
    return _told(lambda: b"".join(_members(content)))


def unzlibbed(content: bytes, size: int) -> bytes:
    """What a zlib stream holds: so many bytes, or fewer if it ends early.

    Raises
    ------
    InputError
        If it is damaged or cut short.
    """
    import imagecodecs

    if size > _MOST * len(content):
        raise InputError("The compressed file is cut short: so few bytes do not hold what its header says.")
    try:
        whole = bytes(imagecodecs.deflate_decode(content, out=size))
    except imagecodecs.DeflateError:
        return _told(lambda: _stream(content))
    return whole


def _by_libdeflate(content: bytes) -> bytes | None:
    """What a gzip file of one member holds; None if it is anything else, or larger than 4 GiB."""
    import imagecodecs

    check, length = struct.unpack("<II", content[-8:]) if len(content) > 18 else (0, 0)
    if not length or length > _MOST * len(content):
        return None
    try:
        whole = bytes(imagecodecs.gzip_decode(content, out=length))
    except imagecodecs.GzipError:
        return None
    # of several members it gives the first alone, to which the trailer of the last does not fit
    return whole if len(whole) == length and imagecodecs.deflate_crc32(whole) == check else None


def _members(content: bytes) -> Iterator[bytes]:
    while content:
        engine = zlib.decompressobj(31)
        yield engine.decompress(content)
        if not engine.eof:
            raise InputError("The compressed file is cut short: its gzip data end early.")
        content = engine.unused_data.lstrip(b"\0")


def _stream(content: bytes) -> bytes:
    engine = zlib.decompressobj()
    whole = engine.decompress(content)
    if not engine.eof:
        raise InputError("The compressed file is cut short: its zlib data end early.")
    return whole


def _told(inflate: Callable[[], bytes]) -> bytes:
    try:
        return inflate()
    except zlib.error as error:
        raise InputError("The compressed file is damaged: its gzip or zlib data cannot be read.") from error
