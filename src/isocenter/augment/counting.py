"""Random numbers without a state: each is a function of a seed and a place, the same on any device and in any order.

The bits are those of a hash of 32 bits (C. Wellons, Hash prospector, "lowbias32"). A normal deviate is the sum of
four uniform ones of 16 bits, bent by a polynomial to the quantiles of the normal distribution (as Teichroew's method,
Knuth, The Art of Computer Programming, volume 2, 3.4.1 E); its distribution function is right to 2e-5, its kurtosis to
4e-5, its greatest value 5.65. Everything is whole numbers up to the sum, so devices agree.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.kernels import compiled

Words = npt.NDArray[np.uint32]
fast = compiled(fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")

FIRST, SECOND = 0x7FEB352D, 0x846CA68B
MIDDLE = 4 * 0xFFFF // 2
DEVIATION = float(np.sqrt((2.0**32 - 1) / 3))
BEND = (
    0.9642929937476002, 0.0014011087497710606, 0.01026402932235481, -0.004058653980217986, 0.0007879474168724014,
    -7.041500627182103e-05, 2.4679543034678674e-06,
)  # fmt: skip

_FIRST, _SECOND = np.uint32(FIRST), np.uint32(SECOND)
_HALF, _LESS, _LOW = np.uint32(16), np.uint32(15), np.uint32(0xFFFF)
_MIDDLE, _UNIT = np.int32(MIDDLE), np.float32(1 / DEVIATION)
_B0, _B1, _B2, _B3, _B4, _B5, _B6 = (np.float32(one) for one in BEND)


def mixed(words: Words) -> Words:
    """The hash of each word."""
    words = words ^ (words >> _HALF)
    words = words * _FIRST
    words = words ^ (words >> _LESS)
    words = words * _SECOND
    return words ^ (words >> _HALF)


def keys(seed: int, stream: int = 0) -> tuple[int, int]:
    """Two words of 32 bits for a seed of 63 bits and one of the streams of numbers that it has."""
    parts = np.array([seed & 0xFFFFFFFF, seed >> 32], np.uint32)
    parts = mixed(parts ^ np.array([stream, stream + 0x9E3779B9], np.uint32))
    parts = mixed(parts + parts[::-1] * np.array([3, 5], np.uint32))
    return int(parts[0]), int(parts[1])


def uniform(counters: npt.ArrayLike, seed: int, stream: int = 0) -> npt.NDArray[np.float64]:
    """Numbers from 0 to below 1 for whole numbers from 0 to below 2^32."""
    first, second = keys(seed, stream)
    words = mixed(np.asarray(counters).astype(np.uint32) ^ np.uint32(first))
    bits = mixed(words + np.uint32(second)) >> np.uint32(8)
    return bits.astype(np.float64) * 2.0**-24


@fast
def _mixed(word: np.uint32) -> np.uint32:
    """As :func:`mixed`; kept to 32 bits at each step, since numba widens whole numbers."""
    word = np.uint32((word ^ (word >> _HALF)) * _FIRST)
    word = np.uint32((word ^ (word >> _LESS)) * _SECOND)
    return np.uint32(word ^ (word >> _HALF))


@fast
def normal(counter: np.uint32, first: np.uint32, second: np.uint32) -> np.float32:
    """A normal deviate for a counter and the two keys of a seed."""
    a = _mixed(np.uint32(counter ^ first))
    b = _mixed(np.uint32(a + second))
    total = np.int32((a >> _HALF) + (a & _LOW) + (b >> _HALF) + (b & _LOW))
    x = np.float32(np.int32(total - _MIDDLE)) * _UNIT
    y = x * x
    return x * (_B0 + y * (_B1 + y * (_B2 + y * (_B3 + y * (_B4 + y * (_B5 + y * _B6))))))
