"""Mapping values: display windows and clipping. Where voxels lie is never touched here."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.errors import UsageError
from isocenter.volume import Array, Volume


@dataclass(frozen=True, slots=True)
class Window:
    """Window center and width (PS3.3 C.11.2.1.2), in the unit of the image."""

    center: float
    width: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.center) and self.width >= 1):
            raise UsageError(f"A window has a finite center and a width of at least 1, not {self.center}/{self.width}.")


PRESETS: MappingProxyType[str, Window] = MappingProxyType(
    {
        "lung": Window(-600, 1500),
        "mediastinum": Window(50, 350),
        "soft tissue": Window(40, 400),
        "liver": Window(90, 150),
        "brain": Window(40, 80),
        "subdural": Window(75, 215),
        "bone": Window(400, 1800),
        "angiography": Window(300, 600),
    }
)
"""Windows for CT in HU, by name."""


def preset(name: str) -> Window:
    """The CT window of that name.

    Raises
    ------
    UsageError
        If there is none.
    """
    if name not in PRESETS:
        raise UsageError(f"No window {name!r}; there are {', '.join(PRESETS)}.")
    return PRESETS[name]


def to_unit_range(values: npt.ArrayLike, window: Window) -> npt.NDArray[np.float32]:
    """Values through DICOM's LINEAR window, from 0 to 1 (PS3.3 C.11.2.1.2.1).

    With center c and width w: 0 up to ``c - 0.5 - (w - 1) / 2``, 1 above ``c - 0.5 + (w - 1) / 2``, and
    ``(x - (c - 0.5)) / (w - 1) + 0.5`` between. NaN becomes 0.
    """
    x: Array = np.asarray(values)
    x = x.astype(np.float64 if x.dtype.itemsize > 4 else np.float32)
    if window.width == 1:
        return np.greater(x, window.center - 0.5).astype(np.float32)
    x -= window.center - 0.5
    x /= window.width - 1
    x += 0.5
    return np.nan_to_num(np.clip(x, 0, 1, out=x), copy=False).astype(np.float32, copy=False)


def to_grey(values: Array, window: Window) -> npt.NDArray[np.uint8]:
    """Values through DICOM's LINEAR window as grey from 0 to 255, rounded to the nearest.

    16-bit integers go through a table, which is several times as fast.
    """
    if values.dtype in (np.int16, np.uint16):
        every = np.arange(65536, dtype=np.uint16)
        table = _grey(every.view(values.dtype), window)
        return table[values.view(np.uint16)]
    return _grey(values, window)


def _grey(values: Array, window: Window) -> npt.NDArray[np.uint8]:
    grey = to_unit_range(values, window)
    grey *= 255
    grey += 0.5
    return grey.astype(np.uint8)


def windowed(volume: Volume, window: Window | str) -> Volume:
    """The volume through a window, or the CT window of a name, as float32 from 0 to 1 without a unit.

    Raises
    ------
    UsageError
        If there is no window of that name, or the volume is not in HU, which the windows with names are for.
    """
    if isinstance(window, str) and volume.unit != codes.HU:
        raise UsageError(f"The window {window!r} is for CT in HU; this image is in {volume.unit.value!r}.")
    chosen = preset(window) if isinstance(window, str) else window
    return volume.with_array(to_unit_range(volume.array, chosen), unit=codes.ONE)


def clipped(volume: Volume, low: float, high: float) -> Volume:
    """The volume with values below ``low`` or above ``high`` set to that limit; the dtype is kept."""
    if not low <= high:
        raise UsageError(f"The lower limit {low} is above the upper limit {high}.")
    bounds: tuple[Any, Any] = (low, high)
    if volume.array.dtype.kind in "ui":
        limits = np.iinfo(volume.array.dtype)
        bounds = (max(int(np.ceil(low)), limits.min), min(int(np.floor(high)), limits.max))
        if bounds[0] > bounds[1]:
            raise UsageError(f"No whole number of type {volume.array.dtype} lies from {low} to {high}.")
    return volume.with_array(np.clip(volume.array, *bounds).astype(volume.array.dtype, copy=False))
