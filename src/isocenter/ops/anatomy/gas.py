"""Plain gas told from lung: bowel and stomach, air between lung and chest wall, and lungs that emphysema made as thin.

Density alone cannot tell: destroyed lung is as thin as gas, and scanners are off by some HU. But lung has vessels in
its depth, and gas has the density of that in the trachea. What is lung is decided in
:mod:`isocenter.ops.anatomy.lungs`.
"""

from __future__ import annotations

import numpy as np

from isocenter.findings import Mask
from isocenter.ops.anatomy.airways import Airways
from isocenter.ops.anatomy.body import BONE_HU
from isocenter.ops.anatomy.coarse import Axial
from isocenter.ops.boxes import box_of
from isocenter.ops.masks.morphology import close, components, dilate, erode, fill_cavities, opened

_VESSEL_HU = -800
_VESSELS = 0.02
"""Least share of vessels in the depth of a lung; plain gas has none but folds along its wall."""
_DEPTH_MM = 12.0
_HULL_MM = 4.0
_GAS_HU = -1000
"""Of plain gas, where the image holds no trachea to take it from."""
_MILD_HU = -975
"""No gas is taken to be denser: emphysema is."""
_SPREAD_HU = 10
_EMPTY_MM = 5.5
"""A ball of this radius fits between the vessels of no lung but a destroyed one."""
_POCKET_ML = 40.0
_RIB_MM = 15.0
ALONG_RIBS = 0.15


def near_ribs(ct: Axial, body: Mask) -> Mask:
    """Coarse mask of what lies along ribs and other bones."""
    return dilate(ct.coarse > BONE_HU, _RIB_MM, ct.coarse_mm) & body


def holds_vessels(ct: Axial, piece: Mask) -> bool:
    """Whether vessels run in the depth of an air space."""
    margin = [int(np.ceil(_HULL_MM / size)) + 1 for size in ct.coarse_mm]
    box = box_of(piece, margin)
    depth = erode(fill_cavities(close(piece[box], _HULL_MM, ct.coarse_mm)), _DEPTH_MM, ct.coarse_mm)
    return bool(depth.any() and np.mean(ct.coarse[box][depth] > _VESSEL_HU) >= _VESSELS)


def gas_hu(ct: Axial, airways: Airways) -> float:
    """Density of plain gas in this image: the median inside the trachea."""
    if len(airways.voxels) == 0:
        return _GAS_HU
    k, r, c = airways.voxels.T
    return min(float(np.median(ct.array[k, r, c])), _MILD_HU - _SPREAD_HU)


def find_pockets(ct: Axial, aerated: Mask, body: Mask, plain_hu: float) -> Mask:
    """Coarse mask of plain gas between lung and chest wall: large, empty of vessels, along the ribs."""
    from scipy.ndimage import uniform_filter

    pockets = np.zeros_like(aerated)
    if ct.ml(aerated & (ct.coarse <= plain_hu + _SPREAD_HU)) < _POCKET_ML:
        return pockets
    box = box_of(aerated)
    smooth = uniform_filter(ct.coarse[box].astype(np.float32), 3)
    plain = aerated[box] & (smooth <= plain_hu + _SPREAD_HU)
    pieces, counts = components(opened(plain, _EMPTY_MM, ct.coarse_mm))
    wall = near_ribs(ct, body)[box]
    along = np.bincount(pieces[wall], minlength=len(counts))
    kept = (counts * ct.coarse_voxel_ml >= _POCKET_ML) & (along >= ALONG_RIBS * counts)
    kept[0] = False
    if kept.any():
        loose = (
            dilate(kept[pieces], _EMPTY_MM, ct.coarse_mm) & aerated[box] & (ct.coarse[box] <= plain_hu + 6 * _SPREAD_HU)
        )
        pockets[box] = loose
    return pockets
