"""What the values of a file mean that does not say it: a guess, stated as a reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isocenter import codes
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

_GUESSED, _UNKNOWN = "UNIT_GUESSED", "UNIT_UNKNOWN"


def with_meaning(volume: Volume, *, name: str) -> Volume:
    """The volume with its unit guessed, unless it has one or a reason already says that it has none."""
    if volume.unit != codes.ONE or volume.modality not in ("", "CT") or _settled(volume):
        return volume
    if volume.modality == "CT" or looks_like_hu(volume.array):
        guess = Reason(
            _GUESSED, "The file names no unit; its values look like CT numbers and were taken as HU.", (name,)
        )
        return replace(volume, unit=codes.HU, modality="CT").with_reasons([guess])
    return volume.with_reasons([Reason(_UNKNOWN, "The file names no unit; its values are taken without one.", (name,))])


def looks_like_hu(array: Array) -> bool:
    """Whether values look like CT numbers: air near -1000 and soft tissue near 0, both seen, in the range of CT."""
    low, high = array.min(), array.max()
    if array.dtype.kind not in "if" or not (-8192 <= low <= -900 and 100 <= high <= 32767):
        return False
    some = array.ravel()[:: max(1, array.size // 1_000_000)]
    air = np.mean((some >= -1100) & (some <= -900))
    tissue = np.mean((some >= -150) & (some <= 150))
    return bool(air > 0.001 and tissue > 0.01)


def _settled(volume: Volume) -> bool:
    return any(reason.code in (_GUESSED, _UNKNOWN) for reason in volume.reasons)
