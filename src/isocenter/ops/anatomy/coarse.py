"""The coarse image on which anatomy is told apart, and the way between it and the full grid.

Topology (what is connected to what) needs no fine voxels, borders do: segmenters decide on voxels of about 2 mm and
refine the border on the full grid. Both run on an axial view (head to feet, front to back, right to left) of whatever
grid the volume has. What is decided lives in the modules of each organ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.errors import Refused
from isocenter.findings import Mask
from isocenter.geometry import Grid
from isocenter.kernels import kernel, over_slices
from isocenter.ops.anatomy.circle import padding
from isocenter.ops.masks.morphology import dilate
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

Shorts = npt.NDArray[np.int16]

AXIAL = "IPL"
"""Slices head to feet, rows front to back, columns right to left."""
COARSE_MM = 2.0
"""Voxel size aimed at."""
_RIM = 2.2
"""Thickness in coarse voxels: no way through in the plane."""
_FAR_MM = 1e4


@dataclass(frozen=True, eq=False)
class Axial:
    """A CT seen along the patient's axes.

    Parameters
    ----------
    array
        int16 HU (slice, row, column), C-contiguous, read-only.
    grid
        Its grid, of orientation :data:`AXIAL` (as near as a grid's axes allow).
    coarse
        int16 block means of about :data:`COARSE_MM`.
    factors
        Voxels per block along each axis; the last block may hold fewer.
    """

    array: Shorts = field(repr=False)
    grid: Grid
    coarse: Shorts = field(repr=False)
    factors: tuple[int, int, int]

    @cached_property
    def coarse_mm(self) -> tuple[float, float, float]:
        """Coarse voxel size along (slice, row, column)."""
        k, r, c = (s * f for s, f in zip(self.grid.spacing_mm, self.factors, strict=True))
        return k, r, c

    @cached_property
    def coarse_voxel_ml(self) -> float:
        """Volume of a coarse voxel."""
        return self.grid.voxel_volume_ml * float(np.prod(self.factors))

    @cached_property
    def padding(self) -> Mask:
        """(row, column) mask of what lies beyond the scanner's circle, in every slice alike."""
        return padding(self.array)

    @cached_property
    def unseen(self) -> Mask:
        """The coarse voxels of a slice that lie beyond the scanner's circle for the most part."""
        _, fr, fc = self.factors
        rows, columns = (np.arange(0, n, f) for n, f in zip(self.padding.shape, (fr, fc), strict=True))
        counts = np.add.reduceat(np.add.reduceat(self.padding, rows, axis=0, dtype=np.int32), columns, axis=1)
        most: Mask = np.asarray(counts > fr * fc / 2)
        return most

    @cached_property
    def rim(self) -> Mask:
        """Coarse (row, column) mask of what lies inside the scanner's circle along its edge."""
        _, row_mm, column_mm = self.coarse_mm
        wide = dilate(self.unseen[None], _RIM * max(row_mm, column_mm), (_FAR_MM, row_mm, column_mm))[0]
        rim: Mask = wide & ~self.unseen
        return rim

    def at_rim_mm2(self, mask: Mask) -> float:
        """Area along which a coarse mask meets the edge of the scanner's circle, about."""
        depth, height, width = self.coarse_mm
        return np.count_nonzero(mask & self.rim) / _RIM * depth * max(height, width)

    def ml(self, mask: Mask) -> float:
        """Volume of a coarse mask."""
        return int(np.count_nonzero(mask)) * self.coarse_voxel_ml

    def fine(self, coarse: Array) -> Array:
        """A coarse array repeated onto the full grid."""
        for axis, factor in enumerate(self.factors):
            coarse = np.repeat(coarse, factor, axis)
        k, r, c = self.grid.shape
        return coarse[:k, :r, :c]


def axial_view(volume: Volume) -> Axial:
    """The volume along the patient's axes, with its coarse image.

    Raises
    ------
    Refused
        With ``WRONG_MODALITY`` if the volume is no CT in HU or not three-dimensional.
    """
    if volume.unit != codes.HU or volume.axes:
        text = f"Anatomy is told apart by CT numbers, and this volume is {volume.modality or 'an image'} in "
        raise Refused([Reason("WRONG_MODALITY", f"{text}{volume.unit.meaning}.")])
    order, flips = volume.grid.axes_towards(AXIAL)
    array = np.ascontiguousarray(np.flip(volume.array.transpose(order), flips))
    if array.dtype != np.int16:
        array = np.clip(np.nan_to_num(np.rint(array), nan=-1024), -1024, 32767).astype(np.int16)
    array = array.view()
    array.flags.writeable = False  # one type for the compiled kernels, whatever the volume is
    grid = volume.grid.reorient(AXIAL)
    k, r, c = (max(1, round(COARSE_MM / s)) for s in grid.spacing_mm)
    return Axial(array, grid, block_mean(array, (k, r, c)), (k, r, c))


def to_volume_axes(labels: Array, grid: Grid) -> Array:
    """An axial label map back on the axes of the volume's own grid: the inverse of the axial view."""
    order, flips = grid.axes_towards(AXIAL)
    return np.ascontiguousarray(np.flip(labels, flips).transpose(np.argsort(order)))


def block_mean(array: Shorts, factors: tuple[int, int, int]) -> Shorts:
    """Mean of each block of voxels; blocks at the far ends hold what is left."""
    out = np.empty([-(-n // f) for n, f in zip(array.shape, factors, strict=True)], np.int16)
    over_slices(lambda start, stop: _block_mean(array, out, factors, (start, stop)), out.shape)
    return out


@kernel
def _block_mean(array: Array, out: Array, factors: tuple[int, int, int], span: tuple[int, int]) -> None:
    fk, fr, fc = factors
    nk, nr, nc = array.shape
    sums = np.empty(out.shape[2], np.int64)
    for k in range(span[0], span[1]):
        k1 = min(nk, (k + 1) * fk)
        for r in range(out.shape[1]):
            r1 = min(nr, (r + 1) * fr)
            for c in range(out.shape[2]):
                sums[c] = 0
            for i in range(k * fk, k1):
                for j in range(r * fr, r1):
                    for c in range(nc):
                        sums[c // fc] += array[i, j, c]
            for c in range(out.shape[2]):
                count = (k1 - k * fk) * (r1 - r * fr) * (min(nc, (c + 1) * fc) - c * fc)
                out[k, r, c] = round(sums[c] / count)
