"""What the lung segmenter says about its own result: two lungs, plausible, whole, continuous, without a leak."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from isocenter.findings import Mask
from isocenter.ops.anatomy.airways import Airways
from isocenter.ops.anatomy.coarse import Axial
from isocenter.ops.masks.morphology import dilate, erode
from isocenter.reasons import Reason
from isocenter.volume import Array

_SIDES = {1: "right", 2: "left"}
_LEAST_ML = 10.0
_WHOLE_ML = (600.0, 11000.0)
_UNEQUAL = 3.5
_SKIN_MM = 6.0
_AT_SKIN = 0.004
_PLAIN_AIR_HU = -985
_PLAIN_AIR = 0.3
_CUT_MM2 = 150.0
_SHORT_MM = 150.0
_DENSE_ML = 12.0
_DENSE_MM = 5.0
_CHEST_MM = 100.0
_JUMP_CM2, _JUMP_CM2_PER_MM = 12.0, 8.0


def check_lungs(ct: Axial, lungs: Array, body: Mask, airways: Airways) -> Iterator[Reason]:
    """Reasons of a coarse label map of the lungs (1 right, 2 left)."""
    cuts = _cuts(ct, lungs > 0)
    yield from _missing(ct, lungs)
    yield from _cut(ct, lungs > 0, cuts)
    yield from _volume(ct, lungs, cuts)
    yield from _leak(ct, lungs > 0, body)
    yield from _discontinuous(ct, lungs)
    yield from _dense(ct, lungs > 0)
    yield from _airways(ct, lungs > 0, airways)


def _missing(ct: Axial, lungs: Array) -> Iterator[Reason]:
    for label, side in _SIDES.items():
        if ct.ml(lungs == label) < _LEAST_ML:
            yield Reason("LUNG_MISSING", f"No {side} lung was found.")


def _cuts(ct: Axial, lung: Mask) -> list[str]:
    """The faces of the image, or its circle, that the lungs reach."""
    depth, height, width = ct.coarse_mm
    faces = (
        ("upper end", lung[0], height * width),
        ("lower end", lung[-1], height * width),
        ("front", lung[:, 0], depth * width),
        ("back", lung[:, -1], depth * width),
        ("right border", lung[:, :, 0], depth * height),
        ("left border", lung[:, :, -1], depth * height),
    )
    cuts = [name for name, face, mm2 in faces if np.count_nonzero(face) * mm2 > _CUT_MM2]
    return [*cuts, "circle"] if ct.at_rim_mm2(lung) > _CUT_MM2 else cuts


def _cut(ct: Axial, lung: Mask, cuts: list[str]) -> Iterator[Reason]:
    if not cuts:
        return
    yield Reason("LUNG_CUT", f"The lungs reach the {' and the '.join(cuts)} of the image.")
    length = _length_mm(ct, lung)
    if length < _SHORT_MM:
        yield Reason("COVERAGE_SHORT", f"The image holds {length:.0f} mm of the lungs from head to feet.")


def _length_mm(ct: Axial, lung: Mask) -> float:
    """From the first slice of the lungs to the last."""
    slices = np.flatnonzero(lung.any(axis=(1, 2)))
    return float(slices[-1] - slices[0] + 1) * ct.coarse_mm[0]


def _volume(ct: Axial, lungs: Array, cuts: list[str]) -> Iterator[Reason]:
    right, left = ct.ml(lungs == 1), ct.ml(lungs == 2)
    least, most = _WHOLE_ML
    if right + left > most or (right + left < least and not cuts):
        text = f"Both lungs together hold {right + left:.0f} ml; expected are {least:.0f} to {most:.0f} ml."
        yield Reason("LUNG_VOLUME_IMPLAUSIBLE", text)
    if not cuts and min(right, left) >= _LEAST_ML and max(right, left) > _UNEQUAL * min(right, left):
        yield Reason("LUNG_VOLUME_IMPLAUSIBLE", f"The right lung holds {right:.0f} ml and the left {left:.0f} ml.")


def _leak(ct: Axial, lung: Mask, body: Mask) -> Iterator[Reason]:
    near_skin = lung & dilate(~body & ~ct.unseen, _SKIN_MM, ct.coarse_mm)
    at_skin = float(near_skin.sum()) / float(lung.sum())
    if at_skin > _AT_SKIN:
        yield Reason("LUNG_LEAK", f"{at_skin:.1%} of the mask lies within {_SKIN_MM:.0f} mm of the skin.")
    plain = float(np.mean(ct.coarse[lung] < _PLAIN_AIR_HU)) if lung.any() else 0.0
    if plain > _PLAIN_AIR:
        yield Reason("LUNG_LEAK", f"{plain:.0%} of the mask is plain air: bowel, pneumothorax or severe emphysema.")


def _discontinuous(ct: Axial, lungs: Array) -> Iterator[Reason]:
    slice_mm = ct.coarse_mm[0]
    for label, side in _SIDES.items():
        areas = (lungs == label).sum(axis=(1, 2)) * ct.coarse_mm[1] * ct.coarse_mm[2] / 100
        jumps = _jumps(areas, _JUMP_CM2 + _JUMP_CM2_PER_MM * slice_mm)
        if len(jumps):
            places = ", ".join(f"{jump * slice_mm:.0f}" for jump in jumps[:5])
            text = f"The {side} lung changes abruptly from slice to slice, {places} mm below the top of the image."
            yield Reason("LUNG_DISCONTINUOUS", text)


def _jumps(areas_cm2: npt.NDArray[np.float64], most_cm2: float) -> npt.NDArray[np.intp]:
    """Where the area of a lung grows or falls by more than a half and more than a limit, or vanishes in between."""
    change = np.abs(np.diff(areas_cm2))
    larger = np.maximum(areas_cm2[1:], areas_cm2[:-1])
    found = np.flatnonzero((change > 0.5 * larger) & (change > most_cm2))
    held = np.flatnonzero(areas_cm2)
    gaps = held[:-1][np.diff(held) > 1] if len(held) else held
    return np.union1d(found, gaps)


def _dense(ct: Axial, lung: Mask) -> Iterator[Reason]:
    core = erode(lung & (ct.coarse >= -400), _DENSE_MM, ct.coarse_mm)
    volume = ct.ml(dilate(core, _DENSE_MM, ct.coarse_mm) & lung)
    if volume >= _DENSE_ML:
        yield Reason("DENSE_LUNG_INCLUDED", f"About {volume:.0f} ml of dense lung or large vessels are in the mask.")


def _airways(ct: Axial, lung: Mask, airways: Airways) -> Iterator[Reason]:
    if airways.leaked:
        yield Reason("AIRWAYS_LEAK", "No threshold kept the airways apart from the lung; they were cut at 90 ml.")
    if len(airways.voxels) == 0 and _length_mm(ct, lung) > _CHEST_MM:
        yield Reason("AIRWAYS_NOT_FOUND", "No trachea was found above the lungs.")
