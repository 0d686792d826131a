"""Steps that add what a scanner adds: noise matched to the modality, and spikes.

Sizes are in units of the image (HU for CT; else in standard deviations of the image), see ``scale``. Noise is a
function of a seed and a voxel, so the same step gives the same noise on any device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from isocenter.augment.acquisition import gaussian_along
from isocenter.augment.counting import keys, uniform
from isocenter.augment.drawing import Range, Step, number, seed, settled, whole
from isocenter.augment.passes import Channel, Grain, Magnitude, Pass, Rice, Singles, Wave, White


@dataclass(frozen=True, kw_only=True)
class Noise(Step):
    """White Gaussian noise.

    Parameters
    ----------
    size
        Standard deviation in units of the image.
    """

    size: Range = number((0.0, 0.1), within=(0, 1e5))
    seed: int | None = seed()

    def passes(self, channel: Channel) -> list[Pass]:
        """What is done to a channel."""
        return [White(settled(self.size) * channel.one, keys(self.seed or 0, channel.number))]


@dataclass(frozen=True, kw_only=True)
class RicianNoise(Step):
    """The noise of an MR magnitude image (Gudbjartsson and Patz, 1995): Gaussian in both parts of the complex signal.

    Parameters
    ----------
    size
        Standard deviation of each part in units of the image.
    """

    modalities: ClassVar[tuple[str, ...]] = ("MR",)

    size: Range = number((0.0, 0.1), within=(0, 1e5))
    seed: int | None = seed()

    def passes(self, channel: Channel) -> list[Pass]:
        """What is done to a channel."""
        first, second = (keys(self.seed or 0, 2 * channel.number + part) for part in range(2))
        return [Rice(settled(self.size) * channel.one, channel.zero, first, second)]


@dataclass(frozen=True, kw_only=True)
class DoseNoise(Step):
    """The noise that a CT of less dose has more: quantum noise, alike in neighbouring voxels by the kernel.

    Parameters
    ----------
    dose
        Share of the dose: the noise of the counts that are left grows as ``noise_hu / sqrt(dose)``, and what is added
        makes up the difference.
    noise_hu
        Standard deviation that the image has at full dose.
    grain_mm
        Standard deviation of the Gaussian within slices that makes neighbours alike; 0 for white noise.
    """

    modalities: ClassVar[tuple[str, ...]] = ("CT",)

    dose: Range = number((0.25, 1.0), within=(0.001, 1))
    noise_hu: Range = number(12.0, within=(0, 1e4))
    grain_mm: Range = number((0.3, 0.9), within=(0, 50))
    seed: int | None = seed()

    def passes(self, channel: Channel) -> list[Pass]:
        """What is done to a channel."""
        size = settled(self.noise_hu) * math.sqrt(1 / settled(self.dose) - 1) * channel.one
        matrices: list[Singles | None] = [None]
        for axis in (1, 2):
            one = gaussian_along(channel.shape[axis], settled(self.grain_mm) / channel.spacing_mm[axis])
            matrices.append(None if one is None else one / np.linalg.norm(one, axis=1, keepdims=True))
        a, b, c = matrices
        return [Grain(size, keys(self.seed or 0, channel.number), (a, b, c))]


@dataclass(frozen=True, kw_only=True)
class Spikes(Step):
    """Stripes through an MR image, each from one frequency that was measured far too strong.

    Parameters
    ----------
    count
        How many.
    size
        How strong the stripes of each are, in units of the image.
    """

    modalities: ClassVar[tuple[str, ...]] = ("MR",)

    count: Range = whole(1, within=(1, 20))
    size: Range = number((0.1, 0.5), within=(0, 1e5))
    seed: int | None = seed()

    def passes(self, channel: Channel) -> list[Pass]:
        """What is done to a channel."""
        drawn = uniform(np.arange(4 * round(settled(self.count))), self.seed or 0).reshape(-1, 4)
        waves: list[Pass] = []
        for phase, *places in drawn:
            k, r, c = (_angle(place, n) for place, n in zip(places, channel.shape, strict=True))
            waves.append(Wave(settled(self.size) * channel.one, 2 * math.pi * phase, (k, r, c)))
        return [*waves, Magnitude(channel.zero)]


def _angle(place: float, voxels: int) -> float:
    """The angle from voxel to voxel of one of the frequencies of an axis."""
    return 2 * math.pi * math.floor((place - 0.5) * voxels) / voxels
