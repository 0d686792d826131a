"""The lungs: aerated spaces of the chest, told from airways and bowel, parted into left and right, filled, refined.

One set of thresholds serves every scan. How good the result is, is judged in :mod:`isocenter.ops.anatomy.lung_checks`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.ops.anatomy.airways import Airways, find_trachea, grow_airways
from isocenter.ops.anatomy.body import find_body
from isocenter.ops.anatomy.coarse import Axial, Mask, axial_view, to_volume_axes
from isocenter.ops.anatomy.morphology import close, components, dilate, distance_mm, erode, fill_in_plane
from isocenter.ops.anatomy.refine import draw, plan_band
from isocenter.reasons import Reason, merge
from isocenter.volume import Array, Volume

AIR_HU = -400
"""Half-way between aerated lung (-850) and soft tissue (50): the border of the lung."""
_WALL_MM = 2.5
_BIG_ML = 250.0
_SMALL_ML = 4.0
_SHARE = 0.03
_GAS_HU = -965
_CLOSE_MM = 8.0
RIGHT, LEFT, AIRWAYS = 1, 2, 3


@dataclass(frozen=True, eq=False)
class CoarseLungs:
    """Labels on the coarse grid (0, 1 right, 2 left), and how they were come by."""

    labels: Array
    aerated: Mask
    split_by_plane: bool = False


def find_aerated(ct: Axial, body: Mask, tree: Mask) -> Mask:
    """Coarse mask of the aerated lung: the air spaces of the body that are neither airway nor bowel."""
    air = (ct.coarse < AIR_HU) & body & ~dilate(tree, _WALL_MM, ct.coarse_mm)
    labels, counts = components(air)
    volumes = counts * ct.coarse_voxel_ml
    chosen = [label for label in range(1, len(counts)) if volumes[label] >= _SMALL_ML]
    found = np.zeros_like(air)
    chosen.sort(key=lambda label: -volumes[label])
    largest_ml = 0.0
    for label in chosen:
        piece = labels == label
        cut = bool(piece[0].any() or piece[-1].any())
        fits = volumes[label] >= (_BIG_ML if not cut else _SHARE * largest_ml)
        if fits and not _is_gas(ct, piece):
            found |= piece
            largest_ml = max(largest_ml, float(volumes[label]))
    return found


def _is_gas(ct: Axial, piece: Mask) -> bool:
    """Whether a space holds plain gas: no tissue in its depth, as in bowel, stomach or pneumothorax."""
    deep = erode(piece, 1.2 * max(ct.coarse_mm[1:]), ct.coarse_mm)
    values = ct.coarse[deep if deep.any() else piece]
    return bool(np.median(values) < _GAS_HU)


def part(ct: Axial, found: Mask, body: Mask) -> CoarseLungs:
    """Name right and left lung."""
    labels = np.zeros(found.shape, np.uint8)
    sides, by_plane = _two_seeds(ct, found, body)
    labels[found] = _nearest(sides, found, ct)
    return CoarseLungs(labels, found, by_plane)


def _two_seeds(ct: Axial, found: Mask, body: Mask) -> tuple[Array, bool]:
    """Labels of parts that surely belong to one side: what shrinking takes apart."""
    columns = np.arange(found.shape[2])
    for radius in (0.0, 2.5, 5.0, 7.5, 10.0, 13.0):
        core = erode(found, radius, ct.coarse_mm) if radius else found
        pieces, counts = components(core)
        big = [label for label in range(1, len(counts)) if counts[label] > 0.12 * counts[1:].sum()]
        if len(big) < 2:
            continue
        centers = {label: float(((pieces == label).sum((0, 1)) @ columns) / counts[label]) for label in big}
        order = sorted(big, key=centers.__getitem__)
        if (centers[order[-1]] - centers[order[0]]) * ct.coarse_mm[2] < 50:
            continue
        middle = (centers[order[0]] + centers[order[-1]]) / 2
        seeds = np.zeros(found.shape, np.uint8)
        for label in range(1, len(counts)):
            piece = pieces == label
            if counts[label] < 8:
                continue
            center = float((piece.sum((0, 1)) @ columns) / counts[label])
            seeds[piece] = RIGHT if center < middle else LEFT
        return seeds, False
    middle = float((body.sum((0, 1)) @ columns) / max(1, body.sum()))
    halves = np.where(columns < middle, RIGHT, LEFT).astype(np.uint8)
    return np.where(found, halves, 0).astype(np.uint8), True


def _nearest(seeds: Array, found: Mask, ct: Axial) -> npt.NDArray[np.uint8]:
    """Label of the nearest seed for every voxel found."""
    to_right = distance_mm(seeds != RIGHT, ct.coarse_mm)
    to_left = distance_mm(seeds != LEFT, ct.coarse_mm)
    return np.where(to_right <= to_left, RIGHT, LEFT)[found].astype(np.uint8)


def fill(ct: Axial, lungs: CoarseLungs, body: Mask) -> Array:
    """Lungs with their vessels and dense parts."""
    out = np.zeros(lungs.labels.shape, np.uint8)
    for side in (RIGHT, LEFT):
        lung = lungs.labels == side
        if lung.any():
            whole = fill_in_plane(close(lung, _CLOSE_MM, ct.coarse_mm)) & body & (lungs.labels != 3 - side)
            out[whole & (out == 0)] = side
    return out


def draw_lungs(ct: Axial, coarse: Array, airways: Airways) -> npt.NDArray[np.uint8]:
    """Label map of lungs and airways on the full axial grid."""
    out = np.zeros(ct.array.shape, np.uint8)
    k, r, c = (airways.voxels // np.array(ct.factors, np.int32)).T
    k, r, c = airways.voxels[coarse[k, r, c] == 0].T
    out[k, r, c] = AIRWAYS
    dense = (coarse > 0) & (ct.coarse >= AIR_HU)
    thick = distance_mm(dense, ct.coarse_mm) > 1.5 * max(ct.coarse_mm[1:])
    shaped = dilate(thick, 2.5 * max(ct.coarse_mm[1:]), ct.coarse_mm)
    barred = (ct.coarse < AIR_HU) & (coarse == 0)
    state, near = plan_band(coarse, barred)
    draw(ct.array, out, (state, near, coarse, shaped), (AIR_HU, *ct.factors))
    return out


# --- the segmenter ---------------------------------------------------------------------------------------------------

SEGMENTS = (
    Segment("lung_right", RIGHT, "Right lung", codes.RIGHT_LUNG, color=(90, 160, 230)),
    Segment("lung_left", LEFT, "Left lung", codes.LEFT_LUNG, color=(110, 200, 120)),
    Segment("airways", AIRWAYS, "Trachea and main bronchi", codes.TRACHEA_AND_BRONCHUS, color=(240, 200, 80)),
)
ALGORITHM = Algorithm("Isocenter lungs", "1", (("air_hu", AIR_HU), ("close_mm", _CLOSE_MM), ("gas_hu", _GAS_HU)))


def segment_lungs(volume: Volume) -> Segmentation:
    """Right and left lung, and the trachea with its main bronchi.

    Parameters
    ----------
    volume
        A CT in HU on a grid of any orientation.

    Returns
    -------
    Segmentation on the volume's grid. Without lungs it is empty and says so (``LUNGS_NOT_FOUND``).
    """
    ct = axial_view(volume)
    body = find_body(ct)
    airways = grow_airways(ct, find_trachea(ct, body))
    aerated = find_aerated(ct, body, airways.coarse(ct))
    reasons = []
    if aerated.any():
        lungs = part(ct, aerated, body)
        labels = draw_lungs(ct, fill(ct, lungs, body), airways)
    else:
        labels = np.zeros(ct.array.shape, np.uint8)
        reasons.append(Reason("LUNGS_NOT_FOUND", "No aerated lung was found in the image."))
    return Segmentation(
        (to_volume_axes(labels, volume.grid),),
        volume.grid,
        SEGMENTS,
        ALGORITHM,
        volume.sources,
        merge(volume.reasons, reasons),
    )
