"""Deflated data sets (Deflated Explicit VR Little Endian, PS3.5 A.5): inflated only as far as is needed."""

from __future__ import annotations

import zlib


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
