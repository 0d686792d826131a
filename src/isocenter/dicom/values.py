"""Values: stored pixel values to real ones, slice by slice: masking, sign, rescale, padding. Arrays only."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.dicom.instance import PixelFormat

Pixels = npt.NDArray[Any]

AIR_HU = -1024
"""What pixels outside the scanner's circle are set to; nothing measured lies below."""


class StrayBitsError(Exception):
    """Pixel cells hold something outside their stored bits, and no overlay explains it."""


def unpack(raw: Pixels, form: PixelFormat, *, stray_bits: Literal["refuse", "drop"]) -> tuple[Pixels, int, int]:
    """Stored values out of pixel cells: the stored bits alone, with their sign.

    Parameters
    ----------
    raw
        Cells of 8 or 16 bits; changed in place where they hold more than the value (overlays, missing sign bits).
    form
        Which bits hold the value.
    stray_bits
        What to do where other bits hold something that no overlay explains. Some MR scanners leave such bits where a
        value overflowed; in a CT they are a sign that the header lies.

    Returns
    -------
    values
        View of ``raw``, signed or unsigned as the values are.
    lowest, highest
        Of the values.

    Raises
    ------
    StrayBitsError
        If such bits are to be refused and are there.
    """
    size = raw.dtype.itemsize
    cells, values = raw.view(f"u{size}"), raw.view(f"i{size}" if form.is_signed else f"u{size}")
    refuses = stray_bits == "refuse" and not form.has_overlay
    shift = form.high_bit + 1 - form.bits_stored
    if shift > 0:
        if refuses:
            _refuse(cells & ((1 << shift) - 1))
        cells >>= shift
    lowest, highest = int(values.min()), int(values.max())
    spare = 8 * size - form.bits_stored
    floor = -(1 << (form.bits_stored - 1)) if form.is_signed else 0
    if spare > 0 and not floor <= lowest <= highest < floor + (1 << form.bits_stored):
        if refuses:
            _refuse(cells >> form.bits_stored)
        cells <<= spare
        values >>= spare  # of signed values an arithmetic shift: it brings the sign down
        lowest, highest = int(values.min()), int(values.max())
    return values, lowest, highest


def _refuse(bits: Pixels) -> None:
    if bits.any():
        raise StrayBitsError("Pixel cells hold something outside their stored bits, and no overlay is stated.")


def may_be_whole(rescales: list[tuple[float, float]]) -> bool:
    """Whether every rescaled value is a whole number, as slope and intercept of every slice are."""
    return all(float(number).is_integer() for rescale in set(rescales) for number in rescale)


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
    if values.dtype.itemsize == 1:
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


def to_float32(values: Pixels, slope: float, intercept: float, out: Pixels) -> None:
    """Rescale into float32: computed in float64 and rounded once."""
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


def padding_mask(values: Pixels, padding: tuple[int, ...], rescale: tuple[float, float]) -> Pixels | None:
    """Padding pixels that would pass for tissue: stored values in the padding range, joined to the image's border.

    Padding below air needs no mask. Values of the padding range within the body are left: they are measurements.
    """
    if not padding:
        return None
    low, high = min(padding), max(padding)
    slope, intercept = rescale
    if max(low * slope + intercept, high * slope + intercept) <= AIR_HU:
        return None
    mask = (values >= low) & (values <= high)
    if not mask.any():
        return None
    from scipy.ndimage import label

    parts, _ = label(mask)
    border = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    outside = np.unique(border[border > 0])
    return np.isin(parts, outside) if outside.size else None
