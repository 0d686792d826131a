"""Judging a reader's answer against the truth of a case, voxel by voxel. Nothing here knows DICOM or any reader."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from isocenter.geometry import Grid, Space
from isocenter.testing.truth import Answer, Array, Case, Outcome, Picture, Points, Truth, Verdict

_OFF_LATTICE = 0.02  # voxels: how far from a written voxel's centre a voxel may lie
_WITHIN = 0.01  # voxels: resampled voxels nearer to the border of the written ones than this are not judged


def judge(case: Case, answer: Answer) -> Verdict:
    """What an answer is worth.

    Each volume of the answer has to be one of the case's, at the right place and right in every voxel; each volume of
    the case that is not optional has to be there, or to be refused where refusing is right.

    Parameters
    ----------
    case
        A case of the suite.
    answer
        What a reader made of its folder.
    """
    if answer.crash:
        return Verdict(Outcome.CRASHED, answer.crash)
    found: set[int] = set()
    faults: list[str] = []
    for number, picture in enumerate(_volumes(case, answer)):
        told = [_fault(picture, truth) for truth in case.truths]
        hits = [index for index, fault in enumerate(told) if not fault]
        found.update(hits[:1])
        if not hits:
            faults.append(f"volume {number + 1}: {'; '.join(dict.fromkeys(told)) or 'it should have been refused'}")
    missing = [truth for index, truth in enumerate(case.truths) if index not in found and not truth.is_optional]
    if missing and found and not answer.refusals:
        faults.append(f"{len(missing)} of {len(case.truths)} volumes missing")
    if faults:
        return Verdict(Outcome.WRONG_LOUDLY if answer.warnings else Outcome.SILENTLY_WRONG, ". ".join(faults))
    return _verdict_on_what_is_missing(case, answer, is_missing=bool(missing) or not case.truths)


def _verdict_on_what_is_missing(case: Case, answer: Answer, *, is_missing: bool) -> Verdict:
    """The verdict where all that was read is right."""
    why = "; ".join(f"{one.code} {one.message}".strip() for one in answer.refusals) or "nothing was read"
    if is_missing:
        codes = {one.code for one in answer.refusals if one.code}
        if not case.refusals or (codes and not codes & case.refusals):
            return Verdict(Outcome.REFUSED, why)
        return Verdict(Outcome.RIGHT, f"refused: {why}")
    if answer.warnings:
        return Verdict(Outcome.RIGHT_WITH_WARNING, "; ".join(answer.warnings))
    return Verdict(Outcome.RIGHT)


def _volumes(case: Case, answer: Answer) -> Iterator[Picture]:
    """The pictures of an answer, those with further axes (time) taken apart.

    Readers that know no place but the patient's stack the frames of a cine as slices, and may store rows and columns
    the other way, as their affine says: these are taken apart and turned too.
    """
    is_coloured = any(np.shape(truth.value(np.zeros((1, 3)))) == (1, 3) for truth in case.truths)
    are_planes = bool(case.truths) and case.truths[0].grid.space is not Space.PATIENT
    for picture in answer.pictures:
        array = picture.array
        has_colour = is_coloured and array.ndim > 2 and array.shape[-1] == 3
        array = array[None] if array.ndim == 2 + has_colour else array
        colour = array.shape[array.ndim - has_colour :]
        volumes = array.reshape(*array.shape[:3], -1, *colour)
        depth = max(1, len(volumes))
        if are_planes and not picture.space:
            volumes, depth = _upright(volumes, picture.affine), 1
        for start, index in itertools.product(range(0, len(volumes), depth), range(volumes.shape[3])):
            yield replace(picture, array=volumes[start : start + depth, :, :, index])


def _upright(array: Array, affine: Points | None) -> Array:
    """The array with rows running to P and columns to L, as its affine says that they lie."""
    if affine is None:
        return array
    down, right = (-1 if direction < 0 else 1 for direction in (affine[1, 1], affine[0, 2]))
    return array[:, ::down, ::right]


def _fault(picture: Picture, truth: Truth) -> str:
    """What is wrong if the picture is to be this truth; empty if nothing is."""
    if truth.grid.space is not Space.PATIENT:
        return _fault_of_plane(picture, truth)
    if picture.affine is None or picture.space not in ("", Space.PATIENT):
        return "no place in the patient"
    try:
        own = Grid(picture.array.shape[:3], picture.affine)
    except ValueError as error:
        return str(error)
    points = own.to_world(_indices(own.shape))
    native = truth.grid.to_index(points)
    if _are_the_written_voxels(native, truth.grid):
        return _fault_of_values(picture.array, points, truth)
    if truth.may_be_resampled:
        within = ((native >= _WITHIN) & (native <= np.array(truth.grid.shape) - 1 - _WITHIN)).all(axis=-1)
        return _fault_of_extent(own, truth.grid) or _fault_of_values(picture.array[within], points[within], truth)
    return _fault_of_place(own, native, truth.grid)


def _fault_of_extent(own: Grid, grid: Grid) -> str:
    """Whether a resampled lattice holds all of the written voxels."""
    corners = own.to_index(grid.to_world(_corners(grid.shape)))
    lies_within = (corners > -0.51).all() and (corners < np.array(own.shape) - 0.49).all()
    return "" if lies_within else "it does not hold all of the written slices"


def _are_the_written_voxels(native: Points, grid: Grid) -> bool:
    """Whether voxels at these indices of the written grid are all of its voxels, once each."""
    near = np.rint(native)
    inside = ((near >= 0) & (near < grid.shape)).all()
    lies_on = np.abs(native - near).max() < _OFF_LATTICE
    return bool(inside and lies_on and near[..., 0].size == np.prod(grid.shape))


def _fault_of_place(own: Grid, native: Points, grid: Grid) -> str:
    """How voxels lie that are not the written ones."""
    if own.shape != grid.shape and sorted(own.shape) != sorted(grid.shape):
        return f"{own.shape} voxels for {grid.shape}"
    nearest = grid.to_world(np.clip(np.rint(native), 0, np.array(grid.shape) - 1))
    off = np.linalg.norm(nearest - own.to_world(_indices(own.shape)), axis=-1).max()
    return f"voxels lie up to {off:.3g} mm beside the written ones"


def _fault_of_plane(picture: Picture, truth: Truth) -> str:
    """For images without a place in the patient: pixel by pixel, and the spacing where it is known."""
    if picture.space and picture.space != truth.grid.space:
        return f"its space is called {picture.space}, not {truth.grid.space}"
    if picture.array.shape[:3] != truth.grid.shape:
        return f"shape {picture.array.shape[:3]} for {truth.grid.shape}"
    if picture.affine is not None and truth.grid.space is Space.PLANE:
        spacing = np.linalg.norm(picture.affine[:3, 1:3], axis=0)
        if not np.allclose(spacing, truth.grid.spacing_mm[1:], atol=1e-3):
            return f"pixel spacing {spacing[0]:.4g} x {spacing[1]:.4g} mm"
    return _fault_of_values(picture.array, truth.grid.to_world(_indices(truth.grid.shape)), truth)


def _fault_of_values(values: Array, points: Points, truth: Truth) -> str:
    """The largest difference from the truth, where it is larger than allowed."""
    if truth.is_judged is not None:
        judged = np.asarray(truth.is_judged(points), bool)
        values, points = values[judged], points[judged]
    if not values.size:
        return "no voxel to be judged"
    told = []
    for function in (truth.value, *truth.others):
        expected = np.asarray(function(points))
        if np.shape(values) != np.shape(expected):
            told.append("it is not in colour, or in colour where it should not be")
            continue
        off = np.abs(values.astype(np.float64) - expected)
        if off.max() <= truth.tolerance:
            return ""
        told.append(f"values off by up to {off.max():.4g} in {np.mean(~(off <= truth.tolerance)):.0%} of voxels")
    return told[0]


def _indices(shape: tuple[int, ...]) -> Array:
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)


def _corners(shape: tuple[int, ...]) -> Array:
    return np.array(list(itertools.product(*((0, n - 1) for n in shape))))
