"""Colour maps: a table of colours for values from low to high."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Colors = npt.NDArray[np.uint8]


def _through(*stops: tuple[float, tuple[int, int, int]], steps: int = 256) -> Colors:
    """A table that runs straight between colours at places from 0 to 1."""
    places, colors = zip(*stops, strict=True)
    at = np.linspace(0, 1, steps)
    table = np.stack([np.interp(at, places, [color[k] for color in colors]) for k in range(3)], axis=1)
    return (table + 0.5).astype(np.uint8)


HOT = _through((0, (0, 0, 0)), (0.37, (230, 0, 0)), (0.75, (255, 225, 0)), (1, (255, 255, 255)))
"""Black, red, yellow, white: for what is laid over grey."""

DIVERGING = _through(
    (0, (40, 110, 255)), (0.25, (25, 60, 150)), (0.5, (0, 0, 0)), (0.75, (160, 60, 20)), (1, (255, 120, 40))
)
"""Blue below, black in the middle, orange above: for differences on a dark ground."""


def colored(values: npt.NDArray[np.floating], limits: Sequence[float], table: Colors) -> Colors:
    """Colours (..., 3) of values between two limits; beyond them the outermost, NaN as the lowest."""
    low, high = limits
    share = np.nan_to_num(np.clip((values - low) / (high - low), 0, 1))
    found: Colors = table[(share * (len(table) - 1) + 0.5).astype(np.intp)]
    return found
