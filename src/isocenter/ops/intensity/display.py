"""Values through a window or lookup table: as a volume from 0 to 1, or as grey from 0 to 255 for pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.errors import UsageError, expect
from isocenter.volume import Array, Volume
from isocenter.windows import Display, mapped, preset


def windowed(volume: Volume, window: Display | str) -> Volume:
    """The volume through a window, or the CT window of a name, as float32 from 0 to 1 without a unit.

    Parameters
    ----------
    volume
        The image. NaN becomes 0.
    window
        A :class:`~isocenter.windows.Window`, one that came with the file (:func:`isocenter.windows_of`), or the name of
        one for CT such as ``"lung"`` (:data:`isocenter.windows.PRESETS`).

    Raises
    ------
    UsageError
        If there is no window of that name, or the volume is not in HU, which the windows with names are for.
    """
    expect(volume, Volume)
    if isinstance(window, str) and volume.unit != codes.HU:
        raise UsageError(f"The window {window!r} is for CT in HU; this image is in {volume.unit.value!r}.")
    chosen = preset(window) if isinstance(window, str) else window
    return volume.with_array(chosen.unit_range(volume.array), unit=codes.ONE)


def to_grey(values: Array, window: Display) -> npt.NDArray[np.uint8]:
    """Values through a window as grey from 0 to 255, rounded to the nearest."""

    def bytes_of(part: Array) -> Array:
        grey = window.unit_range(part)
        grey *= 255
        grey += 0.5
        return grey

    return mapped(values, bytes_of, np.uint8)
