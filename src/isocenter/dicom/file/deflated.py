"""Deflated data sets (Deflated Explicit VR Little Endian, PS3.5 A.5): inflated only as far as is needed."""

from __future__ import annotations

import zlib

_CHUNK_BYTES = 1 << 20
_MOST_CHUNKS = 64


def inflate(deflated: bytes, count: int) -> bytes:
    """The first bytes of a deflated data set.

    Parameters
    ----------
    deflated
        The file from the end of its meta header on.
    count
        How many bytes to inflate at most; fewer come only where the data set ends.

    Raises
    ------
    zlib.error
        If the data are damaged.
    """
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(deflated, count)


def inflate_whole(deflated: bytes, count: int) -> bytes:
    """As :func:`inflate`, of a data set that has to end well: what follows is looked at piece by piece, and let go.

    Raises
    ------
    zlib.error
        If the data are damaged or cut, or far more follows.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    first = stream.decompress(deflated, count)
    for _ in range(_MOST_CHUNKS):
        if stream.eof:
            return first
        more = stream.decompress(stream.unconsumed_tail, _CHUNK_BYTES)
        if not more and not stream.eof:
            break
    raise zlib.error("The data set has no end.")
