"""The body: everything inside the skin, without table, clothes and the air around."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.findings import Mask
from isocenter.ops.anatomy.coarse import Axial
from isocenter.ops.masks.morphology import components, dilate, erode, fill_in_plane, outside_in_plane, pieces_in_plane

SKIN_HU = -350
"""Half-way between air and skin with its fat."""
BONE_HU = 220
_SPINE_MM = 30.0
_TABLE_MM = 4.5
"""What is thinner than twice this, or hangs on by less, is no part of the body."""
_PART = 0.05
"""A separate piece (an arm, a leg) counts from this share of the largest on."""
_LEAST_ML = 20.0
_OUTER_AIR_HU = -950
"""A quarter of the air along the border is below this where it is outside, and none where the border cuts a lung."""


def find_body(ct: Axial) -> Mask:
    """Coarse mask of the body with all that it encloses, slice by slice; empty if there is no body."""
    tissue = ct.coarse > SKIN_HU
    body = _solid_part(fill_in_plane(tissue), ct)
    gaps, holes = _cut_lung(body, ct), _lung_at_circle(tissue, ct)
    if gaps.any() or holes.any():
        body = _solid_part(~outside_in_plane(tissue | holes, ~gaps), ct)
        body = ~outside_in_plane(body, ~gaps)
    return body & ~ct.unseen


def find_midline(ct: Axial, body: Mask) -> int:
    """Coarse column of spine and breastbone: where most bone lies behind and before each other."""
    profile = ((ct.coarse > BONE_HU) & body).sum(axis=(0, 1)).astype(float)
    width = max(1, round(_SPINE_MM / ct.coarse_mm[2]))
    return int(np.argmax(np.convolve(profile, np.ones(width), mode="same")))


def _solid_part(solid: Mask, ct: Axial) -> Mask:
    """The large pieces of a filled mask, without what hangs on by a thin bridge."""
    labels, counts = components(erode(solid, _TABLE_MM, ct.coarse_mm))
    if len(counts) < 2 or counts[1:].max() * ct.coarse_voxel_ml < _LEAST_ML:
        return np.zeros_like(solid)
    kept = np.isin(labels, 1 + np.flatnonzero(counts[1:] >= _PART * counts[1:].max()))
    return fill_in_plane(dilate(kept, _TABLE_MM + max(ct.coarse_mm[1:]), ct.coarse_mm) & solid)


def _cut_lung(body: Mask, ct: Axial) -> Mask:
    """Where the border of the image cuts through lung: gaps of its density in a body that the border cuts too."""
    gaps = np.zeros_like(body)
    rows, columns = _ring(body.shape[1], body.shape[2])
    on = body[:, rows, columns]
    for k in np.flatnonzero(on.any(axis=1) & ~on.all(axis=1)):
        start = int(np.argmax(on[k]))
        inside = np.roll(on[k], -start)
        values = np.roll(ct.coarse[k, rows, columns], -start)
        places = np.roll(np.arange(len(rows)), -start)
        edges = np.flatnonzero(np.diff(np.concatenate([inside, [True]]).astype(np.int8)))
        for first, last in edges.reshape(-1, 2):
            run = slice(first + 1, last + 1)
            if np.percentile(values[run], 25) > _OUTER_AIR_HU:
                gaps[k, rows[places[run]], columns[places[run]]] = True
    return gaps


def _lung_at_circle(tissue: Mask, ct: Axial) -> Mask:
    """Where the edge of the scanner's circle cuts through lung: what is of its density along that edge."""
    holes = np.zeros_like(tissue)
    if ct.rim.any():
        labels, boxes = pieces_in_plane(ct.rim & ~tissue)
        for label, box in enumerate(boxes, 1):
            piece = labels[box] == label
            if np.percentile(ct.coarse[box][piece], 25) > _OUTER_AIR_HU:
                holes[box] |= piece
    return holes


def _ring(rows: int, columns: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Row and column indices once around the border of a slice."""
    across, down = np.arange(columns), np.arange(rows)
    last_row, last_column = np.full(columns, rows - 1), np.full(rows, columns - 1)
    r = np.concatenate([np.zeros(columns, np.intp), down[1:], last_row[1:], down[-2:0:-1]])
    c = np.concatenate([across, last_column[1:], across[-2::-1], np.zeros(rows - 2, np.intp)])
    return r, c
