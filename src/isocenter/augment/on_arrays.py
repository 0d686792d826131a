"""Passes done on NumPy arrays, one channel after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import cast

import numpy as np
import numpy.typing as npt

from isocenter.augment.counting import Words, fast, normal
from isocenter.augment.lines import changed
from isocenter.augment.passes import Along, Displaced, Grain, Pass, Point
from isocenter.geometry import Triple
from isocenter.kernels import over_slices

Singles = npt.NDArray[np.float32]
Matrices = tuple[Singles | None, Singles | None, Singles | None]

_BLOCK = 128


def done(values: Singles, passes: Sequence[Pass]) -> Singles:
    """Do passes on a channel (slice, row, column), in place where that can be; the array that holds the result."""
    for way, group in groupby(passes, lambda one: type(one) if isinstance(one, Along | Grain | Displaced) else Point):
        if way is Point:
            changed(values, cast("list[Point]", list(group)))
            continue
        for one in group:
            match one:
                case Along():
                    values = along(values, one.matrices)
                case Grain():
                    values += np.float32(one.size) * along(white(values.shape, one.keys), one.matrices)
                case Displaced():
                    values = displaced(values, one)
    return values


def along(values: Singles, matrices: Matrices) -> Singles:
    """A matrix along each axis; bands of it by what they hold, so that long narrow ones take little time."""
    for axis, matrix in enumerate(matrices):
        if matrix is None:
            continue
        out = np.empty(values.shape, np.float32)
        if axis == 0:
            flat, into = values.reshape(len(matrix), -1), out.reshape(len(matrix), -1)
            for rows, columns in _bands(matrix):
                np.matmul(matrix[rows, columns], flat[columns], out=into[rows])
        elif axis == 1:
            for rows, columns in _bands(matrix):
                np.matmul(matrix[rows, columns], values[:, columns], out=out[:, rows])
        else:
            flat, into = values.reshape(-1, len(matrix)), out.reshape(-1, len(matrix))
            for rows, columns in _bands(matrix):
                np.matmul(flat[:, columns], matrix[rows, columns].T, out=into[:, rows])
        values = out
    return values


def _bands(matrix: Singles) -> Iterator[tuple[slice, slice]]:
    for start in range(0, len(matrix), _BLOCK):
        rows = slice(start, start + _BLOCK)
        held = np.flatnonzero(matrix[rows].any(axis=0))
        yield rows, slice(int(held[0]), int(held[-1]) + 1)


def white(shape: tuple[int, ...], keys: tuple[int, int]) -> Singles:
    """Normal deviates of a seed."""
    out = np.empty(shape, np.float32)
    words = np.array(keys, np.uint32)
    over_slices(lambda start, stop: _fill(out, words, start, stop), shape)
    return out


@fast
def _fill(out: Singles, keys: Words, start: int, stop: int) -> None:
    size = out.shape[1] * out.shape[2]
    for k in range(start, stop):
        flat = out[k].reshape(-1)
        for i in range(size):
            flat[i] = normal(np.uint32(k * size + i), keys[0], keys[1])


def displaced(values: Singles, how: Displaced) -> Singles:
    """The frequencies of an image that moved, and what a scanner makes of them."""
    from scipy import fft

    found = fft.fftn(values - np.float32(how.zero), workers=1)
    for turn in how.turns(cast("Triple", values.shape)):
        found *= turn
    out: Singles = np.abs(fft.ifftn(found, workers=1, overwrite_x=True)).astype(np.float32)
    return out + np.float32(how.zero)
