"""Gabor filters: waves of one length and direction under a Gaussian, slice by slice (IBSI 2, section 3.4; Q88H)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect_word
from isocenter.kernels import over_slices
from isocenter.ops.lattice import spacing_of
from isocenter.ops.responses.mapping import NUMPY_MODE, Boundary, Dimension, Pooling, Singles, mapped
from isocenter.ops.responses.turning import pooled
from isocenter.volume import Volume

_REACH = 7.0
"""Where the kernel ends, in standard deviations along its longer side."""
_PLANES = ((0, 1, 2), (1, 0, 2), (2, 0, 1))
"""Order of the axes: which one slices run along, then the two of a slice."""


@dataclass(frozen=True, slots=True)
class Gabor:
    """The modulus of the response to a complex wave under a Gaussian.

    Parameters
    ----------
    sigma_mm
        Standard deviation of the Gaussian along the wave.
    wavelength_mm
        Of the wave.
    aspect
        How much narrower the Gaussian is across the wave (gamma): its standard deviation there is sigma over aspect.
    angle
        Direction of the wave in radians, from the columns' axis towards that of the rows.
    step
        If given, responses of all angles from 0 to pi in these steps are pooled instead, by ``pooling``.
    pooling
        How responses become one, with ``step``.
    dimension
        ``"2D"``: in the slices; ``"3D"``: the mean of the responses in the planes across each of the three axes.
    boundary
        As in :mod:`isocenter.ops.responses.mapping`.
    """

    sigma_mm: float
    wavelength_mm: float
    aspect: float = 1.0
    angle: float = 0.0
    step: float | None = None
    pooling: Pooling = "mean"
    dimension: Dimension = "2D"
    boundary: Boundary = "mirror"

    def __post_init__(self) -> None:
        expect_word(self.dimension, Dimension, "The dimension")
        expect_word(self.boundary, Boundary, "The boundary")
        expect_word(self.pooling, Pooling, "The pooling")
        if not all(0 < x < math.inf for x in (self.sigma_mm, self.wavelength_mm, self.aspect)):
            raise UsageError("Scale, wavelength and aspect of a Gabor filter are positive.")
        if not math.isfinite(self.angle) or not (self.step is None or 0 < self.step <= math.pi):
            raise UsageError("The angle is finite, and the step between angles lies from 0 to pi.")

    @property
    def angles(self) -> tuple[float, ...]:
        """The directions whose responses are pooled."""
        if self.step is None:
            return (self.angle,)
        return tuple(self.step * n for n in range(max(1, round(math.pi / self.step))))

    def response(self, volume: Volume) -> Volume:
        """The response map, float32.

        Raises
        ------
        UsageError
            If the image has no spacing.
        """
        spacing = spacing_of(volume.grid)

        def work(part: Singles) -> Singles:
            planes = _PLANES[:1] if self.dimension == "2D" else _PLANES
            return pooled((self._across(part, spacing, order) for order in planes), "mean")

        return mapped(volume, work)

    def _across(self, array: Singles, spacing: tuple[float, float, float], order: tuple[int, int, int]) -> Singles:
        """The pooled response in the planes across the first axis of an order."""
        kernels = [self._kernel(angle, (spacing[order[1]], spacing[order[2]])) for angle in self.angles]
        planes = array.transpose(order)
        spectra = _Spectra.of(kernels, planes.shape[1:], self.boundary)
        out = np.empty(planes.shape, np.float32)

        def work(first: int, last: int) -> None:
            for index in range(first, last):
                out[index] = pooled(spectra.moduli(planes[index]), self.pooling)

        over_slices(work, out.shape)
        return np.ascontiguousarray(out.transpose(np.argsort(order)))

    def _kernel(self, angle: float, spacing: tuple[float, float]) -> npt.NDArray[np.complex128]:
        """The filter in a plane (row, column), sampled."""
        reach = _REACH * self.sigma_mm / min(self.aspect, 1.0)
        rows, columns = (np.arange(-half, half + 1) * size for half, size in _halves(reach, spacing))
        x, y = columns[None, :], rows[:, None]
        along = x * math.cos(angle) + y * math.sin(angle)
        across = y * math.cos(angle) - x * math.sin(angle)
        bell = np.exp(-(along**2 + self.aspect**2 * across**2) / (2 * self.sigma_mm**2))
        kernel: npt.NDArray[np.complex128] = bell * np.exp(2j * math.pi * along / self.wavelength_mm)
        return kernel


def _halves(reach: float, spacing: tuple[float, float]) -> list[tuple[int, float]]:
    return [(math.floor(reach / size + 0.5), size) for size in spacing]


@dataclass(frozen=True, slots=True)
class _Spectra:
    """Kernels in the space of frequencies, for planes of one shape that are padded by their reach.

    The transform is as long as the padded plane: what goes around its ends falls into the padding that is cut off.
    """

    kernels: list[npt.NDArray[np.complex64]]
    shape: tuple[int, ...]
    half: tuple[int, ...]
    boundary: Boundary

    @classmethod
    def of(cls, kernels: list[npt.NDArray[np.complex128]], plane: tuple[int, ...], boundary: Boundary) -> _Spectra:
        from scipy import fft

        half = tuple(n // 2 for n in kernels[0].shape)
        shape = tuple(fft.next_fast_len(n + 2 * h) for n, h in zip(plane, half, strict=True))
        return cls([fft.fft2(kernel.astype(np.complex64), shape) for kernel in kernels], shape, half, boundary)

    def moduli(self, plane: Singles) -> Iterator[Singles]:
        """Absolute values of a plane's convolution with each kernel, by one forward transform for all of them."""
        from scipy import fft

        padded = np.pad(plane, [(n, n) for n in self.half], mode=NUMPY_MODE[self.boundary])  # type: ignore[call-overload]
        spectrum = fft.fft2(padded, self.shape)
        inner = tuple(slice(2 * h, 2 * h + n) for h, n in zip(self.half, plane.shape, strict=True))
        for kernel in self.kernels:
            yield np.abs(fft.ifft2(spectrum * kernel)[inner])
