"""What the axes and values of an array stand for: the one thing that an array itself does not say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.augment.passes import Channel
from isocenter.errors import InputError, UsageError
from isocenter.geometry import Triple


@dataclass(frozen=True)
class Scale:
    """What the axes and values of an array stand for.

    Parameters
    ----------
    spacing_mm
        Distance of voxels along (slice, row, column).
    zero
        What no signal is in the array (for CT 0 HU), for all channels or for each; None for the least value at hand.
    one
        How much in the array one unit of the image is (for CT 1 HU; else one standard deviation of the whole image):
        after a CT was brought to ``(hu - mean) / deviation``, ``zero`` is ``-mean / deviation`` and ``one`` is
        ``1 / deviation``.

    Raises
    ------
    UsageError
        If a spacing or a unit is not positive.
    """

    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    zero: float | tuple[float, ...] | None = None
    one: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        spacing = tuple(float(one) for one in self.spacing_mm)
        if len(spacing) != 3 or not all(0 < one < np.inf for one in spacing):
            raise UsageError(f"A spacing is three positive lengths in millimetres, not {self.spacing_mm!r}.")
        if not all(0 < one < np.inf for one in np.atleast_1d(self.one)):
            raise UsageError(f"One unit of the image is a positive number in the array, not {self.one!r}.")
        object.__setattr__(self, "spacing_mm", spacing)

    def channels(self, images: npt.NDArray[np.float32], shape: Triple) -> Iterator[Channel]:
        """What steps need to know of each channel (channel, slice, row, column), as it is before any step."""
        for number, values in enumerate(images):
            facts = float(values.min()), float(values.max()), float(values.mean(dtype=np.float64))
            yield self.channel((number, len(images)), shape, facts)

    def channel(self, which: tuple[int, int], shape: Triple, facts: tuple[float, float, float]) -> Channel:
        """What steps need to know of a channel.

        Parameters
        ----------
        which
            Its number from 0, and how many there are.
        shape
            Of the new image.
        facts
            Its least, greatest and middle value.

        Raises
        ------
        InputError
            If one is NaN or infinite.
        """
        if not np.isfinite(facts).all():
            raise InputError("Some values are NaN or infinite: replace them before the image is augmented.")
        zero, one = (self._of(name, *which) for name in ("zero", "one"))
        return Channel(shape, self.spacing_mm, facts[0] if zero is None else zero, one, *facts, which[0])

    def _of(self, name: str, number: int, channels: int) -> Any:
        value = getattr(self, name)
        if not isinstance(value, tuple | list):
            return value
        if len(value) != channels:
            raise UsageError(f"{name} is one number, or one for each of {channels} channels, not {len(value)}.")
        return float(value[number])
