"""Values: stored pixel values to real ones, frame by frame: masking, sign, line or table, padding. Arrays only.

What the values mean is told by :mod:`isocenter.dicom.values.meaning`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from isocenter.dicom.frames.instance import PixelFormat
from isocenter.dicom.values.meaning import AIR_HU, Meaning

Pixels = npt.NDArray[Any]


class SignUnknownError(Exception):
    """The header does not say whether values have a sign, and read with one they are others."""


class StrayBitsError(Exception):
    """Pixel cells hold something outside their stored bits, and no overlay explains it."""


class Unpacked(NamedTuple):
    """Stored values.

    Parameters
    ----------
    values
        View of the cells, signed or unsigned as the values are.
    lowest, highest
        Of the values.
    strays
        Cells that held something else, which was dropped and which no overlay explains.
    """

    values: Pixels
    lowest: int
    highest: int
    strays: int = 0


def unpack(raw: Pixels, form: PixelFormat, *, stray_bits: Literal["refuse", "drop"]) -> Unpacked:
    """Stored values out of pixel cells: the stored bits alone, with their sign.

    Parameters
    ----------
    raw
        Cells of 8, 16 or 32 bits; changed in place where they hold more than the value (overlays, missing sign bits).
    form
        Which bits hold the value.
    stray_bits
        What to do where other bits hold something that no overlay explains. Some MR scanners leave such bits where a
        value overflowed; where a quantity was measured they are a sign that the header lies.

    Raises
    ------
    StrayBitsError
        If such bits are to be refused and are there.
    SignUnknownError
        If Pixel Representation is missing and the highest bit of a value is set.
    """
    size = raw.dtype.itemsize
    cells, values = raw.view(f"u{size}"), raw.view(f"i{size}" if form.is_signed else f"u{size}")
    shift, strays = form.high_bit + 1 - form.bits_stored, 0
    if shift > 0:
        strays += _strays(cells & ((1 << shift) - 1), 0, form, stray_bits)
        cells >>= shift
    lowest, highest = int(values.min()), int(values.max())
    spare = 8 * size - form.bits_stored
    floor = -(1 << (form.bits_stored - 1)) if form.is_signed else 0
    if spare > 0 and not floor <= lowest <= highest < floor + (1 << form.bits_stored):
        sign = (1 << (spare - shift)) - 1 if form.is_signed else 0
        strays += _strays(cells >> form.bits_stored, sign, form, stray_bits)
        cells <<= spare
        values >>= spare  # of signed values an arithmetic shift: it brings the sign down
        lowest, highest = int(values.min()), int(values.max())
    if highest >> (form.bits_stored - 1) and "Pixel Representation" in form.guessed:
        raise SignUnknownError("Pixel Representation is missing, and the highest bit of some values is set.")
    return Unpacked(values, lowest, highest, strays)


def _strays(bits: Pixels, sign: int, form: PixelFormat, stray_bits: Literal["refuse", "drop"]) -> int:
    """How many cells hold something outside their stored bits that is neither an overlay nor their sign."""
    if form.has_overlay:
        return 0
    if stray_bits == "refuse" and bits.any():
        raise StrayBitsError("Pixel cells hold something outside their stored bits, and no overlay is stated.")
    return int(np.count_nonzero((bits != 0) & (bits != sign)))


class DoesNotFitError(Exception):
    """A real value cannot be held exactly, or at all, by the type that was tried."""


class Holder(NamedTuple):
    """A type of voxels, and between what bounds it holds the real values rightly."""

    dtype: np.dtype[Any]
    lowest: float = -math.inf
    highest: float = math.inf


_WHOLE = (
    Holder(np.dtype(np.int16), -(2**15), 2**15 - 1),
    Holder(np.dtype(np.float32), -(2**24), 2**24),
    Holder(np.dtype(np.int32), -(2**31), 2**31 - 1),
    Holder(np.dtype(np.float64)),
)


def holders(meanings: Iterable[Meaning], *, stored: Literal["integer", "float", "double"]) -> tuple[Holder, ...]:
    """The types that may hold the real values of frames: the first in which all of them fit is the one.

    Whole numbers are kept exactly: in int16 where they fit, else in float32, else in int32, else in float64. Others
    are float32, and float64 where they are stored so.
    """
    if stored == "double":
        return (Holder(np.dtype(np.float64)),)
    if stored == "integer" and all(meaning.is_whole for meaning in meanings):
        return _WHOLE
    return (Holder(np.dtype(np.float32)),)


class Outcome(NamedTuple):
    """What was met in a frame: numbers of pixels.

    Parameters
    ----------
    emptied
        Set to what stands for nothing measured.
    padded
        Left as they are although they are padding.
    unmapped
        Beyond what the real-world value map is for.
    strays
        Of which something outside the stored bits was dropped.
    """

    emptied: int = 0
    padded: int = 0
    unmapped: int = 0
    strays: int = 0


def realize(cells: Pixels, form: PixelFormat, meaning: Meaning, out: Pixels, holder: Holder) -> Outcome:
    """Turn pixel cells into real values.

    Parameters
    ----------
    cells
        (row, column) of integers or floats, or (row, column, 3) of red, green and blue; may be the memory of ``out``.
    form
        Which bits of integers hold the value.
    meaning
        What the values stand for.
    out
        (row, column[, 3]) of the type of ``holder``; filled.
    holder
        One of :func:`holders`.

    Raises
    ------
    DoesNotFitError
        If the next holder is to be tried.
    StrayBitsError
        If cells of Hounsfield or other units hold something outside their stored bits.
    """
    if out.ndim == 3:
        if meaning.table is None:
            out[...] = cells
            return Outcome()
        stored, _, _, strays = unpack(cells, form, stray_bits="drop")
        out[...] = meaning.table.of(stored)
        return Outcome(strays=strays)
    if cells.dtype.kind == "f":
        return _realize_floats(cells, meaning, out)
    is_measured = meaning.is_hu or meaning.unit is not None
    stored, lowest, highest, strays = unpack(cells, form, stray_bits="refuse" if is_measured else "drop")
    unmapped = _count_beyond(stored, (lowest, highest), meaning.limits)
    padding = _padding(stored, meaning)
    line = meaning.slope, meaning.intercept
    if meaning.table is not None:
        stored, line = meaning.table.of(stored), (1.0, 0.0)
        lowest, highest = stored.min(), stored.max()
    low, high = sorted((lowest * line[0] + line[1], highest * line[0] + line[1]))
    if not holder.lowest <= low <= high <= holder.highest:
        raise DoesNotFitError
    _place(stored, line, out)
    return Outcome(*_emptied(out, padding, meaning, low), unmapped, strays)


def _realize_floats(cells: Pixels, meaning: Meaning, out: Pixels) -> Outcome:
    """Of Float and Double Float Pixel Data (PS3.3 C.7.6.24, C.7.6.25)."""
    padding = None
    if meaning.padding:
        padding = (cells >= meaning.padding[0]) & (cells <= meaning.padding[1])
    if (meaning.slope, meaning.intercept) != (1, 0):
        with np.errstate(over="ignore", invalid="ignore"):  # beyond all floats is infinite
            to_float(cells, meaning.slope, meaning.intercept, out)
    elif cells.ctypes.data != out.ctypes.data:
        out[...] = cells
    return Outcome(*_emptied(out, padding, meaning, 0))


def _padding(stored: Pixels, meaning: Meaning) -> Pixels | None:
    """Mask of the padding that is to be emptied or, where nothing stands for that, to be counted; None without any."""
    if not meaning.padding or meaning.is_padding_harmless:
        return None
    if meaning.nothing is None:
        return (stored >= meaning.padding[0]) & (stored <= meaning.padding[1])
    return padding_mask(stored, meaning.padding)


def _count_beyond(stored: Pixels, ends: tuple[int, int], limits: tuple[float, float] | None) -> int:
    if limits is None or limits[0] <= ends[0] <= ends[1] <= limits[1]:
        return 0
    return int(np.count_nonzero((stored < limits[0]) | (stored > limits[1])))


def _emptied(out: Pixels, padding: Pixels | None, meaning: Meaning, lowest: float) -> tuple[int, int]:
    """Set padding to what stands for nothing measured, where the type can hold it; how many were, and were not."""
    if meaning.is_hu:
        return set_air(out, padding, lowest), 0
    if padding is None:
        return 0, 0
    count = int(np.count_nonzero(padding))
    if meaning.nothing is None or (math.isnan(meaning.nothing) and out.dtype.kind != "f"):
        return 0, count
    out[padding] = meaning.nothing
    return count, 0


def _place(values: Pixels, line: tuple[float, float], out: Pixels) -> None:
    if out.dtype == np.int16:
        to_int16(values, *line, out)
    elif out.dtype == np.int32:
        out[...] = values.astype(np.int64) * int(line[0]) + int(line[1])
    else:
        to_float(values, *line, out)


def to_int16(values: Pixels, slope: float, intercept: float, out: Pixels) -> None:
    """Rescale whole numbers into int16, whose range the results have to fit.

    Parameters
    ----------
    values
        Stored values; may be the memory of ``out``.
    slope, intercept
        Whole numbers.
    out
        (row, column) int16.
    """
    if values.dtype.itemsize != 2:
        out[...] = values
    elif values.ctypes.data != out.ctypes.data:
        out[...] = values.view(np.int16)
    # Modulo 2^16 products and sums are right wherever the result fits, whatever the steps between.
    if slope != 1:
        np.multiply(out, _wrapped(slope), out=out)
    if intercept != 0:
        np.add(out, _wrapped(intercept), out=out)


def _wrapped(number: float) -> np.int16:
    return np.int16((int(number) + 32768) % 65536 - 32768)


def to_float(values: Pixels, slope: float, intercept: float, out: Pixels) -> None:
    """Rescale into float32 or float64: computed in float64 and rounded once."""
    out[...] = values * np.float64(slope) + np.float64(intercept)


def set_air(out: Pixels, padding: Pixels | None, lowest: float) -> int:
    """Set to air, in place, what lies below it and what is padding; the number of pixels set.

    Parameters
    ----------
    out
        (row, column) HU.
    padding
        Mask of padding pixels, or None.
    lowest
        The lowest value of ``out``.
    """
    count = 0
    if padding is not None:
        count = int(np.count_nonzero(padding))
        out[padding] = AIR_HU
    if lowest < AIR_HU:
        count += int(np.count_nonzero(out < AIR_HU))
        np.maximum(out, out.dtype.type(AIR_HU), out=out)
    return count


def padding_mask(values: Pixels, padding: tuple[float, ...]) -> Pixels | None:
    """Padding pixels: stored values in the padding range, joined to the image's border; None without any.

    Values of the padding range within the body are left: they are measurements.
    """
    mask = (values >= padding[0]) & (values <= padding[-1])
    if not mask.any():
        return None
    from scipy.ndimage import label

    parts, count = label(mask)
    is_outside = np.zeros(count + 1, bool)
    for border in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        is_outside[border] = True
    is_outside[0] = False
    return is_outside[parts] if is_outside.any() else None
