"""Compiled loops that change values one by one: any number of passes of a point in one way through memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.polynomial import Chebyshev, Polynomial

from isocenter.augment.counting import Words, fast, normal
from isocenter.augment.passes import Field, Linear, Magnitude, Point, Power, Rice, Wave, White
from isocenter.augment.warping import Bending, spread, weighed
from isocenter.kernels import over_slices

Singles = npt.NDArray[np.float32]
Passes = tuple[npt.NDArray[np.int64], Singles, Words]

_LINEAR, _POWER, _WHITE, _RICE, _MAGNITUDE, _WAVE, _FIELD = range(7)


def _fitted(
    function: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]], degree: int
) -> tuple[np.float32, ...]:
    """Coefficients of a polynomial on 0 to 1, from the constant on."""
    fitted = Chebyshev.interpolate(function, degree, domain=(0, 1)).convert(kind=Polynomial)
    return tuple(np.float32(one) for one in fitted.coef)


# log2 of 1 + t is t times the first, right to 2e-7; 2 to the power of t is the second, right to 3e-9
_LOG = _fitted(lambda t: np.log2(1 + t) / t, 8)
_EXP = _fitted(lambda t: 2.0**t, 6)
_MANTISSA, _EXPONENT = np.int32(0x7FFFFF), np.int32(0x3F800000)


def changed(values: Singles, points: list[Point]) -> None:
    """Do passes of points on (slice, row, column) in place; a new way through memory after each field."""
    held: list[Point] = []
    for one in points:
        if isinstance(one, Field) and any(isinstance(other, Field) for other in held):
            _run(values, held)
            held = []
        held.append(one)
    if held:
        _run(values, held)


def _run(values: Singles, points: list[Point]) -> None:
    kinds = np.zeros(len(points), np.int64)
    numbers = np.zeros((len(points), 5), np.float32)
    keys = np.zeros((len(points), 4), np.uint32)
    controls = np.zeros((1, 0, 0, 0), np.float32)
    across, down, along = (np.zeros((n, 0), np.float32) for n in values.shape)
    for n, one in enumerate(points):
        match one:
            case Linear(factor, offset):
                kinds[n], numbers[n, :2] = _LINEAR, (factor, offset)
            case Power(low, span, exponent):
                kinds[n], numbers[n, :3] = _POWER, (low, span, exponent)
            case White(size, pair):
                kinds[n], numbers[n, 0], keys[n, :2] = _WHITE, size, pair
            case Rice(size, zero, pair, other):
                kinds[n], numbers[n, :2], keys[n] = _RICE, (size, zero), (*pair, *other)
            case Magnitude(zero):
                kinds[n], numbers[n, 0] = _MAGNITUDE, zero
            case Wave(size, phase, angles):
                kinds[n], numbers[n] = _WAVE, (size, phase, *angles)
            case Field(zero):
                kinds[n], numbers[n, 0] = _FIELD, zero
                controls, (across, down, along) = one.controls[None], one.weights
    bending = (controls, across, down, np.ascontiguousarray(along.T))
    over_slices(lambda start, stop: _rows(values, (kinds, numbers, keys), bending, (start, stop)), values.shape)


@fast
def _rows(values: Singles, passes: Passes, bending: Bending, span: tuple[int, int]) -> None:
    """Each row stays in the cache while all passes are done on it."""
    kinds, numbers, keys = passes
    sheet = np.empty((1, *bending[0].shape[2:]), np.float32)
    for k in range(span[0], span[1]):
        weighed(bending[1][k], bending[0], sheet)
        for r in range(values.shape[1]):
            counter = np.uint32((k * values.shape[1] + r) * values.shape[2])
            for n in range(kinds.size):
                if kinds[n] == _WHITE or kinds[n] == _RICE:
                    _noise(values[k, r], kinds[n], numbers[n], keys[n], counter)
                elif kinds[n] == _WAVE:
                    _wave(values[k, r], numbers[n], k, r)
                elif kinds[n] == _FIELD:
                    _field(values[k, r], numbers[n, 0], bending, sheet[0], r)
                else:
                    _bend(values[k, r], kinds[n], numbers[n])


@fast
def _bend(row: Singles, kind: int, numbers: Singles) -> None:
    a, b, exponent = numbers[0], numbers[1], numbers[2]
    if kind == _LINEAR:
        for c in range(row.size):
            row[c] = row[c] * a + b
    elif kind == _MAGNITUDE:
        for c in range(row.size):
            row[c] = abs(row[c] - a) + a
    else:
        for c in range(row.size):
            t = (row[c] - a) / b
            size = max(abs(t), np.float32(1e-30))
            power = _two_to(max(exponent * _log2(size), np.float32(-120)))
            row[c] = (power if t >= 0 else -power) * b + a


@fast
def _noise(row: Singles, kind: int, numbers: Singles, keys: Words, counter: np.uint32) -> None:
    size, zero = numbers[0], numbers[1]
    if kind == _WHITE:
        for c in range(row.size):
            row[c] += size * normal(np.uint32(counter + np.uint32(c)), keys[0], keys[1])
    else:
        for c in range(row.size):
            here = np.uint32(counter + np.uint32(c))
            x = row[c] - zero + size * normal(here, keys[0], keys[1])
            y = size * normal(here, keys[2], keys[3])
            row[c] = np.sqrt(x * x + y * y) + zero


@fast
def _wave(row: Singles, numbers: Singles, k: int, r: int) -> None:
    """By the angle from voxel to voxel, turned on in double precision."""
    step = np.exp(1j * np.float64(numbers[4]))
    turned = numbers[0] * np.exp(
        1j * (np.float64(numbers[1]) + np.float64(numbers[2]) * k + np.float64(numbers[3]) * r)
    )
    for c in range(row.size):
        row[c] += np.float32(turned.real)
        turned *= step


@fast
def _field(row: Singles, zero: float, bending: Bending, sheet: Singles, r: int) -> None:
    smooth = np.zeros(row.size, np.float32)
    spread(bending[3], bending[2][r], sheet, smooth)
    for c in range(row.size):
        row[c] = (row[c] - zero) * _two_to(smooth[c]) + zero


@fast
def _log2(x: Any) -> Any:
    bits = np.float32(x).view(np.int32)
    t = np.int32((bits & _MANTISSA) | _EXPONENT).view(np.float32) - np.float32(1)
    total = _LOG[8]
    total = total * t + _LOG[7]
    total = total * t + _LOG[6]
    total = total * t + _LOG[5]
    total = total * t + _LOG[4]
    total = total * t + _LOG[3]
    total = total * t + _LOG[2]
    total = total * t + _LOG[1]
    total = total * t + _LOG[0]
    return np.float32((bits >> np.int32(23)) - np.int32(127)) + t * total


@fast
def _two_to(x: Any) -> Any:
    whole = np.floor(x)
    t = x - whole
    total = _EXP[6]
    total = total * t + _EXP[5]
    total = total * t + _EXP[4]
    total = total * t + _EXP[3]
    total = total * t + _EXP[2]
    total = total * t + _EXP[1]
    total = total * t + _EXP[0]
    bits = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23))
    return total * bits.view(np.float32)
