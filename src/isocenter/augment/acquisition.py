"""Steps that change how an image was taken: blur, thick slices, ghosts, motion. Each is linear before its magnitude."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from isocenter.augment.counting import uniform
from isocenter.augment.drawing import (
    Range,
    Ranges,
    Step,
    along_axes,
    axis_by_axis,
    number,
    one_of,
    seed,
    settled,
    whole,
)
from isocenter.augment.passes import Along, Channel, Displaced, Magnitude, Pass, Singles

_KEPT = 0.05
"""Share of the lowest frequencies that ghosts leave: all that is seen of the image as a whole."""


@dataclass(frozen=True, kw_only=True)
class Blur(Step):
    """The image smoothed by a Gaussian, as of a softer kernel or a moved patient.

    Parameters
    ----------
    sigma_mm
        Standard deviation along each axis.
    """

    sigma_mm: Ranges = along_axes((0.0, 1.0), within=(0, 100))

    def passes(self, channel: Channel) -> list[Pass]:
        """What is done to a channel."""
        sizes = zip(axis_by_axis(self.sigma_mm), channel.spacing_mm, channel.shape, strict=True)
        k, r, c = (gaussian_along(n, sigma / spacing) for sigma, spacing, n in sizes)
        return [Along((k, r, c))]


@dataclass(frozen=True, kw_only=True)
class LowResolution(Step):
    """The image as if taken with thick slices along one axis and brought back: means of slabs, linear between them.

    Parameters
    ----------
    thickness_mm
        Of the slabs; where voxels are as long, nothing is done.
    axis
        0 slice, 1 row, 2 column.
    """

    thickness_mm: Range = number((2.0, 5.0), within=(0, 100))
    axis: int = one_of(0, (0, 1, 2))

    def passes(self, channel: Channel) -> list[Pass]:
        """What is done to a channel."""
        matrix = thick_along(channel.shape[self.axis], settled(self.thickness_mm) / channel.spacing_mm[self.axis])
        return [_along(self.axis, matrix)]


@dataclass(frozen=True, kw_only=True)
class Ghosting(Step):
    """Ghosts of an MR image along its phase axis: every n-th line of frequencies is weaker, as under breathing.

    Parameters
    ----------
    ghosts
        How many copies lie along the axis.
    strength
        How much weaker the lines are; 0 for not at all. The lowest frequencies stay.
    axis
        Phase axis: 0 slice, 1 row, 2 column.
    """

    modalities: ClassVar[tuple[str, ...]] = ("MR",)

    ghosts: Range = whole((2, 8), within=(2, 64))
    strength: Range = number((0.1, 0.5), within=(0, 1))
    axis: int = one_of(1, (0, 1, 2))

    def passes(self, channel: Channel) -> list[Pass]:
        """What is done to a channel."""
        n = channel.shape[self.axis]
        if n == 1:
            return []
        lines = np.abs(np.fft.fftfreq(n, 1 / n)).round()
        weaker = (lines % round(settled(self.ghosts)) == 0) & (lines > _KEPT * n / 2)
        answer = np.fft.ifft(np.where(weaker, 1 - settled(self.strength), 1.0)).real
        matrix = answer[(np.arange(n)[:, None] - np.arange(n)) % n].astype(np.float32)
        # the values are signals above zero, so the matrix, whose rows have the sum 1, needs no other zero
        return [_along(self.axis, matrix), Magnitude(channel.zero)]


@dataclass(frozen=True, kw_only=True)
class Motion(Step):
    """A patient of an MR who moves a few times between lines of frequencies; where he lay halfway, the image stays.

    Parameters
    ----------
    translation_mm
        The most that he moves along any axis.
    moves
        How often.
    axis
        Phase axis: 0 slice, 1 row, 2 column.
    """

    modalities: ClassVar[tuple[str, ...]] = ("MR",)

    translation_mm: Range = number((0.5, 3.0), within=(0, 1e3))
    moves: Range = whole((1, 4), within=(1, 64))
    axis: int = one_of(1, (0, 1, 2))
    seed: int | None = seed()

    def passes(self, channel: Channel) -> list[Pass]:
        """What is done to a channel."""
        n, moves = channel.shape[self.axis], round(settled(self.moves))
        if n == 1:
            return []
        drawn = uniform(np.arange(4 * moves + 3), self.seed or 0)
        when = np.sort(drawn[:moves])
        lay = (2 * drawn[moves:].reshape(moves + 1, 3) - 1) * settled(self.translation_mm)
        lay -= lay[np.searchsorted(when, 0.5)]
        lay *= np.asarray(channel.shape) > 1
        taken = (np.fft.fftfreq(n) + 0.5) % 1
        shifts = lay[np.searchsorted(when, taken)] / np.asarray(channel.spacing_mm)
        return [Displaced(self.axis, channel.zero, shifts)]


def gaussian_along(voxels: int, sigma: float) -> Singles | None:
    """The matrix that smooths a line of voxels by a Gaussian of ``sigma`` voxels, mirrored at its ends."""
    if voxels == 1 or sigma < 0.05:
        return None
    reach = math.ceil(4 * sigma)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    matrix = np.zeros((voxels, voxels))
    for tap, away in zip(taps / taps.sum(), range(-reach, reach + 1), strict=True):
        place = (np.arange(voxels) + away) % (2 * voxels)
        np.add.at(matrix, (np.arange(voxels), np.where(place < voxels, place, 2 * voxels - 1 - place)), tap)
    return matrix.astype(np.float32)


def thick_along(voxels: int, thickness: float) -> Singles | None:
    """The matrix that takes a line of voxels to slabs of ``thickness`` voxels and back by linear interpolation."""
    if voxels == 1 or thickness <= 1:
        return None
    slabs = max(math.ceil(voxels / thickness), 1)
    edges = voxels / 2 + (np.arange(slabs + 1) - slabs / 2) * thickness
    cells = np.arange(voxels)
    shared = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    down = np.clip(shared, 0, None)
    down /= down.sum(axis=1, keepdims=True)
    places = np.clip((cells + 0.5 - edges[0]) / thickness - 0.5, 0, slabs - 1)
    up = np.clip(1 - np.abs(places[:, None] - np.arange(slabs)), 0, None)
    matrix: Singles = (up @ down).astype(np.float32)
    return matrix


def _along(axis: int, matrix: Singles | None) -> Along:
    k, r, c = (matrix if one == axis else None for one in range(3))
    return Along((k, r, c))
