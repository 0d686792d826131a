"""Bounded: bytes for pydicom that give up in the end, so that no damaged header holds it up or fills the memory."""

from __future__ import annotations

import io


class BoundedBytes(io.BytesIO):
    """Bytes that can be read so often and no more.

    pydicom reads once or more for each element and item, and makes an object of most: a limit of reads is one of time
    and of memory too.

    Parameters
    ----------
    content
        The bytes.
    most_reads
        How often they can be read.
    """

    def __init__(self, content: bytes, most_reads: int) -> None:
        super().__init__(content)
        self._left = most_reads

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on.

        Raises
        ------
        ValueError
            If that was tried too often.
        """
        self._left -= 1
        if self._left < 0:
            raise ValueError("The header has far more elements than any has.")
        return super().read(size)
