"""Object pixels: the frames of an object in memory as they are stored: bits, bytes or words, compressed or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.annotations.objects import OpenObject
from isocenter.dicom.file.elements import UNCOMPRESSED
from isocenter.dicom.file.encapsulation import TruncatedError, UndecodableError, frames_of
from isocenter.dicom.values import codecs
from isocenter.errors import Refused
from isocenter.reasons import Reason

Cells = npt.NDArray[Any]
_OFFSETS, _LENGTHS = 0x7FE00001, 0x7FE00002


def cells_of(opened: OpenObject) -> Callable[[int], Cells]:
    """How to have the frames of an object: a function from the place of a frame, from 0, to its cells.

    Returns
    -------
    (row, column) unsigned integers; 0 and 1 where a pixel has one bit.

    Raises
    ------
    Refused
        If there are fewer pixel data than the header says, or of a kind that is not read; as the function does if a
        frame cannot be decoded, or was compressed with loss: bits and labels bear none.
    """
    form = opened.instance.format
    if form.bits_allocated not in (1, 8, 16) or form.samples != 1 or form.is_signed:
        raise _refused("UNSUPPORTED", "Only frames of unsigned cells of 1, 8 or 16 bits are read.")
    if opened.header.transfer_syntax in UNCOMPRESSED:
        return _uncompressed(opened)
    if opened.header.transfer_syntax not in codecs.DECODERS:
        raise _refused("UNSUPPORTED", "Frames in this transfer syntax are not read.")
    return _compressed(opened)


def _uncompressed(opened: OpenObject) -> Callable[[int], Cells]:
    form, pixels = opened.instance.format, opened.pixels()
    bits = form.rows * form.columns * form.bits_allocated
    if len(pixels) * 8 < bits * form.frames:
        raise _refused("PIXELS_TRUNCATED", "The pixel data end before the last frame.")

    def cells(index: int) -> Cells:
        first = index * bits
        if form.bits_allocated > 1:
            count = form.rows * form.columns
            return np.frombuffer(pixels, f"<u{form.bits_allocated // 8}", count, first // 8).reshape(
                form.rows, form.columns
            )
        packed = np.frombuffer(pixels, np.uint8)[first // 8 : -(-(first + bits) // 8)]
        return np.unpackbits(packed, bitorder="little")[first % 8 :][:bits].reshape(form.rows, form.columns)

    return cells


def _compressed(opened: OpenObject) -> Callable[[int], Cells]:
    form, syntax = opened.instance.format, opened.header.transfer_syntax
    tables = opened.take({_OFFSETS: None, _LENGTHS: None})
    try:
        streams = frames_of(
            opened.pixels(), form.frames, offsets=tables.get(_OFFSETS, b""), lengths=tables.get(_LENGTHS, b"")
        )
    except (TruncatedError, UndecodableError) as error:
        raise _damaged(error) from error

    def cells(index: int) -> Cells:
        try:
            is_changed = codecs.is_lossy(streams[index], syntax)
            found = codecs.decode(streams[index], syntax, form)
        except (TruncatedError, UndecodableError) as error:
            raise _damaged(error) from error
        if is_changed:
            message = "A frame was compressed with loss: its bits or labels are not what they were."
            raise _refused("PIXELS_UNDECODABLE", message)
        return found

    return cells


def _damaged(error: Exception) -> Refused:
    code = "PIXELS_TRUNCATED" if isinstance(error, TruncatedError) else "PIXELS_UNDECODABLE"
    return _refused(code, str(error))


def _refused(code: str, message: str) -> Refused:
    return Refused([Reason(code, message)])
