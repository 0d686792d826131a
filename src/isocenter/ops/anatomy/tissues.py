"""Body, airways, bone, fat and soft tissue: segmenters by density and place. The lungs have a module of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from isocenter import codes
from isocenter.findings import Algorithm, Mask, Segment, Segmentation
from isocenter.ops.anatomy.airways import Airways, find_trachea, grow_airways
from isocenter.ops.anatomy.body import SKIN_HU, find_body
from isocenter.ops.anatomy.coarse import Axial, axial_view, to_volume_axes
from isocenter.ops.anatomy.refine import draw, plan_band
from isocenter.ops.masks.morphology import close, components, fill_in_plane
from isocenter.reasons import Reason, merge
from isocenter.volume import Array, Volume

BONE_HU = 150
"""Spongy bone begins here; contrast medium does too."""
CORTEX_HU = 250
"""What holds none of this is no bone but contrast medium."""
MARROW_HU = 80
"""What is softer is no marrow, even if bone encloses it: the spinal canal."""
FAT_HU = (-190, -30)
SOFT_HU = (-29, 150)
_MARROW_MM = 12.0
_LEAST_BONE_ML = 0.3
_LEAST_CORTEX = 0.02
_BORDER_MM2 = 500.0

BODY = Segment("body", 1, "Body", codes.BODY, color=(210, 160, 130))
AIRWAYS = Segment("airways", 1, "Trachea and bronchi", codes.TRACHEA_AND_BRONCHUS, color=(240, 200, 80))
BONE = Segment("bone", 1, "Bone", codes.BONE, color=(240, 240, 220))
FAT = Segment("fat", 1, "Fat", codes.FAT, codes.TISSUE, color=(230, 220, 120))
SOFT = Segment("soft_tissue", 2, "Muscle and organs", codes.TISSUE, codes.TISSUE, color=(200, 90, 80))


def segment_body(volume: Volume) -> Segmentation:
    """Everything inside the skin, with lungs and bowel, without table and clothes."""
    ct = axial_view(volume)
    body = find_body(ct)
    labels = _body_on_full_grid(ct, body)
    return result(volume, labels, (BODY,), about_body(ct, body))


def segment_airways(volume: Volume) -> Segmentation:
    """Trachea and bronchi, as far as they can be followed without leaking."""
    ct = axial_view(volume)
    body = find_body(ct)
    airways = grow_airways(ct, find_trachea(ct, body))
    labels = np.zeros(ct.array.shape, np.uint8)
    k, r, c = airways.voxels.T
    labels[k, r, c] = AIRWAYS.label
    return result(volume, labels, (AIRWAYS,), (*about_body(ct, body), *_about_airways(airways)))


def segment_bone(volume: Volume) -> Segmentation:
    """Bone with its marrow.

    Contrast medium as dense as spongy bone that touches bone cannot be told from it, nor can metal.
    """
    ct = axial_view(volume)
    body = find_body(ct)
    bone = find_bone(ct, body)
    labels = _hard_border(ct, bone)
    return result(volume, labels, (BONE,), (*about_body(ct, body), *about_empty(labels, (BONE,))))


def segment_tissue(volume: Volume) -> Segmentation:
    """Fat, and soft tissue (muscle and organs together: without training their densities do not tell them apart)."""
    ct = axial_view(volume)
    body = find_body(ct)
    inside = _body_on_full_grid(ct, body) > 0
    labels = np.zeros(ct.array.shape, np.uint8)
    for segment, (low, high) in ((FAT, FAT_HU), (SOFT, SOFT_HU)):
        labels[inside & (ct.array >= low) & (ct.array <= high)] = segment.label
    reasons = (*about_body(ct, body), *about_empty(labels, (FAT, SOFT)))
    return result(volume, labels, (FAT, SOFT), reasons)


def find_bone(ct: Axial, body: Mask) -> Mask:
    """Coarse mask of bone with its marrow."""
    return _with_marrow(ct, _hard(ct, body)) & body


def _hard(ct: Axial, body: Mask) -> Mask:
    """Pieces as dense as spongy bone that hold some cortex."""
    pieces, counts = components((ct.coarse > BONE_HU) & body)
    cortex = np.bincount(pieces[ct.coarse > CORTEX_HU], minlength=len(counts))
    kept = (counts * ct.coarse_voxel_ml >= _LEAST_BONE_ML) & (cortex >= _LEAST_CORTEX * counts)
    kept[0] = False
    hard: Mask = kept[pieces]
    return hard


def _with_marrow(ct: Axial, hard: Mask) -> Mask:
    """The pieces with what they enclose nearly, where it is dense enough for marrow."""
    enclosed = fill_in_plane(close(hard, _MARROW_MM, ct.coarse_mm))
    return hard | (enclosed & (ct.coarse > MARROW_HU))


# --- borders ---------------------------------------------------------------------------------------------------------


def _body_on_full_grid(ct: Axial, body: Mask) -> npt.NDArray[np.uint8]:
    """The body with its skin drawn on the full grid."""
    return _draw_dense(ct, body, body & (ct.coarse < SKIN_HU), SKIN_HU)


def _hard_border(ct: Axial, bone: Mask) -> npt.NDArray[np.uint8]:
    marrow = bone & (ct.coarse <= BONE_HU)
    return _draw_dense(ct, bone, marrow, BONE_HU)


def _draw_dense(ct: Axial, coarse: Mask, shaped: Mask, threshold_hu: int) -> npt.NDArray[np.uint8]:
    """Draw a structure denser than what is around it; where its border is one of shape, as the coarse mask has it."""
    labels = coarse.astype(np.uint8)
    state, near = plan_band(labels, np.zeros_like(coarse))
    negative = np.negative(ct.array)
    negative.flags.writeable = False
    out = np.zeros(ct.array.shape, np.uint8)
    draw(negative, out, (state, near, labels, shaped), (-threshold_hu, *ct.factors))
    return out


# --- self-checks and result ------------------------------------------------------------------------------------------


def about_body(ct: Axial, body: Mask) -> Iterator[Reason]:
    """Whether there is a body, and whether the image cuts it."""
    if not body.any():
        yield Reason("BODY_NOT_FOUND", "The image holds no body, so nothing was looked for.")
        return
    depth, height, width = ct.coarse_mm
    sides = (
        ("front", body[:, 0], depth * width),
        ("back", body[:, -1], depth * width),
        ("right", body[:, :, 0], depth * height),
        ("left", body[:, :, -1], depth * height),
    )
    cut = [name for name, face, mm2 in sides if np.count_nonzero(face) * mm2 > _BORDER_MM2]
    if ct.at_rim_mm2(body) > _BORDER_MM2:
        cut.append("circle")
    if cut:
        yield Reason("BODY_CUT", f"The body reaches the {' and the '.join(cut)} of the image.")


def _about_airways(airways: Airways) -> Iterator[Reason]:
    if len(airways.voxels) == 0:
        yield Reason("AIRWAYS_NOT_FOUND", "No trachea was found.")
    if airways.leaked:
        yield Reason("AIRWAYS_LEAK", "No threshold kept the airways apart from the lung; they were cut at 90 ml.")


def about_empty(labels: Array, segments: tuple[Segment, ...]) -> Iterator[Reason]:
    """Segments that no voxel belongs to."""
    counts = np.bincount(labels.reshape(-1), minlength=len(segments) + 1)
    for segment in segments:
        if counts[segment.label] == 0:
            yield Reason("SEGMENT_EMPTY", f"The image holds no voxel of: {segment.title}.")


def result(volume: Volume, labels: Array, segments: tuple[Segment, ...], reasons: Iterable[Reason]) -> Segmentation:
    """A label map of the axial view as a segmentation of the volume."""
    algorithm = Algorithm(f"Isocenter {segments[0].name}", "1")
    on_volume = to_volume_axes(labels, volume.grid)
    found = merge(volume.reasons, reasons)
    return Segmentation((on_volume,), volume.grid, segments, algorithm, volume.sources, found)
