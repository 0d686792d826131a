"""Stored: the pictures of an instance as they are stored, out of its file: cells by frame number, not yet values."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import replace
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.file.deflated import inflate_whole
from isocenter.dicom.file.elements import DEFLATED, EXPLICIT_BIG, UNCOMPRESSED
from isocenter.dicom.file.files import DiskBytes, MemberBytes, MemoryBytes, Opener
from isocenter.dicom.file.walk import PREAMBLE_BYTES, read_meta
from isocenter.dicom.frames.instance import HALVED, Instance, PixelFormat
from isocenter.dicom.values import codecs, colour
from isocenter.dicom.values.realize import unpack

Pixels = npt.NDArray[Any]
_File = DiskBytes | MemberBytes | MemoryBytes
_HASHED_BYTES = 1 << 20
_DIVIDED = frozenset({"1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"})
"""Transfer syntaxes of frames that are encapsulated as they are stored, so that planes may lie apart."""
_FLOATS = {0x7FE00008: np.float32, 0x7FE00009: np.float64}


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
        self.is_lossy = self.is_mislabelled = False
        self._opener = opener
        self._left = uses
        self._wants_digest = wants_digest
        self._lock = Lock()
        self._source: DiskBytes | MemberBytes | None = None
        self._file: _File | None = None
        self._streams: list[bytes | memoryview] = []

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
        (row, column) of integers as wide as Bits Allocated or the codestream says (see
        :func:`isocenter.dicom.values.codecs.decode`), or of floats; of colour (row, column, 3) red, green and blue.

        Raises
        ------
        ChangedError
            If the file is not the one whose header was read.
        OSError and others of MEMBER_FAULTS
            If it cannot be read.
        TruncatedError, UndecodableError, StrayBitsError
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
            file = _inflated(file, instance.pixels.offset + instance.format.pixel_bytes)
        elif instance.transfer_syntax not in UNCOMPRESSED:
            value = file.at(instance.pixels.offset, file.size)
            self._streams = list(codecs.frames_of(value, instance.format.frames))
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
        form, pixels = instance.format, instance.pixels
        assert pixels is not None  # noqa: S101 - asked on opening
        first_bit = (number - 1) * form.frame_bits
        offset = pixels.offset + first_bit // 8
        if form.bits_allocated == 1:
            count = (first_bit % 8 + form.frame_bits + 7) // 8
            packed = self._filled(file, offset, np.empty(count, np.uint8))
            bits = np.unpackbits(packed, bitorder="little")
            return bits[first_bit % 8 :][: form.frame_bits].reshape(form.rows, form.columns)
        dtype = np.dtype(f"u{form.bits_allocated // 8}")
        is_apart = form.samples > 1 and (form.is_planar or form.photometric in HALVED)
        shape = (form.frame_bits // form.bits_allocated,) if is_apart else form.shape
        fits = out.dtype.itemsize == dtype.itemsize and out.shape == shape
        cells = self._filled(file, offset, out.view(dtype) if fits else np.empty(shape, dtype))
        if pixels.tag in _FLOATS:
            return cells.view(_FLOATS[pixels.tag])
        if form.photometric in HALVED and form.samples > 1:
            cells = colour.from_halved(cells, (form.rows, form.columns))
        elif is_apart:
            cells = colour.from_planes(cells, (form.rows, form.columns))
        return _as_rgb(cells, form, form.photometric)

    def _filled(self, file: _File, offset: int, cells: Pixels) -> Pixels:
        """Cells from the file, in the byte order of this machine."""
        target = memoryview(cells.data).cast("B")
        if isinstance(file, DiskBytes):
            got = file.into(target, offset)
        else:
            found = file.at(offset, len(target))
            got = len(found)
            target[:got] = found
        if got < len(target):
            raise codecs.TruncatedError("The pixel data end before the last pixel.")
        if self.instance.transfer_syntax != EXPLICIT_BIG:
            return cells
        if cells.dtype.itemsize > 1:
            return cells.byteswap(inplace=True)
        return self._unswapped(file, offset, cells)

    def _unswapped(self, file: _File, offset: int, cells: Pixels) -> Pixels:
        """Bytes of big endian data: those of words (OW) are swapped two by two (PS3.5 8.1.1)."""
        pixels = self.instance.pixels
        assert pixels is not None  # noqa: S101 - asked on opening
        if file.at(pixels.offset - 8, 2) != b"OW":
            return cells
        start = (offset - pixels.offset) % 2
        count = cells.size + start
        words = np.frombuffer(file.at(offset - start, count + count % 2), ">u2")
        if 2 * len(words) < count:
            raise codecs.TruncatedError("The pixel data end before the last pixel.")
        return words.astype("<u2").view(np.uint8)[start : start + cells.size].reshape(cells.shape)

    def _decoded(self, number: int) -> Pixels:
        form, syntax = self.instance.format, self.instance.transfer_syntax
        stream = self._streams[number - 1]
        photometric = codecs.photometric_after(form, syntax, stream)
        self.is_lossy |= codecs.is_lossy(stream, syntax)
        self.is_mislabelled |= codecs.is_mislabelled(stream, syntax, form)
        cells = _widened(codecs.decode(stream, syntax, form), form.bits_allocated)
        if syntax in _DIVIDED and form.is_planar:
            cells = colour.from_planes(cells, (form.rows, form.columns))
        return _as_rgb(cells, replace(form, high_bit=form.bits_stored - 1), photometric)


def _inflated(file: _File, count: int) -> MemoryBytes:
    content = file.at(0, file.size)
    _, start = read_meta(content, PREAMBLE_BYTES, {})
    try:
        return MemoryBytes(inflate_whole(content[start:], count))
    except zlib.error as error:
        raise codecs.UndecodableError("The deflated data set is damaged.") from error


def _as_rgb(cells: Pixels, form: PixelFormat, photometric: str) -> Pixels:
    """Samples of a colour picture as red, green and blue; the cells of others as they are."""
    if form.samples == 1:
        return cells
    if form.bits_stored < form.bits_allocated:
        cells, *_ = unpack(cells, form, stray_bits="refuse")
    return colour.to_rgb(cells, photometric, form.bits_stored)


def _widened(decoded: Pixels, bits_allocated: int) -> Pixels:
    """Decoded pixels in cells of at least the size that the header states."""
    kind, size = decoded.dtype.kind, max(decoded.dtype.itemsize, bits_allocated // 8)
    widened = np.ascontiguousarray(decoded, dtype=f"{kind}{size}")
    return widened if widened.flags.writeable else widened.copy()
