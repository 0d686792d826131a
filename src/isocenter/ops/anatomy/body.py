"""The body: everything inside the skin, without table, clothes and the air around."""

from __future__ import annotations

import numpy as np

from isocenter.ops.anatomy.coarse import Axial, Mask
from isocenter.ops.anatomy.morphology import components, dilate, erode, fill_in_plane

SKIN_HU = -350
"""Half-way between air and skin with its fat."""
_TABLE_MM = 4.5
"""What is thinner than twice this, or hangs on by less, is no part of the body."""
_PART = 0.05
"""A separate piece (an arm, a leg) counts from this share of the largest on."""


def find_body(ct: Axial) -> Mask:
    """Coarse mask of the body with all that it encloses, slice by slice; empty if there is no body."""
    tissue = ct.coarse > SKIN_HU
    solid = fill_in_plane(tissue)
    core = erode(solid, _TABLE_MM, ct.coarse_mm)
    labels, counts = components(core)
    if len(counts) < 2 or counts[1:].max() * ct.coarse_voxel_ml < 20:
        return np.zeros_like(tissue)
    kept = np.isin(labels, 1 + np.flatnonzero(counts[1:] >= _PART * counts[1:].max()))
    body: Mask = dilate(kept, _TABLE_MM + max(ct.coarse_mm[1:]), ct.coarse_mm) & solid
    return fill_in_plane(body)
