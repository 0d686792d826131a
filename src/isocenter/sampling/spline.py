"""From values to the coefficients of a cubic B-spline, by a recursive filter along each axis.

Causal, then anticausal, mirrored about the outermost centres (Unser, Aldroubi, Eden 1993; Thevenaz, Blu, Unser 2000).
A run cut out of a longer line is filtered as if mirrored there; the error falls to a quarter with every voxel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isocenter.kernels import compiled, kernel, over_slices
from isocenter.sampling.layout import Array
from isocenter.sampling.weights import POLE

LANES = 16
"""Lines that are filtered side by side."""


@compiled(fastmath={"contract"})
def to_coefficients(lines: Array) -> None:
    """Filter in place along the first axis of (n, lanes)."""
    n, lanes = lines.shape
    if n == 1:
        return
    kind = lines.dtype.type
    pole, gain = kind(POLE), kind((1 - POLE) * (1 - 1 / POLE))
    last = kind(POLE / (POLE * POLE - 1))
    _start(lines, pole)
    for x in range(lanes):
        lines[0, x] *= gain
    for k in range(1, n):
        for x in range(lanes):
            lines[k, x] = gain * lines[k, x] + pole * lines[k - 1, x]
    for x in range(lanes):
        lines[n - 1, x] = last * (lines[n - 1, x] + pole * lines[n - 2, x])
    for k in range(n - 2, -1, -1):
        for x in range(lanes):
            lines[k, x] = pole * (lines[k + 1, x] - lines[k, x])


@kernel
def _start(lines: Array, pole: float) -> None:
    """Into the first of each line: the sum over the line and its mirror images, each weaker by the pole."""
    n, lanes = lines.shape
    horizon = 14 if lines.itemsize == 4 else 28
    power, period = pole, 2 * n - 2
    whole = lines.dtype.type(1) - pole**period
    for k in range(1, min(n, horizon)):
        back = pole ** (period - k) if k < n - 1 else lines.dtype.type(0)
        for x in range(lanes):
            lines[0, x] += (power + back) * lines[k, x]
        power *= pole
    if n < horizon:
        for x in range(lanes):
            lines[0, x] /= whole


def coefficients(array: Array, work: type, *, axes: Sequence[int] = (0, 1, 2)) -> Array:
    """Coefficients of the cubic B-spline through all values of (slice, row, column): a new array of type ``work``.

    ``axes`` are those to filter along.
    """
    out: Array = array.astype(work)
    if 1 in axes:
        over_slices(lambda first, last: _along_rows(out[first:last]), out.shape)
    if 2 in axes:
        over_slices(lambda first, last: _along_columns(out[first:last]), out.shape)
    if 0 in axes:
        over_slices(lambda first, last: _along_slices(out, first, last), (out.shape[1], out.shape[0], out.shape[2]))
    return out


@kernel
def _along_rows(out: Array) -> None:
    for z in range(out.shape[0]):
        to_coefficients(out[z])


@kernel
def _along_columns(out: Array) -> None:
    lanes = np.zeros((out.shape[2], LANES), out.dtype)
    for z in range(out.shape[0]):
        for top in range(0, out.shape[1], LANES):
            rows = min(LANES, out.shape[1] - top)
            for y in range(rows):
                for x in range(out.shape[2]):
                    lanes[x, y] = out[z, top + y, x]
            to_coefficients(lanes)
            for y in range(rows):
                for x in range(out.shape[2]):
                    out[z, top + y, x] = lanes[x, y]


@kernel
def _along_slices(out: Array, first: int, last: int) -> None:
    line = np.empty((out.shape[0], out.shape[2]), out.dtype)
    for y in range(first, last):
        line[:] = out[:, y]
        to_coefficients(line)
        out[:, y] = line
