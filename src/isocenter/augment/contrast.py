"""Steps that change how bright things are: shift, gain, contrast, gamma, bias field.

Sizes are in units of the image (HU for CT; else in standard deviations of the image), see ``scale``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from isocenter.augment.drawing import Range, Step, number, seed, settled
from isocenter.augment.passes import Channel, Field, Linear, Pass, Power
from isocenter.augment.space import covering, lattice_of, splines

_BITS = float(np.log2(np.e))


@dataclass(frozen=True, kw_only=True)
class Shift(Step):
    """A number added: for CT the drift of a calibration, for others an offset.

    Parameters
    ----------
    size
        In units of the image (HU for CT).
    """

    size: Range = number((-10.0, 10.0), within=(-1e5, 1e5))

    def passes(self, channel: Channel) -> list[Pass]:
        """What is done to a channel."""
        return [Linear(1.0, settled(self.size) * channel.one)]


@dataclass(frozen=True, kw_only=True)
class Gain(Step):
    """Signals times a factor: no signal stays none, so that all becomes brighter or darker.

    Parameters
    ----------
    factor
        Times what is above no signal.
    """

    factor: Range = number((0.9, 1.1), within=(0.01, 100))

    def passes(self, channel: Channel) -> list[Pass]:
        """What is done to a channel."""
        return [Linear(settled(self.factor), channel.zero * (1 - settled(self.factor)))]


@dataclass(frozen=True, kw_only=True)
class Contrast(Step):
    """Differences from the image's mean times a factor.

    Parameters
    ----------
    factor
        Times the difference.
    """

    factor: Range = number((0.8, 1.25), within=(0.01, 100))

    def passes(self, channel: Channel) -> list[Pass]:
        """What is done to a channel."""
        return [Linear(settled(self.factor), channel.mean * (1 - settled(self.factor)))]


@dataclass(frozen=True, kw_only=True)
class Gamma(Step):
    """Values from the least to the greatest bent by a power; both ends stay. No model of CT, whose values are fixed.

    Parameters
    ----------
    exponent
        Below 1 the middle becomes brighter.
    """

    modalities: ClassVar[tuple[str, ...]] = ("MR", "US", "XC", "ES", "GM", "SM", "OP", "CR", "DX", "MG", "PX")

    exponent: Range = number((0.75, 1.4), within=(0.05, 20))

    def passes(self, channel: Channel) -> list[Pass]:
        """What is done to a channel."""
        span = channel.high - channel.low
        return [Power(channel.low, span, settled(self.exponent))] if span > 0 else []


@dataclass(frozen=True, kw_only=True)
class BiasField(Step):
    """Signals times a smooth field, as of a receive coil of MR.

    Parameters
    ----------
    size
        The most that the field's natural logarithm is away from 0: 0.3 is from 0.74 to 1.35.
    control_mm
        Distance over which the field changes.
    """

    modalities: ClassVar[tuple[str, ...]] = ("MR",)

    size: Range = number((0.0, 0.3), within=(0, 5))
    control_mm: Range = number(100.0, within=(1, 1e4))
    seed: int | None = seed()

    def passes(self, channel: Channel) -> list[Pass]:
        """What is done to a channel."""
        shape, spacing, control = channel.shape, np.asarray(channel.spacing_mm), settled(self.control_mm)
        first, counts = covering(shape, spacing, control)
        controls = (2 * lattice_of(first, counts, self.seed or 0, 0) - 1) * settled(self.size) * _BITS
        k, r, c = (
            splines((np.arange(n) - (n - 1) / 2) * spacing[a] / control, first[a], counts[a]).astype(np.float32)
            for a, n in enumerate(shape)
        )
        return [Field(channel.zero, controls.astype(np.float32), (k, r, c))]
