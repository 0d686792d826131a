"""Dense lung along the chest wall: infiltrates and collapse that look like the wall itself and are known by shape.

Where the outline of a lung is notched from the side of the ribs, the notch is dense lung: nothing else grows in there.
Notches from the side of heart, hilum, great vessels and diaphragm are left as they are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.findings import Mask
from isocenter.ops.anatomy.coarse import Axial
from isocenter.ops.boxes import box_of
from isocenter.ops.masks.morphology import close, dilate, opened

_NOTCH_MM = 70.0
_RIB_MM = 14.0
_RIB_HU = 200
_OFF_SPINE_MM = 32.0
_THIN_MM = 1.5


def costal_notches(ct: Axial, lung: Mask, body: Mask, midline: int) -> Mask:
    """Coarse mask of what fills the notches that the chest wall seems to make in one lung."""
    box = box_of(lung)
    part, hu = lung[box], ct.coarse[box]
    columns = np.arange(lung.shape[2])[box[2]]
    lateral = np.abs(columns - midline) * ct.coarse_mm[2] > _OFF_SPINE_MM
    ribs = (hu > _RIB_HU) & body[box] & lateral
    notches = _bridged(part, ct.coarse_mm) & ~part & body[box] & lateral
    notches &= dilate(ribs, _RIB_MM, ct.coarse_mm) & ~ribs
    notches &= ~_medial(part, columns, midline)
    found = np.zeros_like(lung)
    found[box] = opened(notches, _THIN_MM, ct.coarse_mm)
    return found


def _bridged(lung: Mask, voxel_mm: tuple[float, float, float]) -> Mask:
    """The lung closed as if the image went on around it."""
    margins = [int(np.ceil(_NOTCH_MM / size)) + 1 for size in voxel_mm]
    closed = close(np.pad(lung, [(margin, margin) for margin in margins]), _NOTCH_MM, voxel_mm)
    inner: Mask = closed[tuple(slice(margin, -margin) for margin in margins)]
    return inner


def _medial(lung: Mask, columns: npt.NDArray[np.intp], midline: int) -> Mask:
    """What lies between the lung and the midline, row by row."""
    right = columns[lung.any(axis=(0, 1))].mean() < midline
    facing = lung if right else lung[:, :, ::-1]
    beyond = np.cumsum(facing[:, :, ::-1], axis=2)[:, :, ::-1] == 0
    beyond &= facing.any(axis=2, keepdims=True)
    medial: Mask = beyond if right else beyond[:, :, ::-1]
    return medial
