"""Histogram standardisation: the landmarks of many images become one scale, onto which each is mapped piece by piece.

Nyúl and Udupa, "On standardizing the MR image intensity scale", Magn Reson Med 42 (1999) 1072; Nyúl, Udupa and Zhang,
IEEE Trans Med Imaging 19 (2000) 143 (landmarks at the deciles, linear between).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isocenter import codes
from isocenter.errors import InputError, UsageError
from isocenter.findings import Segmentation
from isocenter.ops.intensity.scale import percentiles
from isocenter.volume import Array, Volume
from isocenter.windows import mapped

DECILES = (1.0, *(10.0 * i for i in range(1, 10)), 99.0)
"""Percentiles of the landmarks: the deciles between the 1st and the 99th."""


@dataclass(frozen=True)
class Standard:
    """A scale that images of one kind are mapped onto.

    Parameters
    ----------
    shares
        Percentiles of the landmarks, rising.
    landmarks
        Where they lie on the scale, which runs from 0 to 1.
    """

    shares: tuple[float, ...]
    landmarks: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.shares) != len(self.landmarks) or len(self.shares) < 2:
            raise UsageError("A standard has two landmarks or more, and a place on the scale for each.")
        if np.any(np.diff(self.shares) <= 0) or np.any(np.diff(self.landmarks) < 0):
            raise UsageError("Percentiles and landmarks of a standard rise.")

    def apply(self, volume: Volume, inside: Segmentation | None = None) -> Volume:
        """The volume on this scale, as float32 without a unit.

        Values beyond the outermost landmarks go on along the first and last piece, so that none is cut off.

        Parameters
        ----------
        volume
            An image of the kind that the standard was learnt from. NaN stays.
        inside
            Where its percentiles are taken, such as the head; by default everywhere.

        Raises
        ------
        InputError
            If its values are all equal.
        """
        own = _landmarks(volume, self.shares, inside)
        places, values = _rising(own, np.asarray(self.landmarks))

        def curve(x: Array) -> Array:
            scaled = np.interp(x, places, values)
            below, above = x < places[0], x > places[-1]
            scaled[below] = values[0] + (x[below] - places[0]) * _slope(places[:2], values[:2])
            scaled[above] = values[-1] + (x[above] - places[-1]) * _slope(places[-2:], values[-2:])
            return np.asarray(scaled)

        return volume.with_array(mapped(volume.array, curve), unit=codes.ONE)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"shares": list(self.shares), "landmarks": list(self.landmarks)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Standard:
        """The inverse of :meth:`to_dict`."""
        return cls(tuple(values["shares"]), tuple(values["landmarks"]))


def learn_standard(
    volumes: Iterable[Volume],
    inside: Sequence[Segmentation] | None = None,
    *,
    shares: Sequence[float] = DECILES,
) -> Standard:
    """The mean landmarks of images of one kind, each stretched to 0 .. 1 between its outermost two.

    Parameters
    ----------
    volumes
        Images of one kind (one MR sequence, one part of the body); one at a time is held.
    inside
        Where the percentiles of each are taken; by default everywhere.
    shares
        Percentiles of the landmarks, rising.

    Raises
    ------
    InputError
        If there are no images, or the values of one are all equal.
    """
    if len(shares) < 2 or np.any(np.diff(shares) <= 0) or shares[0] < 0 or shares[-1] > 100:
        raise UsageError("Landmarks are two percentiles or more, from 0 to 100, rising.")
    found = []
    for number, volume in enumerate(volumes):
        if inside is not None and number >= len(inside):
            raise UsageError(f"There are masks for {len(inside)} images, and more images.")
        own = _landmarks(volume, shares, None if inside is None else inside[number])
        found.append((own - own[0]) / (own[-1] - own[0]))
    if not found:
        raise InputError("There are no images to learn a standard from.")
    if inside is not None and len(inside) > len(found):
        raise UsageError(f"There are masks for {len(inside)} images, and only {len(found)} images.")
    return Standard(tuple(shares), tuple(np.mean(found, axis=0).tolist()))


def _landmarks(volume: Volume, shares: Sequence[float], inside: Segmentation | None) -> Any:
    own = np.array(percentiles(volume, shares, inside=inside))
    if own[0] == own[-1]:
        raise InputError("The values of an image are (nearly) all equal: it has no landmarks.")
    return own


def _rising(places: Any, values: Any) -> tuple[Any, Any]:
    """Landmarks without those at the place of the one before them, which many equal voxels (air) bring about."""
    keep = np.concatenate([[True], np.diff(places) > 0])
    return places[keep], values[keep]


def _slope(places: Any, values: Any) -> float:
    return float((values[1] - values[0]) / (places[1] - places[0]))
