"""Muscle of the trunk, and fat outside and inside its cavity: told apart by the walls of chest and abdomen.

The cavity of the chest is what the lungs span. That of the abdomen lies deeper under the outline of the trunk than its
wall is thick, and before the muscles of the back. Muscle is the soft tissue between the cavity and the outline, bone
left out; what lies inside the cavity (diaphragm, psoas) is not told from organs. Neck, pelvis and limbs have no such
plan, so nothing is looked for beyond the reach of the lungs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.findings import Mask, Segment, Segmentation
from isocenter.ops.anatomy.body import find_body, find_midline
from isocenter.ops.anatomy.coarse import Axial, axial_view
from isocenter.ops.anatomy.lungs import find_lungs
from isocenter.ops.anatomy.tissues import FAT_HU, SOFT_HU, about_body, about_empty, find_bone, result
from isocenter.ops.masks.morphology import close, dilate, distance_mm, erode, fill_in_plane, opened
from isocenter.reasons import Reason
from isocenter.volume import Volume

_SKIN_MM = 6.0
_STRAND_MM = 2.5
"""Thinner strands in the fat under the skin are no wall."""
_GAP_MM = 10.0
_WALL_MM = 10.0
"""Thickness of the wall of the abdomen."""
_SPINE_MM = 25.0
_BODY_MM = 30.0
"""From the front of a vertebra to where the muscles of the back begin beside it."""
_BESIDE_MM = 28.0
_SLOPE = 0.7
"""The muscles of the back fall away from the spine: this much towards the back per step to the side."""
_SMOOTH_MM = 27.0
_RING_MM = 5.0
_WIDEST = 0.97
_ABOVE_MM, _BELOW_MM = 30.0, 120.0

MUSCLE = Segment("muscle", 1, "Muscle of the trunk wall", codes.MUSCLE, codes.TISSUE, color=(200, 90, 80))
OUTER_FAT = Segment("outer_fat", 2, "Fat outside the cavity", codes.FAT, codes.TISSUE, color=(230, 220, 120))
INNER_FAT = Segment("inner_fat", 3, "Fat inside the cavity", codes.FAT, codes.TISSUE, color=(90, 150, 220))
_SEGMENTS = (MUSCLE, OUTER_FAT, INNER_FAT)


def segment_muscle(volume: Volume) -> Segmentation:
    """Muscle of the walls of chest and abdomen; fat under the skin and between muscles; fat inside the cavity.

    Needs lungs to find its way: nothing is looked for more than 30 mm above or 120 mm below them.
    """
    ct = axial_view(volume)
    body = find_body(ct)
    lung = find_lungs(ct, body) > 0
    span = _span(ct, lung)
    labels = np.zeros(ct.array.shape, np.uint8)
    if lung.any():
        looked = np.zeros_like(body)
        looked[span] = body[span]
        outline, cavity = find_walls(ct, body, lung)
        muscle = outline & ~cavity & ~lung & ~_bone_and_canal(ct, body) & looked
        for segment, region, (low, high) in (
            (MUSCLE, opened(muscle, _STRAND_MM / 2, ct.coarse_mm), SOFT_HU),
            (OUTER_FAT, looked & ~cavity, FAT_HU),
            (INNER_FAT, looked & cavity & ~lung, FAT_HU),
        ):
            labels[ct.fine(region) & (ct.array >= low) & (ct.array <= high)] = segment.label
    reasons = (*about_body(ct, body), *_about_span(ct, body, span), *about_empty(labels, _SEGMENTS))
    return result(volume, labels, _SEGMENTS, reasons)


def _span(ct: Axial, lung: Mask) -> slice:
    """The coarse slices that are looked at."""
    held = np.flatnonzero(lung.any(axis=(1, 2)))
    if len(held) == 0:
        return slice(0, 0)
    above, below = round(_ABOVE_MM / ct.coarse_mm[0]), round(_BELOW_MM / ct.coarse_mm[0])
    return slice(max(0, int(held[0]) - above), min(len(lung), int(held[-1]) + 1 + below))


def _about_span(ct: Axial, body: Mask, span: slice) -> Iterator[Reason]:
    held = np.flatnonzero(body.any(axis=(1, 2)))
    if span.stop == 0:
        yield Reason("SEGMENT_LIMITED", "Muscle was not looked for, because the image shows no lungs to go by.")
    elif len(held) and (held[0] < span.start or held[-1] >= span.stop):
        length = (span.stop - span.start) * ct.coarse_mm[0]
        text = f"Muscle was looked for in {length:.0f} mm of the trunk around the lungs, not above or below."
        yield Reason("SEGMENT_LIMITED", text)


def find_walls(ct: Axial, body: Mask, lung: Mask) -> tuple[Mask, Mask]:
    """Coarse masks of the trunk without the fat around it, and of the cavity of chest and abdomen."""
    plane = (1e4, *ct.coarse_mm[1:])
    spanned = [_hull(part) for part in lung]
    areas = np.array([np.count_nonzero(hull) for hull in spanned])
    abdomen = int(np.flatnonzero(areas >= _WIDEST * areas.max())[-1])
    outline = _outline(ct, body, lung, abdomen)
    margin = int(np.ceil(_WALL_MM / min(plane[1:]))) + 1
    around = ((0, 0), (margin, margin), (margin, margin))
    deep = (distance_mm(np.pad(outline, around), plane) > _WALL_MM)[:, margin:-margin, margin:-margin]
    midline = find_midline(ct, body)
    before = _before_back(ct, body, midline)
    cavity = np.array([_hull_of_sides(part, midline) for part in lung]) | (np.array(spanned) & before)
    cavity[abdomen:] |= (deep & before)[abdomen:]
    return outline, cavity


def _outline(ct: Axial, body: Mask, lung: Mask, abdomen: int) -> Mask:
    """The trunk without the fat under the skin; from a slice on, where the wall is thin, its convex hull."""
    plane = (1e4, *ct.coarse_mm[1:])
    solid = (ct.coarse > FAT_HU[1]) | (ct.coarse < FAT_HU[0]) | lung
    solid &= erode(body, _SKIN_MM, ct.coarse_mm)
    outline = fill_in_plane(close(solid, _GAP_MM, plane))
    outline[abdomen:] = [_hull(part) for part in opened(solid[abdomen:], _STRAND_MM, plane)]
    return outline


def _before_back(ct: Axial, body: Mask, midline: int) -> Mask:
    """What lies before the muscles of the back, as the spine shows where they begin."""
    from scipy.ndimage import median_filter

    slices, rows, columns = body.shape
    _, row_mm, column_mm = ct.coarse_mm
    wide = round(_SPINE_MM / column_mm)
    held = np.flatnonzero(body.any(axis=(0, 2)))
    bone = find_bone(ct, body)[:, :, max(0, midline - wide) : midline + wide]
    spine = np.asarray(bone.any(axis=2))
    spine[:, : (held[0] + held[-1]) // 2] = False
    seen = np.flatnonzero(spine.any(axis=1))
    if len(seen) == 0:
        return body.copy()
    fronts = spine[seen].argmax(axis=1) + _BODY_MM / row_mm
    size = max(1, round(_SMOOTH_MM / ct.coarse_mm[0]))
    line: npt.NDArray[np.float64] = median_filter(np.interp(np.arange(slices), seen, fronts), size, mode="nearest")
    beside = np.maximum(np.abs(np.arange(columns) - midline) * column_mm - _BESIDE_MM, 0) * _SLOPE / row_mm
    before: Mask = np.arange(rows)[None, :, None] < line[:, None, None] + beside
    return before


def _bone_and_canal(ct: Axial, body: Mask) -> Mask:
    """Bone with the spinal canal: what is enclosed once the gaps between neighbouring bones are closed."""
    bone = find_bone(ct, body)
    ring = close(bone, _RING_MM, ct.coarse_mm)
    return bone | dilate(fill_in_plane(ring) & ~ring, _RING_MM, ct.coarse_mm)


def _hull_of_sides(part: Mask, midline: int) -> Mask:
    """The convex hulls of what lies on either side of the midline, for one slice."""
    columns = np.arange(part.shape[1])
    return _hull(part & (columns < midline)) | _hull(part & (columns >= midline))


def _hull(part: Mask) -> Mask:
    """The convex hull of a mask of one slice; what has no extent stays as it is."""
    from skimage.morphology import convex_hull_image

    if min(np.count_nonzero(part.any(axis=axis)) for axis in (0, 1)) < 2:
        return part
    hull: Mask = convex_hull_image(part, offset_coordinates=False, include_borders=True)
    return hull
