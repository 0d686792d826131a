"""Colour: samples as they are stored or decoded to red, green and blue (PS3.3 C.7.6.3.1.2, C.7.6.3.1.3). Arrays only.

Palettes are tables: see :mod:`isocenter.dicom.values.tables`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]

_FULL = np.array([[1, 0, 1.402], [1, -0.114 * 1.772 / 0.587, -0.299 * 1.402 / 0.587], [1, 1.772, 0]])
_PARTIAL = np.array([[1.1644, 0, 1.5960], [1.1644, -0.3917, -0.8129], [1.1644, 2.0173, 0]])
_TO_RGB = {
    "YBR_FULL": (_FULL, 0),
    "YBR_FULL_422": (_FULL, 0),
    "YBR_ICT": (_FULL, 0),
    "YBR_PARTIAL_422": (_PARTIAL, 16),
    "YBR_PARTIAL_420": (_PARTIAL, 16),
}
"""Photometric Interpretation -> rows of R, G and B over (Y, CB, CR), and the luminance of black at 8 bits."""

TRUE_COLOURS = frozenset({"RGB", "YBR_RCT", *_TO_RGB})
"""Photometric Interpretations of three samples that become RGB."""


def to_rgb(samples: Pixels, photometric: str, bits: int) -> Pixels:
    """Samples of a colour space as red, green and blue.

    Parameters
    ----------
    samples
        (row, column, 3) unsigned integers, CB and CR at every pixel.
    photometric
        Photometric Interpretation of the samples: one of :data:`TRUE_COLOURS`; ``"YBR_RCT"`` occurs only within a
        JPEG 2000 codestream, whose decoder undoes it.
    bits
        Bits Stored: they hold the full range of a sample.

    Returns
    -------
    (row, column, 3) of the same type; ``samples`` itself where they are RGB. Rounded half up, as JPEG has it.
    """
    if photometric == "RGB":
        return samples
    matrix, black = _TO_RGB[photometric]
    middle = 1 << (bits - 1)
    scale = 2.0 ** (bits - 8)
    precision = np.float32 if bits <= 8 else np.float64
    offset = np.array([black * scale, middle, middle])
    shift = (0.5 - matrix @ offset).astype(precision)
    mixed: Pixels = samples.astype(precision) @ matrix.T.astype(precision) + shift
    np.clip(np.floor(mixed, out=mixed), 0, (1 << bits) - 1, out=mixed)
    rgb: Pixels = mixed.astype(samples.dtype)
    return rgb


def from_planes(cells: Pixels, shape: tuple[int, int]) -> Pixels:
    """Cells stored plane after plane (Planar Configuration 1) as (row, column, sample)."""
    return np.ascontiguousarray(np.moveaxis(cells.reshape(-1, *shape), 0, -1))


def from_halved(cells: Pixels, shape: tuple[int, int]) -> Pixels:
    """Uncompressed samples whose CB and CR are there for every second column only, as (row, column, 3).

    Parameters
    ----------
    cells
        Y, Y, CB, CR of pairs of columns, row after row (YBR_FULL_422, YBR_PARTIAL_422); the columns are even in number.
    shape
        (rows, columns).
    """
    pairs = cells.reshape(shape[0], shape[1] // 2, 4)
    samples = np.empty((*shape, 3), cells.dtype)
    samples[..., 0] = pairs[..., :2].reshape(shape)
    samples[..., 1] = np.repeat(pairs[..., 2], 2, axis=1)
    samples[..., 2] = np.repeat(pairs[..., 3], 2, axis=1)
    return samples
