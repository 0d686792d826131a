"""Filters that take no orientation: mean, and Laplacian of Gaussian."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect_word
from isocenter.ops.lattice import spacing_of
from isocenter.ops.responses.mapping import SCIPY_MODE, Boundary, Dimension, Singles, axes_of, mapped
from isocenter.ops.responses.turning import path, responses
from isocenter.volume import Volume


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a square or cube of voxels (IBSI 2, section 3.1; S60F).

    Parameters
    ----------
    support
        Voxels along each axis; odd.
    dimension, boundary
        As in :mod:`isocenter.ops.responses.mapping`.
    """

    support: int
    dimension: Dimension = "3D"
    boundary: Boundary = "mirror"

    def __post_init__(self) -> None:
        expect_word(self.dimension, Dimension, "The dimension")
        expect_word(self.boundary, Boundary, "The boundary")
        if self.support < 1 or self.support % 2 == 0:
            raise UsageError(f"The support of a mean is an odd number of voxels, not {self.support}.")

    def response(self, volume: Volume) -> Volume:
        """The response map, float32 in the image's own unit."""
        from scipy import ndimage

        size = (1 if self.dimension == "2D" else self.support, self.support, self.support)
        mode = SCIPY_MODE[self.boundary]
        return mapped(volume, lambda part: ndimage.uniform_filter(part, size, mode=mode), volume.unit)


@dataclass(frozen=True, slots=True)
class LaplacianOfGaussian:
    """The Laplacian of the image smoothed by a Gaussian (IBSI 2, section 3.2; L6PA).

    Parameters
    ----------
    sigma_mm
        Standard deviation of the Gaussian.
    cutoff
        Where the kernel ends, in standard deviations.
    dimension, boundary
        As in :mod:`isocenter.ops.responses.mapping`.
    """

    sigma_mm: float
    cutoff: float = 4.0
    dimension: Dimension = "3D"
    boundary: Boundary = "mirror"

    def __post_init__(self) -> None:
        expect_word(self.dimension, Dimension, "The dimension")
        expect_word(self.boundary, Boundary, "The boundary")
        if not (0 < self.sigma_mm < math.inf and 0 < self.cutoff < math.inf):
            raise UsageError(f"Scale and cutoff are positive, not {self.sigma_mm} mm and {self.cutoff}.")

    def response(self, volume: Volume) -> Volume:
        """The response map, float32, per voxel squared as the standard has it: of the smallest side of a voxel.

        Raises
        ------
        UsageError
            If the image has no spacing.
        """
        spacing = spacing_of(volume.grid)
        axes = axes_of(self.dimension)
        bells = [_bell(self.sigma_mm / spacing[axis], self.cutoff) for axis in axes]
        least = min(spacing[axis] for axis in axes)  # one unit of length, or it would be no Laplacian
        curves = [_curved(self.sigma_mm / spacing[axis], self.cutoff) * (least / spacing[axis]) ** 2 for axis in axes]

        def work(part: Singles) -> Singles:
            total = np.zeros(part.shape, np.float32)
            for bent in range(len(axes)):
                kernels = [curves[i] if i == bent else bells[i] for i in range(len(axes))]
                total += next(responses(part, [path([kernels], axes)], self.boundary))
            return total

        return mapped(volume, work)


def _reach(sigma: float, cutoff: float) -> npt.NDArray[np.float64]:
    half = math.floor(cutoff * sigma + 0.5)
    return np.arange(-half, half + 1, dtype=np.float64)


def _bell(sigma: float, cutoff: float) -> npt.NDArray[np.float64]:
    """A Gaussian, sampled."""
    k = _reach(sigma, cutoff)
    bell: npt.NDArray[np.float64] = np.exp(-(k**2) / (2 * sigma**2)) / (math.sqrt(2 * math.pi) * sigma)
    return bell


def _curved(sigma: float, cutoff: float) -> npt.NDArray[np.float64]:
    """Its second derivative, sampled."""
    k = _reach(sigma, cutoff)
    curved: npt.NDArray[np.float64] = (k**2 / sigma**2 - 1) / sigma**2 * _bell(sigma, cutoff)
    return curved
