"""Separable wavelets, undecimated: low-pass and high-pass along the axes, level by level (IBSI 2, section 3.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isocenter.errors import UsageError, expect_word
from isocenter.ops.responses.mapping import Boundary, Pooling, Singles, axes_of, mapped
from isocenter.ops.responses.turning import Kernel, path, pooled, responses, turned
from isocenter.volume import Volume


@dataclass(frozen=True, slots=True)
class SeparableWavelet:
    """A band of an undecimated separable wavelet transform.

    Parameters
    ----------
    wavelet
        Name of an orthogonal wavelet as PyWavelets has it: ``"haar"``, ``"db3"``, ``"coif1"``, ...
    band
        ``L`` (low-pass) or ``H`` (high-pass) for each axis, along columns, rows and slices, as ``"LLH"``; two of them
        filter slice by slice. Levels before the last are low-passed along all axes.
    level
        From 1; each further level doubles the scale.
    pooling
        How the responses of all turns by right angles become one; by default the kernels are not turned.
    boundary
        As in :mod:`isocenter.ops.responses.mapping`.
    """

    wavelet: str
    band: str
    level: int = 1
    pooling: Pooling | None = None
    boundary: Boundary = "mirror"

    def __post_init__(self) -> None:
        import pywt

        expect_word(self.boundary, Boundary, "The boundary")
        if self.pooling is not None:
            expect_word(self.pooling, Pooling, "The pooling")
        if self.wavelet not in pywt.wavelist(kind="discrete"):
            raise UsageError(f"There is no discrete wavelet {self.wavelet!r}; there are haar, db2, coif1, sym4, ...")
        if len(self.band) not in (2, 3) or set(self.band) - {"L", "H"}:
            raise UsageError(f"A band is two or three of L and H, as 'LLH'; not {self.band!r}.")
        if not 1 <= self.level <= 10:
            raise UsageError(f"The level of a wavelet is 1 to 10, not {self.level}.")

    def response(self, volume: Volume) -> Volume:
        """The response map of the band, float32."""
        axes = axes_of("2D" if len(self.band) == 2 else "3D")
        bands = [*["L" * len(axes)] * (self.level - 1), self.band]
        steps = [tuple(self._kernel(letter, step) for letter in band) for step, band in enumerate(bands)]

        paths = [path(steps, axes)] if self.pooling is None else turned(steps, axes)

        def work(part: Singles) -> Singles:
            return pooled(responses(part, paths, self.boundary), self.pooling or "max")

        return mapped(volume, work)

    def _kernel(self, letter: str, step: int) -> Kernel:
        """The filter of a letter with ``2**step - 1`` zeros between its weights, odd in length so that it has a middle.

        Where the number of weights is even, a zero behind the last makes it odd, as the reference values have it.
        """
        import pywt

        wavelet = pywt.Wavelet(self.wavelet)
        weights = list(wavelet.dec_lo if letter == "L" else wavelet.dec_hi)
        weights += [0.0] * (1 - len(weights) % 2)
        spread = np.zeros((len(weights) - 1) * 2**step + 1)
        spread[:: 2**step] = weights
        return spread
