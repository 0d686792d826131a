"""Structures: an RT Structure Set onto a grid. What it says is in ``structureset``, how polygons fill in ``contours``.

Contours that lie in one plane are taken together, by even-odd rule: a contour within another one is a hole, as is
what a keyhole leaves out. Contours in the planes of the slices go to these; of others each slice takes the nearest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from isocenter import codes
from isocenter.dicom.annotations.contours import Floats, Patch, inside
from isocenter.dicom.annotations.layers import Layers
from isocenter.dicom.annotations.naming import unique_names
from isocenter.dicom.annotations.objects import OpenObject
from isocenter.dicom.annotations.structureset import Structure, structures_of
from isocenter.errors import Refused
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.reasons import Reason, merge

_FLAT = 0.2  # slices; a contour that reaches through more of the stack is not drawn along the slices
_ON_SLICE = 0.1  # slices; contours that lie nearer to a slice lie on it
_SEVERAL_SLICES = 1.5  # slices; contours that say they stand for more go to the slices beside them too
_SAME_PLANE_MM = 0.05  # what rounding to a tenth of a millimetre does


@dataclass(frozen=True, slots=True)
class _Plane:
    """The closed contours of one plane: its place along the stack in slices, and (row, column) polygons."""

    k: float
    polygons: tuple[Floats, ...]


class _UndrawableError(Exception):
    """A structure that cannot be drawn on the grid, and why."""

    def __init__(self, code: str, message: str) -> None:
        self.reason = Reason(code, message)
        super().__init__(message)


def structures_on(opened: OpenObject, grid: Grid) -> Segmentation:
    """The structures of an RT Structure Set on a grid.

    Parameters
    ----------
    opened
        The RT Structure Set.
    grid
        Of the image that it was drawn on, or any other of the same frame of reference whose slices are parallel to
        the contours; it may be oblique or sheared.

    Returns
    -------
    One segment for each structure that has closed contours, in the order of the structure set; its title is the ROI
    Name, its label the place in that order. ``reasons`` say what was left out and what was not drawn on the slices.

    Raises
    ------
    Refused
        If no structure can be drawn, or all belong to another frame of reference.
    InputError
        If the structure set does not number its structures.
    """
    structures, unnamed = structures_of(opened)
    found: list[tuple[Structure, list[Patch]]] = []
    reasons: list[Reason] = []
    for structure in structures:
        try:
            patches, met = _drawn(structure, grid)
        except _UndrawableError as error:
            met = [error.reason]
        else:
            found.append((structure, patches))
        reasons += [replace(reason, message=f"Structure {structure.number}: {reason.message}") for reason in met]
    if unnamed:
        message = f"Contours of {unnamed} structures that are not named were left out."
        reasons.append(Reason("SEGMENT_UNDESCRIBED", message))
    if not found:
        reasons = reasons or [Reason("STRUCTURE_LEFT_OUT", "The RT Structure Set holds no structure.")]
    reasons = [replace(reason, instances=(opened.instance.name,)) for reason in merge(reasons)]
    if not found:
        raise Refused(reasons)
    layers = Layers(grid.shape, len(found))
    names = unique_names(structure.title for structure, _ in found)
    segments = tuple(
        _segment(structure, name, label, layers.add(label, patches))
        for label, (name, (structure, patches)) in enumerate(zip(names, found, strict=True), 1)
    )
    return Segmentation(layers.arrays, grid, segments, _algorithm(structures), reasons=tuple(reasons))


def _segment(structure: Structure, name: str, label: int, layer: int) -> Segment:
    type_, category = structure.property_type, structure.property_category
    segment = Segment(name, label, structure.title, type_, category, layer=layer)
    return segment if structure.color is None else replace(segment, color=structure.color)


def _algorithm(structures: Sequence[Structure]) -> Algorithm:
    ways = ", ".join(sorted({structure.way for structure in structures} - {""}))
    return Algorithm(f"contours ({ways})" if ways else "contours", "", family=codes.MANUAL_PROCESSING)


def _drawn(structure: Structure, grid: Grid) -> tuple[list[Patch], list[Reason]]:
    reasons = _frame_faults(structure, grid)
    planes = _planes(structure, grid)
    patches, met = _patches(planes, grid, structure.slab_mm)
    if structure.open_count:
        message = f"{structure.open_count} of its contours are points or lines, which fill nothing."
        reasons.append(Reason("STRUCTURE_WITHOUT_AREA", message))
    if not any(patch.mask.any() for patch in patches):
        reasons.append(Reason("STRUCTURE_EMPTY", "its contours hold the centre of no voxel."))
    return patches, [*reasons, *met]


# --- where it lies ---------------------------------------------------------------------------------------------------


def _frame_faults(structure: Structure, grid: Grid) -> list[Reason]:
    """Nothing if structure and grid share a frame of reference; a reason if nobody says so."""
    stated, own = structure.frame_of_reference_uid, grid.frame_of_reference_uid
    if grid.space is not Space.PATIENT:
        raise _UndrawableError("FRAME_OTHER", "the place of the grid in the patient is not known.")
    if stated and own and stated != own:
        raise _UndrawableError("FRAME_OTHER", "it was drawn in another frame of reference than that of the grid.")
    if stated and own:
        return []
    return [Reason("FRAME_UNKNOWN", "contours or grid do not name their frame of reference; they were taken as one.")]


def _planes(structure: Structure, grid: Grid) -> list[_Plane]:
    """The planes of the closed contours, by their place along the stack."""
    if structure.contours is None:
        message = "its contours hold points that are no places in a patient, or other than they state."
        raise _UndrawableError("STRUCTURE_LEFT_OUT", message)
    if not structure.contours:
        raise _UndrawableError("STRUCTURE_WITHOUT_AREA", "it has no closed contours.")
    placed = [grid.to_index(points) for points in structure.contours]
    if max(np.ptp(index[:, 0]) for index in placed) > _FLAT:
        raise _UndrawableError("STRUCTURE_LEFT_OUT", "its contours are not parallel to the slices of the grid.")
    placed.sort(key=lambda index: float(np.mean(index[:, 0])))
    depths = np.array([np.mean(index[:, 0]) for index in placed])
    nearest = np.rint(depths)
    if np.abs(depths - nearest).max() <= _ON_SLICE:
        starts = np.flatnonzero(np.diff(nearest, prepend=-np.inf))
    else:
        starts = np.flatnonzero(np.diff(depths, prepend=-np.inf) * _spacing_mm(grid) > _SAME_PLANE_MM)
    ends = [*starts[1:], len(placed)]
    return [
        _Plane(float(depths[a]), tuple(index[:, 1:] for index in placed[a:b]))
        for a, b in zip(starts, ends, strict=True)
    ]


def _spacing_mm(grid: Grid) -> float:
    """Distance between the planes of neighbouring slices."""
    normal = np.cross(grid.direction[:, 1], grid.direction[:, 2])
    return abs(float(grid.affine[:3, 0] @ normal)) / float(np.linalg.norm(normal))


# --- onto the slices -------------------------------------------------------------------------------------------------


def _patches(planes: Sequence[_Plane], grid: Grid, slab_mm: float) -> tuple[list[Patch], list[Reason]]:
    """The planes as masks on slices, and what was met."""
    planes, reasons = _without_copies(planes)
    shares, met = _shared_out(planes, grid, slab_mm)
    reasons += met
    shape = grid.shape[1:]
    patches = [Patch(k, *inside(plane.polygons, shape)) for k, plane in shares]
    crossing = sum(_cross(plane, shape) for plane in planes)
    if crossing:
        message = f"in {crossing} planes contours cross; what lies in an even number of them was left out."
        reasons.append(Reason("CONTOURS_CROSS", message))
    corners = np.array([(polygon.min(axis=0), polygon.max(axis=0)) for plane in planes for polygon in plane.polygons])
    low, high = corners[:, 0].min(axis=0), corners[:, 1].max(axis=0)
    beyond = sum(not -0.5 <= plane.k <= grid.shape[0] - 0.5 for plane in planes)
    if beyond or (low < -0.5).any() or (high > np.array(shape) - 0.5).any():
        message = f"it reaches beyond the grid: {beyond} of {len(planes)} planes, or parts of them, were left out."
        reasons.append(Reason("SEGMENT_CUT", message))
    return patches, reasons


def _without_copies(planes: Sequence[_Plane]) -> tuple[list[_Plane], list[Reason]]:
    """Each contour once: two that are equal would cancel each other."""
    single = [replace(plane, polygons=tuple({p.tobytes(): p for p in plane.polygons}.values())) for plane in planes]
    copies = sum(len(a.polygons) - len(b.polygons) for a, b in zip(planes, single, strict=True))
    if not copies:
        return single, []
    return single, [Reason("CONTOURS_REPEATED", f"{copies} contours are there twice; one of each was taken.")]


def _cross(plane: _Plane, shape: tuple[int, int]) -> bool:
    """Whether two contours of a plane overlap without one lying within the other, or are as good as equal."""
    if len(plane.polygons) < 2:
        return False
    masks = [Patch(0, *inside([polygon], shape)) for polygon in plane.polygons]
    return any(_overlap_in_part(a, b) for a, b in combinations(masks, 2))


def _overlap_in_part(a: Patch, b: Patch) -> bool:
    top, left = max(a.row, b.row), max(a.column, b.column)
    bottom = min(a.row + a.mask.shape[0], b.row + b.mask.shape[0])
    right = min(a.column + a.mask.shape[1], b.column + b.mask.shape[1])
    if bottom <= top or right <= left:
        return False
    shared = np.logical_and(*(p.mask[top - p.row : bottom - p.row, left - p.column : right - p.column] for p in (a, b)))
    both, sizes = np.count_nonzero(shared), (np.count_nonzero(a.mask), np.count_nonzero(b.mask))
    return bool(0 < both < min(sizes) or 0 < both == max(sizes))


def _shared_out(planes: Sequence[_Plane], grid: Grid, slab_mm: float) -> tuple[list[tuple[int, _Plane]], list[Reason]]:
    """Which plane each slice takes: the nearest one whose slab holds the slice."""
    depths = np.array([plane.k for plane in planes])
    slices = np.arange(grid.shape[0])
    nearest = np.abs(slices[:, None] - depths).argmin(axis=1)
    distance = np.abs(slices - depths[nearest])
    stated = slab_mm / _spacing_mm(grid)
    are_on_slices = bool(np.abs(depths - np.rint(depths)).max() <= _ON_SLICE) and stated < _SEVERAL_SLICES
    spacing = 1.0 if len(depths) < 2 else float(np.median(np.diff(depths)))
    is_held = distance <= (_ON_SLICE if are_on_slices else max(spacing, stated) / 2)
    shares = [(int(k), planes[nearest[k]]) for k in slices[is_held]]
    reasons = [] if are_on_slices else [_between(planes, shares)]
    first, last = max(depths[0], 0), min(depths[-1], grid.shape[0] - 1)
    empty = int(np.count_nonzero(~is_held & (slices > first) & (slices < last)))
    if empty:
        reasons.append(Reason("CONTOURS_APART", f"{empty} slices between its contours have none and were left empty."))
    return shares, reasons


def _between(planes: Sequence[_Plane], shares: Sequence[tuple[int, _Plane]]) -> Reason:
    used = len({id(plane) for _, plane in shares})
    message = (
        f"its {len(planes)} planes of contours do not lie on the slices; {len(shares)} slices took {used} of them."
    )
    return Reason("CONTOURS_BETWEEN_SLICES", message)
