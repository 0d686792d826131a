"""Structures: an RT Structure Set (PS3.3 A.19, C.8.8.5) onto a grid. How polygons become pixels is in ``contours``.

Contours that lie in one plane are taken together, by even-odd rule: a contour within another one is a hole, as is
what a keyhole leaves out. Contours in the planes of the slices go to these; of others each slice takes the nearest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from isocenter import codes
from isocenter.codes import Code
from isocenter.dicom.contours import Floats, Patch, inside
from isocenter.dicom.layers import Layers
from isocenter.dicom.naming import first_code, unique_names
from isocenter.errors import InputError, Refused
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.reasons import Reason, merge

if TYPE_CHECKING:
    from pydicom import Dataset

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_FLAT = 0.2  # slices; a contour that reaches through more of the stack is not drawn along the slices
_ON_SLICE = 0.1  # slices; contours that lie nearer to a slice lie on it
_SEVERAL_SLICES = 1.5  # slices; contours that say they stand for more go to the slices beside them too
_FARTHEST_MM = 1e6
_SAME_PLANE_MM = 0.05  # what rounding to a tenth of a millimetre does
_TARGET = {
    "GTV": codes.GROSS_TUMOR_VOLUME,
    "CTV": codes.CLINICAL_TARGET_VOLUME,
    "PTV": codes.PLANNING_TARGET_VOLUME,
}
_THINGS = frozenset({"BOLUS", "SUPPORT", "FIXATION", "MARKER", "BRACHY_DEVICE", "BRACHY_SRC_APP", "BRACHY_CHNL_SHLD"})


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


def structures_on(dataset: Dataset, grid: Grid) -> Segmentation:
    """The structures of an RT Structure Set on a grid.

    Parameters
    ----------
    dataset
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
        If the structure set lacks what it must have, or holds coordinates that are no numbers.
    """
    try:
        found, reasons = _drawn(dataset, grid)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError("The RT Structure Set is damaged: export it again.") from error
    reasons = [replace(reason, instances=(str(dataset.get("SOPInstanceUID", "")),)) for reason in merge(reasons)]
    if not found:
        raise Refused(reasons or [Reason("STRUCTURE_LEFT_OUT", "The RT Structure Set holds no structure.")])
    layers = Layers(grid.shape, len(found))
    names = unique_names(segment.title for segment, _ in found)
    segments = tuple(
        replace(segment, name=name, label=label, layer=layers.add(label, patches))
        for label, (name, (segment, patches)) in enumerate(zip(names, found, strict=True), 1)
    )
    return Segmentation(layers.arrays, grid, segments, _algorithm(dataset), reasons=tuple(reasons))


def _drawn(dataset: Dataset, grid: Grid) -> tuple[list[tuple[Segment, list[Patch]]], list[Reason]]:
    contours = {int(item.ReferencedROINumber): item for item in dataset.get("ROIContourSequence", ())}
    observations = {int(item.ReferencedROINumber): item for item in dataset.get("RTROIObservationsSequence", ())}
    found: list[tuple[Segment, list[Patch]]] = []
    reasons: list[Reason] = []
    for roi in dataset.get("StructureSetROISequence", ()):
        number = int(roi.ROINumber)
        drawn = contours.get(number)
        try:
            reasons += _frame_faults(dataset, roi, grid)
            planes = _planes(drawn.get("ContourSequence", ()) if drawn is not None else (), grid)
        except _UndrawableError as error:
            reasons.append(replace(error.reason, message=f"Structure {number}: {error}"))
            continue
        patches, met = _patches(planes, grid, _slab_mm(drawn))
        reasons += [replace(reason, message=f"Structure {number}: {reason.message}") for reason in met]
        found.append((_segment(roi, drawn, observations.get(number)), patches))
    return found, reasons


# --- what a structure is ---------------------------------------------------------------------------------------------


def _segment(roi: Dataset, drawn: Dataset | None, observation: Dataset | None) -> Segment:
    observed: Mapping[str, Any] | Dataset = {} if observation is None else observation
    kind = str(observed.get("RTROIInterpretedType") or "").upper()
    stated = first_code(observed.get("RTROIIdentificationCodeSequence"))
    type_, category = _meaning(kind)
    title = str(roi.get("ROIName") or observed.get("ROIObservationLabel") or f"Structure {roi.ROINumber}")
    segment = Segment("", 1, title, stated or type_, category)
    color = None if drawn is None else drawn.get("ROIDisplayColor")
    if color is None or len(color) != 3:
        return segment
    red, green, blue = (min(max(int(part), 0), 255) for part in color)
    return replace(segment, color=(red, green, blue))


def _meaning(interpreted: str) -> tuple[Code, Code]:
    """Property type and category of an RT ROI Interpreted Type (PS3.3 C.8.8.8.1)."""
    if interpreted in _TARGET:
        return _TARGET[interpreted], codes.SPATIAL_CONCEPT
    if interpreted == "EXTERNAL":
        return codes.BODY, codes.ANATOMICAL_STRUCTURE
    if interpreted in _THINGS:
        return codes.PHYSICAL_OBJECT, codes.PHYSICAL_OBJECT
    return codes.ANATOMICAL_STRUCTURE, codes.ANATOMICAL_STRUCTURE


def _algorithm(dataset: Dataset) -> Algorithm:
    ways = {str(roi.get("ROIGenerationAlgorithm") or "") for roi in dataset.StructureSetROISequence} - {""}
    name = f"contours ({', '.join(sorted(ways)).lower()})" if ways else "contours"
    return Algorithm(name, "", family=codes.MANUAL_PROCESSING)


# --- where it lies ---------------------------------------------------------------------------------------------------


def _frame_faults(dataset: Dataset, roi: Dataset, grid: Grid) -> list[Reason]:
    """Nothing if structure and grid share a frame of reference; a reason if nobody says so."""
    stated = str(roi.get("ReferencedFrameOfReferenceUID") or dataset.get("FrameOfReferenceUID") or "")
    own = grid.frame_of_reference_uid
    if grid.space is not Space.PATIENT:
        raise _UndrawableError("FRAME_OTHER", "The place of the grid in the patient is not known.")
    if stated and own and stated != own:
        raise _UndrawableError("FRAME_OTHER", "It was drawn in another frame of reference than that of the grid.")
    if stated and own:
        return []
    return [Reason("FRAME_UNKNOWN", "Contours or grid do not name their frame of reference; they were taken as one.")]


def _planes(items: Iterable[Dataset], grid: Grid) -> list[_Plane]:
    """The planes of the closed contours, by their place along the stack."""
    placed: list[tuple[float, Floats]] = []
    for item in items:
        if str(item.get("ContourGeometricType", "")).strip() not in _CLOSED:
            continue
        index = grid.to_index(_points_mm(item))
        if np.ptp(index[:, 0]) > _FLAT:
            raise _UndrawableError("STRUCTURE_LEFT_OUT", "Its contours are not parallel to the slices of the grid.")
        placed.append((float(np.mean(index[:, 0])), index[:, 1:]))
    if not placed:
        raise _UndrawableError("STRUCTURE_WITHOUT_AREA", "It has no closed contours.")
    placed.sort(key=lambda one: one[0])
    depths = np.array([k for k, _ in placed])
    nearest = np.rint(depths)
    if np.abs(depths - nearest).max() <= _ON_SLICE:
        starts = np.flatnonzero(np.diff(nearest, prepend=-np.inf))
    else:
        starts = np.flatnonzero(np.diff(depths, prepend=-np.inf) * _spacing_mm(grid) > _SAME_PLANE_MM)
    ends = [*starts[1:], len(placed)]
    return [_Plane(placed[a][0], tuple(p for _, p in placed[a:b])) for a, b in zip(starts, ends, strict=True)]


def _points_mm(item: Dataset) -> Floats:
    """(n, 3) points of a contour. The text is parsed at once: pydicom takes it number by number."""
    element = item.get_item("ContourData")
    raw = element.value if element is not None else b""
    try:
        points = np.array(raw.split(b"\\") if isinstance(raw, bytes) else raw).astype(np.float64).reshape(-1, 3)
    except ValueError:
        points = np.full((1, 3), np.nan)
    if len(points) == 0 or not (np.abs(points) < _FARTHEST_MM).all() or item.get("ContourOffsetVector"):
        raise _UndrawableError("STRUCTURE_LEFT_OUT", "Its contours hold points that are no places in a patient.")
    return points


def _spacing_mm(grid: Grid) -> float:
    """Distance between the planes of neighbouring slices."""
    normal = np.cross(grid.direction[:, 1], grid.direction[:, 2])
    return abs(float(grid.affine[:3, 0] @ normal)) / float(np.linalg.norm(normal))


def _slab_mm(drawn: Dataset | None) -> float:
    """The least thickness that the contours say they stand for; 0 where they say nothing."""
    items = () if drawn is None else drawn.get("ContourSequence", ())
    stated = [float(item.ContourSlabThickness) for item in items if item.get("ContourSlabThickness")]
    return min(stated, default=0.0)


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
