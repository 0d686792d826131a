"""What can be done to the values of one channel, as plain numbers: the seam between what steps mean and how it is done.

Steps turn themselves into passes for an image at hand; ``on_arrays`` does passes by compiled loops, ``on_torch`` on a
GPU, with equal results. Those of a point look at one voxel alone, so that many of them are done in one way through
memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Triple

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Linear:
    """``x * factor + offset``."""

    factor: float
    offset: float


@dataclass(frozen=True, slots=True)
class Power:
    """``t`` to the power of ``exponent``, where t goes from 0 at ``low`` to 1 at ``low + span``; odd below 0."""

    low: float
    span: float
    exponent: float


@dataclass(frozen=True, slots=True)
class White:
    """Normal deviates of a standard deviation are added."""

    size: float
    keys: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rice:
    """The length of ``x - zero`` with two normal deviates added at right angles."""

    size: float
    zero: float
    keys: tuple[int, int]
    other_keys: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Magnitude:
    """The size of ``x - zero``."""

    zero: float


@dataclass(frozen=True, slots=True)
class Wave:
    """``size * cos(phase + angles . (slice, row, column))`` is added."""

    size: float
    phase: float
    angles: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Field:
    """``x - zero`` times 2 to the power of a smooth field: controls by weights on each axis, as in ``space.Pull``."""

    zero: float
    controls: Singles = field(repr=False)
    weights: tuple[Singles, Singles, Singles] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Along:
    """A matrix (voxels, voxels) along each axis, or None."""

    matrices: tuple[Singles | None, Singles | None, Singles | None] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Grain:
    """Normal deviates, made alike to their neighbours by a matrix along each axis, times ``size``, are added."""

    size: float
    keys: tuple[int, int]
    matrices: tuple[Singles | None, Singles | None, Singles | None] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Displaced:
    """Frequencies along ``axis`` are taken while the image is displaced; then the magnitude about ``zero``.

    ``shifts`` (lines, 3) in voxels, for each line of frequencies along the axis in the order of ``numpy.fft.fftfreq``.
    """

    axis: int
    zero: float
    shifts: npt.NDArray[np.float64] = field(repr=False)

    def turns(self, shape: Triple) -> list[npt.NDArray[np.complex64]]:
        """What the frequencies of an image of this shape are multiplied with, for each axis."""
        found = []
        for other, n in enumerate(shape):
            frequencies = np.fft.fftfreq(n)
            if other == self.axis:
                angles, wide = self.shifts[:, other] * frequencies, [other]
            else:
                angles, wide = np.outer(self.shifts[:, other], frequencies), sorted((self.axis, other))
                angles = angles if self.axis < other else angles.T
            sides = [shape[one] if one in wide else 1 for one in range(3)]
            found.append(np.exp(-2j * np.pi * angles).astype(np.complex64).reshape(sides))
        return found


Point = Linear | Power | White | Rice | Magnitude | Wave | Field
Pass = Point | Along | Grain | Displaced


@dataclass(frozen=True, slots=True)
class Channel:
    """What steps need to know of the image at hand.

    Parameters
    ----------
    shape, spacing_mm
        Of the new image.
    zero, one
        What no signal and one unit (HU; else a standard deviation of the image) are in the values of the array.
    low, high, mean
        Least, greatest and middle value before any step, carried on through steps that shift and scale.
    number
        Which channel it is, from 0: noise differs between them, all else is the same.
    """

    shape: Triple
    spacing_mm: tuple[float, float, float]
    zero: float
    one: float
    low: float
    high: float
    mean: float
    number: int

    def after(self, one: Pass) -> Channel:
        """The channel after a pass."""
        if not isinstance(one, Linear):
            return self
        ends = sorted(value * one.factor + one.offset for value in (self.low, self.high))
        return replace(self, low=ends[0], high=ends[1], mean=self.mean * one.factor + one.offset)


def merged(passes: list[Pass]) -> list[Pass]:
    """The passes with neighbours of one kind made one: linear ones, and matrices along axes."""
    out: list[Pass] = []
    for one in passes:
        before = out[-1] if out else None
        if isinstance(before, Linear) and isinstance(one, Linear):
            out[-1] = Linear(before.factor * one.factor, before.offset * one.factor + one.offset)
        elif isinstance(before, Along) and isinstance(one, Along):
            a, b, c = (_times(first, then) for first, then in zip(before.matrices, one.matrices, strict=True))
            out[-1] = Along((a, b, c))
        else:
            out.append(one)
    return out


def _times(first: Singles | None, then: Singles | None) -> Singles | None:
    if first is None or then is None:
        return then if first is None else first
    product: Singles = then @ first
    return product
