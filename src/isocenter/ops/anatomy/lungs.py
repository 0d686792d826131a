"""The lungs: aerated spaces of the chest, told from airways and bowel, parted into left and right, filled, refined.

One set of thresholds serves every scan. How good the result is, is judged in :mod:`isocenter.ops.anatomy.lung_checks`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.findings import Algorithm, Mask, Segment, Segmentation
from isocenter.ops.anatomy.airways import Airways, find_trachea, grow_airways
from isocenter.ops.anatomy.body import find_body, find_midline
from isocenter.ops.anatomy.coarse import Axial, axial_view, to_volume_axes
from isocenter.ops.anatomy.dense import costal_notches
from isocenter.ops.anatomy.gas import ALONG_RIBS, find_pockets, gas_hu, holds_vessels, near_ribs
from isocenter.ops.anatomy.lung_checks import check_lungs
from isocenter.ops.anatomy.refine import draw, plan_band
from isocenter.ops.masks.morphology import close, components, dilate, distance_mm, erode, fill_cavities
from isocenter.reasons import Reason, merge
from isocenter.volume import Array, Volume

AIR_HU = -400
"""Half-way between aerated lung (-850) and soft tissue (50): the border of the lung."""
_WALL_MM = 2.5
_BIG_ML = 250.0
_SMALL_ML = 4.0
_SHARE = 0.03
_GAS_HU = -965
_SMALL_GAS_HU = -930
_APEX_ML = 60.0
_FAR_BACK = 0.6
_CLOSE_MM = 8.0
_SHRINK_MM = (0.0, 2.5, 5.0, 7.5, 10.0, 13.0)
_LARGE = 0.12
"""Share of all that a piece must have to stand for a lung."""
_APART_MM = 50.0
"""Least distance between the middles of the two lungs, from right to left."""
_ONE_SIDE = 0.2
"""Lungs that reach over the midline by less than this share are one lung."""
RIGHT, LEFT, AIRWAYS = 1, 2, 3


class Parting(Enum):
    """How right and left lung were told apart."""

    BY_SHAPE = "by shape"
    BY_PLANE = "by the midline of the body"
    ONE_LUNG = "only one lung"


@dataclass(frozen=True, eq=False)
class CoarseLungs:
    """Labels on the coarse grid (0, 1 right, 2 left) and how they were parted."""

    labels: Array
    parting: Parting = Parting.BY_SHAPE


def find_aerated(ct: Axial, body: Mask, tree: Mask) -> Mask:
    """Coarse mask of the aerated lung: the air spaces of the body that are neither airway nor bowel.

    A large space is lung unless it holds plain gas and no vessels. A small one may be the base of a lung at the end of
    the image, or bowel: it must reach that end and lie along the ribs, the first also far back, where the lungs reach
    lowest.
    """
    air = (ct.coarse < AIR_HU) & body & ~dilate(tree, _WALL_MM, ct.coarse_mm)
    labels, counts = components(air)
    volumes = counts * ct.coarse_voxel_ml
    order = [label for label in np.argsort(-volumes) if label > 0 and volumes[label] >= _SMALL_ML]
    found = np.zeros_like(air)
    wall: Mask | None = None
    for label in order:
        piece = labels == label
        big = volumes[label] >= _BIG_ML
        if _is_gas(ct, piece, _GAS_HU if big else _SMALL_GAS_HU) and not (big and holds_vessels(ct, piece)):
            continue
        if not big:
            wall = near_ribs(ct, body) if wall is None else wall
            if volumes[label] < _SHARE * ct.ml(found) or not _is_base(ct, piece, wall):
                continue
            if not found.any() and not _lies_far_back(piece, body):
                continue
        found |= piece
    return found


def _is_gas(ct: Axial, piece: Mask, gas_hu: int) -> bool:
    """Whether a space holds plain gas: no tissue in its depth, as in bowel, stomach or pneumothorax."""
    deep = erode(piece, 1.2 * max(ct.coarse_mm[1:]), ct.coarse_mm)
    return bool(np.median(ct.coarse[deep if deep.any() else piece]) < gas_hu)


def _is_base(ct: Axial, piece: Mask, wall: Mask) -> bool:
    """Whether a space reaches an end of the image and lies along the ribs, as the part of a lung does."""
    cut = piece[0].any() or (piece[-1].any() and ct.ml(piece) >= _APEX_ML)
    return bool(cut and np.count_nonzero(piece & wall) >= ALONG_RIBS * np.count_nonzero(piece))


def _lies_far_back(piece: Mask, body: Mask) -> bool:
    """Whether a space reaches into the rear part of the body."""
    top, bottom = np.flatnonzero(body.any(axis=(0, 2)))[[0, -1]]
    back = np.flatnonzero(piece.any(axis=(0, 2)))[-1]
    return bool(back > top + _FAR_BACK * (bottom - top))


def part(ct: Axial, found: Mask, body: Mask) -> CoarseLungs:
    """Tell right from left lung: by what is apart already, by shrinking, else by the midline."""
    for radius in _SHRINK_MM:
        seeds = _seeds(ct, erode(found, radius, ct.coarse_mm) if radius else found)
        if seeds is not None:
            return CoarseLungs(_spread(seeds, found, ct))
    middle = find_midline(ct, body)
    right = ct.ml(found[:, :, :middle])
    share = right / ct.ml(found)
    labels = np.where(found, RIGHT if share >= 0.5 else LEFT, 0).astype(np.uint8)
    if not _ONE_SIDE < share < 1 - _ONE_SIDE:
        return CoarseLungs(labels, Parting.ONE_LUNG)
    labels[:, :, :middle][found[:, :, :middle]] = RIGHT
    labels[:, :, middle:][found[:, :, middle:]] = LEFT
    return CoarseLungs(labels, Parting.BY_PLANE)


def _seeds(ct: Axial, core: Mask) -> Array | None:
    """Labels of the pieces of a mask, right or left, if two large ones lie side by side; else None."""
    pieces, counts = components(core)
    large = 1 + np.flatnonzero(counts[1:] > _LARGE * counts[1:].sum())
    if len(large) < 2:
        return None
    columns = np.broadcast_to(np.arange(core.shape[2], dtype=np.float64), core.shape)[core]
    centers = np.bincount(pieces[core], columns, len(counts)) / np.maximum(counts, 1)
    first, last = centers[large].min(), centers[large].max()
    if (last - first) * ct.coarse_mm[2] < _APART_MM:
        return None
    sides = np.where(centers < (first + last) / 2, RIGHT, LEFT).astype(np.uint8)
    sides[0] = 0
    seeds: Array = sides[pieces]
    return seeds


def _spread(seeds: Array, found: Mask, ct: Axial) -> Array:
    """The seeds spread over the whole mask: every voxel takes the label of the nearest."""
    left_over = found & (seeds == 0)
    if not left_over.any():
        return seeds
    to_right = distance_mm(seeds != RIGHT, ct.coarse_mm)
    to_left = distance_mm(seeds != LEFT, ct.coarse_mm)
    labels = seeds.copy()
    labels[left_over] = np.where(to_right <= to_left, RIGHT, LEFT)[left_over]
    return labels


def fill(ct: Axial, lungs: CoarseLungs, room: Mask) -> Array:
    """Lungs with their vessels and dense parts, in the room there is: the body without other air."""
    out = np.zeros(lungs.labels.shape, np.uint8)
    midline = find_midline(ct, room)
    for side in (RIGHT, LEFT):
        lung = lungs.labels == side
        if lung.any():
            whole = close(lung, _CLOSE_MM, ct.coarse_mm)
            notches = costal_notches(ct, whole, room, midline)
            if notches.any():
                whole = close(whole | notches, _CLOSE_MM, ct.coarse_mm)
            whole = fill_cavities(whole) & room & (lungs.labels != 3 - side)
            out[whole & (out == 0)] = side
    return out


def find_lungs(ct: Axial, body: Mask) -> Array:
    """Coarse labels of the lungs alone, for those who find their way by them; empty if there are none."""
    aerated = find_aerated(ct, body, grow_airways(ct, find_trachea(ct, body)).coarse(ct))
    return fill(ct, part(ct, aerated, body), body) if aerated.any() else aerated.astype(np.uint8)


def draw_lungs(ct: Axial, coarse: Array, airways: Airways) -> npt.NDArray[np.uint8]:
    """Label map of lungs and airways on the full axial grid."""
    out = np.zeros(ct.array.shape, np.uint8)
    k, r, c = (airways.voxels // np.array(ct.factors, np.int32)).T
    k, r, c = airways.voxels[coarse[k, r, c] == 0].T
    out[k, r, c] = AIRWAYS
    dense = (coarse > 0) & (ct.coarse >= AIR_HU)
    inner = erode(coarse > 0, 1.2 * max(ct.coarse_mm[1:]), ct.coarse_mm)
    shaped = dilate(dense & inner, 2.2 * max(ct.coarse_mm[1:]), ct.coarse_mm)
    barred = (ct.coarse < AIR_HU) & (coarse == 0)
    state, near = plan_band(coarse, barred)
    draw(ct.array, out, (state, near, coarse, shaped), (AIR_HU, *ct.factors))
    if ct.padding.any():
        out[:, ct.padding] = 0
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
    pockets = find_pockets(ct, aerated, body, gas_hu(ct, airways))
    if aerated.any():
        lungs = part(ct, aerated & ~pockets, body)
        coarse = fill(ct, lungs, body & ~pockets)
        labels = draw_lungs(ct, coarse, airways)
        reasons = [*_parting(lungs), *_left_out(ct, pockets), *check_lungs(ct, coarse, body, airways)]
    else:
        labels = np.zeros(ct.array.shape, np.uint8)
        reasons = [_nothing(body)]
    labels = to_volume_axes(labels, volume.grid)
    found = merge(volume.reasons, reasons)
    return Segmentation((labels,), volume.grid, SEGMENTS, ALGORITHM, volume.sources, found)


def _nothing(body: Mask) -> Reason:
    if body.any():
        return Reason("LUNGS_NOT_FOUND", "The body in the image holds no aerated lung.")
    return Reason("BODY_NOT_FOUND", "The image holds no body, so no lungs were looked for.")


def _left_out(ct: Axial, pockets: Mask) -> Iterator[Reason]:
    if pockets.any():
        text = f"About {ct.ml(pockets):.0f} ml of plain gas along the ribs, without vessels, were not counted as lung."
        yield Reason("GAS_BESIDE_LUNG", text)


def _parting(lungs: CoarseLungs) -> Iterator[Reason]:
    if lungs.parting is Parting.BY_PLANE:
        yield Reason("LUNGS_SPLIT_BY_PLANE", "The lungs touch broadly; they were divided at the midline of the body.")
    if lungs.parting is Parting.ONE_LUNG:
        yield Reason("LUNG_SIDE_GUESSED", "The one lung found was named after the half of the body that it lies in.")
