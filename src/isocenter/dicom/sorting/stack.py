"""Stack: order, spacing and grid of parallel slices, from their positions alone. All tolerances stand here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from isocenter.dicom.frames.frame import Frame, names_of
from isocenter.dicom.sorting.tilt import upright_grid
from isocenter.geometry import Grid, Space
from isocenter.reasons import Reason

Floats = npt.NDArray[np.float64]

ORIENTATION_TOLERANCE = 1e-3
"""Direction cosines that differ by less are equal."""
PERPENDICULAR_TOLERANCE = 2e-3
"""How far row and column direction may be from perpendicular unit vectors."""
SPACING_TOLERANCE = 1e-3
"""Pixel spacings that differ by less, relatively, are equal."""
SAME_POSITION_MM = 0.01
"""Slices nearer than this along the normal lie at one position."""
LATTICE_TOLERANCE_MM = 0.055
"""How far a slice may be from its even place: what rounding positions to a tenth of a millimetre does."""
LATTICE_TOLERANCE_SPACINGS = 0.1
"""The same, in slice spacings; the smaller of the two counts."""
STEEPEST_TILT_DEGREES = 45
"""No gantry tilts so far: beyond, positions and orientation contradict each other."""
FARTHEST_APART = 1.5
"""How far apart slices may lie, in slice thicknesses, before something between them is missed."""
FARTHEST_MM = 1e6
"""A position beyond this is no place in a patient."""
NEAREST_MM = 1e-6
"""Pixels nearer to each other than this are no pixels of a patient."""
MOST_OF_TILT = 4
"""How many times as large as its slices a tilted stack may become upright."""
SMALL_VOXELS = 1 << 24
"""A volume of no more voxels is never too large."""
_LEAST_WOVEN = 4


def same_direction(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether two orientations are equal within the tolerance."""
    return max(abs(x - y) for x, y in zip(a, b, strict=True)) < ORIENTATION_TOLERANCE


def same_spacing(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether two pixel spacings are equal within the tolerance."""
    return all(math.isclose(x, y, rel_tol=SPACING_TOLERANCE) for x, y in zip(a, b, strict=True))


def place_faults(frames: Sequence[Frame]) -> list[Reason]:
    """What keeps frames from having a place: positions, orientations or spacings that are missing or nonsense."""
    faults = []
    unplaced = [f for f in frames if f.orientation is None or not _is_place(f.position_mm)]
    if unplaced:
        message = f"{len(unplaced)} of {len(frames)} slices have no usable position or orientation in the patient."
        faults.append(Reason("POSITION_MISSING", message, names_of(unplaced)))
    spacings = {id(f.pixel_spacing_mm): f.pixel_spacing_mm for f in frames}.values()
    if not all(map(is_scale, spacings)):
        unscaled = [f for f in frames if not is_scale(f.pixel_spacing_mm)]
        message = f"{len(unscaled)} of {len(frames)} slices have no usable Pixel Spacing."
        faults.append(Reason("SPACING_MISSING", message, names_of(unscaled)))
    orientations = {id(f.orientation): f.orientation for f in frames}.values()
    if not all(one is None or _is_orthonormal(one) for one in orientations):
        skew = [f for f in frames if f.orientation is not None and not _is_orthonormal(f.orientation)]
        message = "Row and column direction are not perpendicular unit vectors."
        faults.append(Reason("ORIENTATION_INVALID", message, names_of(skew)))
    return faults


def is_scale(spacing_mm: tuple[float, float] | None) -> bool:
    """Whether a pixel spacing is there and no nonsense."""
    return spacing_mm is not None and NEAREST_MM < min(spacing_mm) <= max(spacing_mm) < FARTHEST_MM


def _is_place(position: Sequence[float] | None) -> bool:
    if position is None:
        return False
    x, y, z = position
    return -FARTHEST_MM < x < FARTHEST_MM and -FARTHEST_MM < y < FARTHEST_MM and -FARTHEST_MM < z < FARTHEST_MM


@lru_cache(maxsize=1024)
def _is_orthonormal(orientation: tuple[float, ...]) -> bool:
    x, y = np.array(orientation[:3]), np.array(orientation[3:])
    return bool(np.abs([x @ x - 1, y @ y - 1, x @ y]).max() <= PERPENDICULAR_TOLERANCE)


def depths_mm(frames: Sequence[Frame]) -> Floats:
    """Coordinate of each frame along the stack: along row direction x column direction of the array.

    Growing depth makes (slice, row, column) right-handed; a common axial stack runs from head to feet.
    """
    return np.asarray(_positions(frames) @ _axes(frames[0])[2])


def _axes(frame: Frame) -> Floats:
    """Unit vectors of growing row index, of growing column index, and across the frame."""
    assert frame.orientation is not None  # noqa: S101 - place_faults has been asked
    return _axes_of(frame.orientation)


@lru_cache(maxsize=1024)
def _axes_of(orientation: tuple[float, ...]) -> Floats:
    vectors = np.array(orientation).reshape(2, 3)
    columns, rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    axes = np.array([rows, columns, np.cross(rows, columns)])
    axes.flags.writeable = False
    return axes


def _positions(frames: Sequence[Frame]) -> Floats:
    return np.array([frame.position_mm for frame in frames], np.float64)


def has_shared_positions(depths: Floats) -> bool:
    """Whether two slices lie at one position."""
    ordered = np.sort(depths)
    return len(depths) > 1 and bool((ordered[1:] - ordered[:-1]).min() < SAME_POSITION_MM)


def positions_of(depths: Floats) -> Floats:
    """The distinct positions among depths, sorted."""
    ordered = np.sort(depths)
    return ordered[np.concatenate(([True], np.diff(ordered) >= SAME_POSITION_MM))]


def is_even(depths: Floats) -> bool:
    """Whether sorted depths are evenly spaced within the tolerance."""
    if len(depths) < 3:
        return True
    step = (depths[-1] - depths[0]) / (len(depths) - 1)
    ideal = depths[0] + step * np.arange(len(depths))
    return bool(np.abs(depths - ideal).max() <= tolerance_mm(step))


def tolerance_mm(step: float | Floats) -> Floats:
    """How far a slice may be from its even place where slices are a step apart."""
    return np.minimum(LATTICE_TOLERANCE_MM, LATTICE_TOLERANCE_SPACINGS * np.abs(step))


def arrange(frames: Sequence[Frame]) -> tuple[tuple[Frame, ...], Grid | None, list[Reason]]:
    """Sort slices that share orientation, spacing and size, and find their grid.

    Parameters
    ----------
    frames
        Parallel slices, for which :func:`place_faults` found nothing.

    Returns
    -------
    frames
        In slice order.
    grid
        The lattice of their voxels, sheared if the gantry was tilted; None where there is no even one.
    reasons
        What was met.
    """
    depths = depths_mm(frames)
    order = np.argsort(depths, kind="stable")
    ordered, depths = tuple(frames[i] for i in order.tolist()), depths[order]
    if has_shared_positions(depths):
        return ordered, None, [_shared(ordered, depths)]
    if len(ordered) == 1:
        return _single(ordered)
    positions = _positions(ordered)
    step = (positions[-1] - positions[0]) / (len(ordered) - 1)
    off = positions - positions[0] - np.arange(len(ordered))[:, np.newaxis] * step
    if math.sqrt((off * off).sum(axis=1).max()) > tolerance_mm((depths[-1] - depths[0]) / (len(ordered) - 1)):
        return ordered, None, [_uneven(ordered, depths)]
    doubts = [*_too_steep(ordered, step), *_numbered_twice(ordered)]
    if doubts:
        return ordered, None, doubts
    grid = grid_of(ordered[0], step, len(ordered))
    if swells(grid):
        message = f"The slices drift apart so far that the upright volume would be over {MOST_OF_TILT} times as large."
        return ordered, None, [Reason("SERIES_INCONSISTENT", message, names_of(ordered))]
    return ordered, grid, [*tilts(grid, ordered), *_apart(ordered, depths), *_woven(ordered)]


def line_of(ordered: Sequence[Frame], depths: Floats) -> Floats | None:
    """Where positions move per millimetre of depth, if all of them lie on one line that no gantry is too steep for."""
    positions = _positions(ordered)
    direction = (positions[-1] - positions[0]) / (depths[-1] - depths[0])
    off = np.linalg.norm(positions - positions[0] - np.outer(depths - depths[0], direction), axis=1)
    return None if off.max() > LATTICE_TOLERANCE_MM or _too_steep(ordered, direction) else np.asarray(direction)


def grid_of(first: Frame, step: Floats, count: int) -> Grid:
    """Grid of slices that follow a first one, each a step after the other."""
    rows, columns, _ = _axes(first)
    assert first.pixel_spacing_mm is not None  # noqa: S101 - place_faults has been asked
    between_rows, between_columns = first.pixel_spacing_mm
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = step, rows * between_rows, columns * between_columns
    affine[:3, 3] = first.position_mm
    shape = (count, *first.shape)
    return Grid(shape, affine, first.instance.frame_of_reference_uid or None)


def swells(grid: Grid) -> bool:
    """Whether a sheared stack would become absurdly large upright."""
    if not grid.is_sheared:
        return False
    size = math.prod(upright_grid(grid).shape)
    return size > MOST_OF_TILT * math.prod(grid.shape) and size > SMALL_VOXELS


def flat_grid(shape: tuple[int, int], spacing_mm: tuple[float, float] | None) -> Grid:
    """Grid of a picture without a place in the patient.

    Parameters
    ----------
    shape
        (rows, columns).
    spacing_mm
        Between rows, then between columns; None where it is not known: the grid is in pixels then.

    Returns
    -------
    One slice; x grows along the columns, y along the rows. The length of the slice axis, 1, means nothing.
    """
    between_rows, between_columns = spacing_mm or (1.0, 1.0)
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = -1.0, between_rows, between_columns, 1.0
    return Grid((1, *shape), affine, space=Space.PIXEL if spacing_mm is None else Space.PLANE)


def _single(ordered: tuple[Frame, ...]) -> tuple[tuple[Frame, ...], Grid | None, list[Reason]]:
    thickness = ordered[0].slice_thickness_mm
    if thickness is None or not NEAREST_MM < thickness < FARTHEST_MM:
        message = "A single slice without Slice Thickness has no depth: it was taken as a picture."
        grid = flat_grid(ordered[0].shape, ordered[0].pixel_spacing_mm)
        return ordered, grid, [Reason("DEPTH_UNKNOWN", message, names_of(ordered))]
    normal = _axes(ordered[0])[2]
    message = f"One slice; its thickness of {thickness:g} mm stands in for the slice spacing."
    return ordered, grid_of(ordered[0], normal * thickness, 1), [Reason("SINGLE_SLICE", message, names_of(ordered))]


def _shared(ordered: Sequence[Frame], depths: Floats) -> Reason:
    near = np.diff(depths) < SAME_POSITION_MM
    involved = np.concatenate((near, [False])) | np.concatenate(([False], near))
    names = names_of(frame for frame, is_involved in zip(ordered, involved, strict=True) if is_involved)
    count = len(positions_of(depths))
    message = f"{len(ordered)} slices lie at {count} positions, and no attribute divides them into complete volumes."
    return Reason("DUPLICATE_POSITION", message, names)


def _uneven(ordered: Sequence[Frame], depths: Floats) -> Reason:
    """A gap, if all distances are whole multiples of the common one; else a varying spacing."""
    gaps = np.diff(depths)
    common = float(np.median(gaps))
    multiples = np.round(gaps / common)
    slack = 2 * tolerance_mm(common)
    wide = [k for k in range(len(gaps)) if multiples[k] > 1]
    if wide and multiples.min() >= 1 and np.abs(gaps - multiples * common).max() <= slack:
        missing = int(multiples.sum()) - len(gaps)
        names = names_of(ordered[k + side] for k in wide for side in (0, 1))
        places = ", ".join(f"{gaps[k]:.4g} mm after slice {k}" for k in wide[:5])
        message = f"{missing} missing where the slices are {common:.4g} mm apart: {places}."
        return Reason("SLICE_GAP", f"{'Slice' if missing == 1 else 'Slices'} missing: {message}", names)
    if gaps.max() - gaps.min() <= slack:
        return Reason("SPACING_VARIES", "The slices are shifted against each other within their planes.")
    message = f"The slices are between {gaps.min():.4g} and {gaps.max():.4g} mm apart."
    names = names_of(ordered[k] for k in range(len(gaps)) if abs(gaps[k] - common) > slack)
    return Reason("SPACING_VARIES", message, names)


def _too_steep(ordered: Sequence[Frame], step: Floats) -> list[Reason]:
    normal = _axes(ordered[0])[2]
    angle = math.degrees(math.acos(min(1.0, abs(float(step @ normal)) / float(np.linalg.norm(step)))))
    if angle <= STEEPEST_TILT_DEGREES:
        return []
    message = f"The stack runs at {angle:.0f} degrees to its slices: positions and orientation contradict each other."
    return [Reason("SERIES_INCONSISTENT", message)]


def _numbered_twice(ordered: Sequence[Frame]) -> list[Reason]:
    """Two volumes that lie between each other: neighbours share their Instance Number."""
    numbers = [None if frame.instance.format.frames > 1 else frame.instance.instance_number for frame in ordered]
    twice = sum(a is not None and a == b for a, b in pairwise(numbers))
    if twice < len(ordered) // 2 or twice == len(ordered) - 1:
        return []
    message = f"{twice} pairs of neighbouring slices bear one Instance Number: two volumes may lie between each other."
    return [Reason("SERIES_INCONSISTENT", message)]


def is_woven(ordered: Sequence[Frame]) -> bool:
    """Whether Instance or Acquisition Numbers run through a stack twice: every other slice comes before the rest."""
    instances = [frame.instance.instance_number for frame in ordered]
    acquisitions = [frame.mark.acquisition_number for frame in ordered]
    for numbers in (instances, acquisitions):
        even, odd = ([one for one in numbers[start::2] if one is not None] for start in (0, 1))
        if len(even) + len(odd) < max(len(ordered), _LEAST_WOVEN):
            continue
        if max(even) < min(odd) or max(odd) < min(even):
            return True
    return False


def _woven(ordered: Sequence[Frame]) -> list[Reason]:
    """An interleaved acquisition, or two volumes that lie between each other: the header does not tell."""
    if not is_woven(ordered):
        return []
    message = "Every other slice is numbered before the rest: an interleaved acquisition, or two volumes in one."
    return [Reason("SLICES_INTERLEAVED", message)]


def _apart(ordered: Sequence[Frame], depths: Floats) -> list[Reason]:
    distance = float(depths[-1] - depths[0]) / (len(depths) - 1)
    thickness = ordered[0].slice_thickness_mm
    if thickness is None or distance <= FARTHEST_APART * thickness:
        return []
    message = f"Slices of {thickness:g} mm lie {distance:.4g} mm apart: what lies between them is not in the image."
    return [Reason("SLICES_APART", message)]


def continues(frames: Sequence[Frame], others: Sequence[Frame]) -> bool:
    """Whether other slices continue a stack, or fill gaps of it: whether all of them together are evenly spaced.

    Parameters
    ----------
    frames
        A stack of two slices or more.
    others
        Further slices; both have a place.
    """
    vectors = [_axes(one[0])[2] for one in (frames, others)]
    if len(frames) < 2 or abs(float(vectors[0] @ vectors[1])) < 1 - ORIENTATION_TOLERANCE:
        return False
    own = np.sort(_positions(frames) @ vectors[0])
    every = np.sort(_positions([*frames, *others]) @ vectors[0])
    step = float(every[-1] - every[0]) / (len(every) - 1)
    return not has_shared_positions(every) and is_even(every) and bool(np.diff(own).min() < 1.5 * step)


def tilts(grid: Grid, ordered: Sequence[Frame]) -> list[Reason]:
    """That slices are sheared against each other, if they are."""
    if not grid.is_sheared:
        return []
    slices, rows, columns = grid.direction.T
    normal = np.cross(rows, columns)
    angle = math.degrees(math.acos(min(1.0, abs(float(slices @ normal)))))
    shear = ", ".join(f"{grid.spacing_mm[0] * float(slices @ axis):.4g}" for axis in (rows, columns))
    message = f"Each slice is shifted by ({shear}) mm along (rows, columns): a tilt of {angle:.2f} degrees."
    return [Reason("TILT", message, names_of(ordered))]
