"""Laws' kernels: products of level, edge, spot, wave and ripple along the axes, and the energy of their response.

IBSI 2, section 3.3 (JTXT); Laws, "Rapid texture identification", Proc SPIE 238 (1980) 376.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from isocenter.errors import UsageError, expect_word
from isocenter.ops.responses.mapping import SCIPY_MODE, Boundary, Pooling, Singles, axes_of, mapped
from isocenter.ops.responses.turning import Kernel, path, pooled, responses, turned
from isocenter.volume import Volume


def _unit(*weights: float) -> Kernel:
    kernel: Kernel = np.array(weights) / np.linalg.norm(weights)
    kernel.flags.writeable = False
    return kernel


KERNELS: MappingProxyType[str, Kernel] = MappingProxyType(
    {
        "L5": _unit(1, 4, 6, 4, 1),
        "E5": _unit(-1, -2, 0, 2, 1),
        "S5": _unit(-1, 0, 2, 0, -1),
        "W5": _unit(-1, 2, 0, -2, 1),
        "R5": _unit(1, -4, 6, -4, 1),
        "L3": _unit(1, 2, 1),
        "E3": _unit(-1, 0, 1),
        "S3": _unit(-1, 2, -1),
    }
)
"""Level, edge, spot, wave and ripple, each of length 1."""


@dataclass(frozen=True, slots=True)
class Laws:
    """The response to a product of Laws' kernels.

    Parameters
    ----------
    kernels
        One for each axis, along columns, rows and slices, as ``"L5E5E5"``; two of them filter slice by slice.
    pooling
        How the responses of all turns by right angles become one; by default the kernels are not turned.
    energy
        Reach in voxels of the mean of absolute responses, so that it covers ``2 energy + 1`` voxels along each axis; 0
        leaves the response as it is.
    boundary
        As in :mod:`isocenter.ops.responses.mapping`.
    """

    kernels: str
    pooling: Pooling | None = None
    energy: int = 0
    boundary: Boundary = "mirror"

    def __post_init__(self) -> None:
        expect_word(self.boundary, Boundary, "The boundary")
        if self.pooling is not None:
            expect_word(self.pooling, Pooling, "The pooling")
        if not re.fullmatch(rf"({'|'.join(KERNELS)}){{2,3}}", self.kernels):
            raise UsageError(
                f"Laws' kernels are two or three of {', '.join(KERNELS)}, as 'L5E5E5'; not {self.kernels!r}."
            )
        if self.energy < 0:
            raise UsageError(f"The reach of the energy is 0 voxels or more, not {self.energy}.")

    def response(self, volume: Volume) -> Volume:
        """The response map, or its energy, float32."""
        from scipy import ndimage

        named = [KERNELS[name] for name in re.findall("..", self.kernels)]
        axes = axes_of("2D" if len(named) == 2 else "3D")
        width = 2 * self.energy + 1

        def work(part: Singles) -> Singles:
            paths = [path([named], axes)] if self.pooling is None else turned([named], axes)
            found = pooled(responses(part, paths, self.boundary), self.pooling or "max")
            if not self.energy:
                return found
            size = tuple(width if axis in axes else 1 for axis in range(3))
            energy: Singles = ndimage.uniform_filter(np.abs(found), size, mode=SCIPY_MODE[self.boundary])
            return energy

        return mapped(volume, work)
