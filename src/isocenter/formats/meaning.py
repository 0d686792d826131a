"""What the values of a file mean that does not say it, and where they lie: a guess or nothing, stated as a reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isocenter import codes
from isocenter.codes import Code
from isocenter.geometry import Grid, Space
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

UNSAID = Code("", "", "not said")
"""Unit of the values of a file that does not say it, until :func:`with_meaning` has looked at them."""


def with_meaning(volume: Volume, *, name: str) -> Volume:
    """The volume with a unit: its own, or the one that its values look like, with the reason for it."""
    if volume.unit != UNSAID:
        return volume
    is_ct = volume.modality == "CT" or (not volume.modality and looks_like_hu(volume.array))
    volume = replace(volume, unit=codes.HU if is_ct else codes.ONE)
    if is_ct:
        guess = Reason(
            "UNIT_GUESSED", "The file names no unit; its values look like CT numbers and were taken as HU.", (name,)
        )
        return replace(volume, modality="CT").with_reasons([guess])
    unknown = Reason("UNIT_UNKNOWN", "The file names no unit; its values are taken without one.", (name,))
    return volume.with_reasons([unknown])


def unplaced(array: Array, *, axes: tuple[str, ...], name: str) -> Volume:
    """Volume of a file that says neither what its values are nor where they lie: in pixels."""
    grid = Grid((array.shape[0], array.shape[1], array.shape[2]), np.eye(4), space=Space.PIXEL)
    text = "The file does not say how large a pixel is or where it lies."
    return Volume(array, grid, UNSAID, axes, reasons=(Reason("PIXEL_SIZE_UNKNOWN", text, (name,)),))


def looks_like_hu(array: Array) -> bool:
    """Whether values look like CT numbers: air near -1000 and soft tissue near 0, both seen, in the range of CT."""
    low, high = array.min(), array.max()
    if array.dtype.kind not in "if" or not (-8192 <= low <= -900 and 100 <= high <= 32767):
        return False
    some = array.ravel()[:: max(1, array.size // 1_000_000)]
    air = np.mean((some >= -1100) & (some <= -900))
    tissue = np.mean((some >= -150) & (some <= 150))
    return bool(air > 0.001 and tissue > 0.01)
