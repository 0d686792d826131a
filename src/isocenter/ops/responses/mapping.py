"""From a volume to the response of a filter: which values are taken, along which axes, what lies beyond the border."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.codes import Code
from isocenter.ops.filters.values import filtered
from isocenter.volume import Volume

Singles = npt.NDArray[np.float32]

Boundary = Literal["zero", "nearest", "periodic", "mirror"]
"""What lies beyond the border (IBSI 2, section 2.4): nothing, the last voxel, the other end, the image mirrored."""

Dimension = Literal["2D", "3D"]
"""Whether each slice is filtered by itself, or the volume."""

Pooling = Literal["max", "min", "mean"]
"""How the responses of several orientations become one."""

SCIPY_MODE = {"zero": "constant", "nearest": "nearest", "periodic": "wrap", "mirror": "reflect"}
"""What SciPy calls each boundary."""
NUMPY_MODE = {"zero": "constant", "nearest": "edge", "periodic": "wrap", "mirror": "symmetric"}
"""What NumPy calls each boundary."""


class Filter(Protocol):
    """What all filters have."""

    def response(self, volume: Volume) -> Volume:
        """The response map of a volume, float32 on its own grid."""
        ...


def mapped(volume: Volume, work: Callable[[Singles], Any], unit: Code = codes.ONE) -> Volume:
    """The volume with ``work`` done on each (slice, row, column) part of it in float32.

    Raises
    ------
    InputError
        If a value is NaN or infinite, which every filter would spread.
    """
    return filtered(volume, lambda part: _singles(work(part.astype(np.float32))), unit=unit)


def axes_of(dimension: Dimension) -> tuple[int, ...]:
    """The axes that are filtered along, in the order of the standard: columns, rows, then slices."""
    return (2, 1) if dimension == "2D" else (2, 1, 0)


def _singles(array: Any) -> Singles:
    found: Singles = np.ascontiguousarray(array, np.float32)
    return found
