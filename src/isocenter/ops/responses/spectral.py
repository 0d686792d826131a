"""Filters that are given by their spectrum: Simoncelli's isotropic wavelet, and Riesz transforms of any filter.

IBSI 2, sections 3.6 (PRT7) and 3.7 (AYRS); Portilla and Simoncelli, Int J Comput Vis 40 (2000) 49; Unser and Van De
Ville, IEEE Trans Image Process 19 (2010) 636. A spectrum belongs to a periodic image, so beyond the border lies the
other end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect_word
from isocenter.geometry import Floats
from isocenter.ops.responses.mapping import Dimension, Filter, Singles, axes_of, mapped
from isocenter.volume import Volume


@dataclass(frozen=True, slots=True)
class Simoncelli:
    """A band of Simoncelli's non-separable wavelet.

    Parameters
    ----------
    level
        From 1, the finest; the band of each further level lies an octave lower.
    dimension
        Whether each slice is filtered by itself, or the volume.
    """

    level: int = 1
    dimension: Dimension = "3D"

    def __post_init__(self) -> None:
        expect_word(self.dimension, Dimension, "The dimension")
        if not 1 <= self.level <= 10:
            raise UsageError(f"The level of a wavelet is 1 to 10, not {self.level}.")

    def response(self, volume: Volume) -> Volume:
        """The response map, float32."""

        def work(part: Singles) -> Singles:
            axes = sorted(axes_of(self.dimension))
            radius = np.sqrt(sum(one**2 for one in _frequencies(part.shape, axes)))
            return _filtered(part, _band(radius * 2 ** (self.level - 1)), axes)

        return mapped(volume, work)


@dataclass(frozen=True, slots=True)
class Riesz:
    """A component of the Riesz transform of another filter's response: its all-pass derivatives.

    Parameters
    ----------
    of
        The filter, such as ``Simoncelli(1)`` or ``LaplacianOfGaussian(3)``.
    order
        Order of the derivative along columns, rows and slices, as (1, 0, 0); two numbers for slices by themselves.
    """

    of: Filter
    order: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.order) not in (2, 3) or min(self.order) < 0 or not 1 <= sum(self.order) <= 10:
            raise UsageError(f"An order is two or three numbers of 0 or more, together 1 to 10; not {self.order!r}.")

    def response(self, volume: Volume) -> Volume:
        """The response map, float32."""

        def work(part: Singles) -> Singles:
            axes = axes_of("2D" if len(self.order) == 2 else "3D")
            parts = _frequencies(part.shape, sorted(axes))
            along = dict(zip(sorted(axes), parts, strict=True))
            radius = np.sqrt(sum(one**2 for one in parts))
            total = sum(self.order)
            weight = math.sqrt(math.factorial(total) / math.prod(math.factorial(n) for n in self.order))
            powers = (along[axis] ** n for axis, n in zip(axes, self.order, strict=True))
            spectrum = weight * reduce(np.multiply, powers) / np.where(radius > 0, radius, 1) ** total
            return _filtered(part, (-1j) ** total * spectrum, sorted(axes))

        return mapped(self.of.response(volume), work)


def _frequencies(shape: tuple[int, ...], axes: list[int]) -> list[Floats]:
    """Frequencies along each axis, in the order of the transform.

    They run from -1 to 1, both included, in even steps, as those of the reference values do; 1 stands for Nyquist's.
    """
    found = []
    for axis in axes:
        place = [1, 1, 1]
        place[axis] = shape[axis]
        steps = np.linspace(-1, 1, shape[axis]) if shape[axis] > 1 else np.zeros(1)
        found.append(np.fft.ifftshift(steps).reshape(place))
    return found


def _band(radius: Floats) -> Floats:
    """One octave to either side of half of Nyquist's frequency, by a cosine of its logarithm."""
    inside = (radius > 0.25) & (radius <= 1)
    return np.where(inside, np.cos(math.pi / 2 * np.log2(2 * np.where(inside, radius, 0.5))), 0.0)


def _filtered(array: Singles, spectrum: npt.NDArray[np.complexfloating] | Floats, axes: list[int]) -> Singles:
    from scipy import fft

    found: Singles = fft.ifftn(fft.fftn(array, axes=axes) * spectrum.astype(np.complex64), axes=axes).real
    return found
