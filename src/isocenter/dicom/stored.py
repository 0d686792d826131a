"""Stored: the pictures of an instance as they are stored, out of its file: cells by frame number, not yet values."""

from __future__ import annotations

import hashlib
import zlib
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom import codecs
from isocenter.dicom.deflated import inflate
from isocenter.dicom.elements import DEFLATED, EXPLICIT_BIG, UNCOMPRESSED
from isocenter.dicom.files import DiskBytes, MemberBytes, MemoryBytes, Opener
from isocenter.dicom.instance import Instance
from isocenter.dicom.support import frame_bytes
from isocenter.dicom.walk import PREAMBLE_BYTES, read_meta

Pixels = npt.NDArray[Any]
_File = DiskBytes | MemberBytes | MemoryBytes
_HASHED_BYTES = 1 << 20


class ChangedError(Exception):
    """A file is not the one whose header was read."""


class Stored:
    """The stored pictures of an instance, for several threads: the first opens the file, the last lets go of it.

    Parameters
    ----------
    instance
        The instance.
    opener
        Opens its file.
    uses
        How many times :meth:`picture` will be called.
    wants_digest
        Whether the SHA-256 of the file is taken beside.
    """

    def __init__(self, instance: Instance, opener: Opener, uses: int, *, wants_digest: bool) -> None:
        self.instance = instance
        self.digest = ""
        self._opener = opener
        self._left = uses
        self._wants_digest = wants_digest
        self._lock = Lock()
        self._source: DiskBytes | MemberBytes | None = None
        self._file: _File | None = None
        self._streams: list[bytes] = []

    def picture(self, number: int, out: Pixels) -> Pixels:
        """Cells of a stored picture.

        Parameters
        ----------
        number
            Frame number, from 1.
        out
            Array whose memory is used where the cells fit.

        Returns
        -------
        (row, column[, sample]) of integers as wide as Bits Allocated or the codestream says; see
        :func:`isocenter.dicom.codecs.decode`.

        Raises
        ------
        ChangedError
            If the file is not the one whose header was read.
        OSError and others of MEMBER_FAULTS
            If it cannot be read.
        TruncatedError, UndecodableError
            If the pixel data are damaged.
        """
        try:
            with self._lock:
                if self._file is None:
                    self._file = self._opened()
            if self.instance.transfer_syntax in UNCOMPRESSED:
                return self._uncompressed(self._file, number, out)
            return self._decoded(number)
        finally:
            self._let_go()

    def _opened(self) -> _File:
        instance = self.instance
        if instance.pixels is None:
            raise codecs.TruncatedError("There are no pixel data.")
        self._source = source = self._opener.open(instance.file)
        if not instance.is_unchanged(source):
            raise ChangedError
        file: _File = source
        if isinstance(source, MemberBytes):
            source.at(source.size, 0)  # a member is held against its checksum once it is read to its end
        if self._wants_digest:
            file = self._hashed(source)
        if instance.transfer_syntax == DEFLATED:
            file = _inflated(file, instance.pixels.offset + frame_bytes(instance) * instance.format.frames)
        elif instance.transfer_syntax not in UNCOMPRESSED:
            self._streams = [codecs.frame_of(file.at(instance.pixels.offset, file.size))]
        return file

    def _hashed(self, source: DiskBytes | MemberBytes) -> _File:
        """Take the digest; a single picture is then read from the same bytes, a large file piece by piece again."""
        if self._left == 1 or isinstance(source, MemberBytes):
            content = source.at(0, source.size)
            self.digest = hashlib.sha256(content).hexdigest()
            return MemoryBytes(content)
        digest = hashlib.sha256()
        for place in range(0, source.size, _HASHED_BYTES):
            digest.update(source.at(place, _HASHED_BYTES))
        self.digest = digest.hexdigest()
        return source

    def _let_go(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left > 0:
                return
            self._file, self._streams = None, []
            if self._source is not None:
                self._source.close()

    def _uncompressed(self, file: _File, number: int, out: Pixels) -> Pixels:
        instance = self.instance
        assert instance.pixels is not None  # noqa: S101 - asked on opening
        dtype = np.dtype(f"u{instance.format.bits_allocated // 8}")
        shape = instance.format.rows, instance.format.columns
        fits = out.dtype.itemsize == dtype.itemsize and out.shape == shape
        cells = out.view(dtype) if fits else np.empty(shape, dtype)
        target = memoryview(cells.data).cast("B")
        offset = instance.pixels.offset + (number - 1) * frame_bytes(instance)
        if isinstance(file, DiskBytes):
            got = file.into(target, offset)
        else:
            found = file.at(offset, len(target))
            got = len(found)
            target[:got] = found
        if got < len(target):
            raise codecs.TruncatedError("The pixel data end before the last pixel.")
        if instance.transfer_syntax == EXPLICIT_BIG:
            cells.byteswap(inplace=True)
        return cells

    def _decoded(self, number: int) -> Pixels:
        form = self.instance.format
        shape = form.rows, form.columns
        decoded = codecs.decode(self._streams[number - 1], self.instance.transfer_syntax, shape, form.bits_allocated)
        return _widened(decoded, form.bits_allocated)


def _inflated(file: _File, count: int) -> MemoryBytes:
    content = file.at(0, file.size)
    _, start = read_meta(content, PREAMBLE_BYTES, {})
    try:
        return MemoryBytes(inflate(content[start:], count))
    except zlib.error as error:
        raise codecs.UndecodableError("The deflated data set is damaged.") from error


def _widened(decoded: Pixels, bits_allocated: int) -> Pixels:
    """Decoded pixels in cells of at least the size that the header states."""
    kind, size = decoded.dtype.kind, max(decoded.dtype.itemsize, bits_allocated // 8)
    widened = np.ascontiguousarray(decoded, dtype=f"{kind}{size}")
    return widened if widened.flags.writeable else widened.copy()
