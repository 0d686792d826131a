"""Registration: the transform from a fixed to a moving image, coarse to fine, and what it is worth.

==================  ===================================================================================================
``"rigid"``         turned and shifted: the same patient in another scanner or at another time
``"similarity"``    and scaled: images whose pixel size is not to be trusted
``"affine"``        and sheared, scaled along each axis
``"bspline"``       then bent smoothly, by a lattice of cubic B-splines (Rueckert et al., IEEE TMI 18:712, 1999)
``"diffeomorphic"`` then bent freely without folding (demons); images of one modality
==================  ===================================================================================================

Nothing is random: the same images give the same transform, for any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal, get_args

import numpy as np

from isocenter import codes
from isocenter.errors import InputError, Refused, UsageError, expect, expect_word
from isocenter.findings import Segmentation
from isocenter.geometry import Floats, Grid
from isocenter.ops.lattice import expect_real, expect_three_axes, spacing_of
from isocenter.ops.registration import bspline, demons, pyramid
from isocenter.ops.registration.agreement import Metric
from isocenter.ops.registration.demons import Stiffness
from isocenter.ops.registration.linear import TOO_LITTLE, Linear, Search, View, best_of, best_start, improved
from isocenter.ops.registration.quality import DOUBTFUL_MM, Quality, judged, reasons_of, threshold
from isocenter.ops.registration.transform import Transform, displacement_on, inverted
from isocenter.ops.resample import onto
from isocenter.reasons import Reason, Verdict, merge, verdict_of
from isocenter.volume import Array, Volume

Kind = Literal["rigid", "similarity", "affine", "bspline", "diffeomorphic"]
Start = Literal["best", "moments", "geometry", "world"]

_LEAST_VOXELS = 4
_COARSE_SAMPLES = 8_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Finer points of a registration.

    Parameters
    ----------
    fixed_mask, moving_mask
        Where the images are compared: the segments of these, taken together. None for everywhere.
    samples
        Number of points that linear and B-spline registration compare at the finest level.
    knots_mm
        Distance between knots of the B-spline lattice.
    stiffness
        How freely the diffeomorphic field may bend.

    Raises
    ------
    UsageError
        If a number is not positive.
    """

    fixed_mask: Segmentation | None = None
    moving_mask: Segmentation | None = None
    samples: int = 60_000
    knots_mm: float = 25.0
    stiffness: Stiffness = field(default_factory=Stiffness)

    def __post_init__(self) -> None:
        if not (self.samples > 0 and self.knots_mm > 0):
            raise UsageError("The number of samples and the distance of knots are positive.")


@dataclass(frozen=True, eq=False)
class Registration:
    """A transform found, and what it is worth.

    Parameters
    ----------
    transform
        From the fixed to the moving world. It carries the reasons, so every image that it is applied to has them.
    quality
        Its quality in numbers.
    reasons
        What the quality gives reason to say, after the reasons of both images.
    """

    transform: Transform
    quality: Quality
    reasons: tuple[Reason, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """What the transform is worth."""
        return verdict_of(self.reasons)


def register(
    fixed: Volume,
    moving: Volume,
    *,
    kind: Kind = "rigid",
    metric: Metric | Literal["auto"] = "auto",
    start: Start | Transform = "best",
    settings: Settings | None = None,
) -> Registration:
    """Find the transform that brings a moving image onto a fixed one.

    Parameters
    ----------
    fixed, moving
        The images: three axes, four voxels or more along each, perpendicular, no NaN.
    kind
        What the transform may do; the kinds that bend begin with an affine one.
    metric
        ``"mattes"``, ``"ncc"`` or ``"msd"``. By default Mattes' mutual information; for the diffeomorphic kind
        ``"msd"`` for two CT in HU, else ``"ncc"`` (local correlation there).
    start
        Where to begin: bodies' centres on each other, the grids' centres, the worlds as they are, or the best of these
        (each turned a little about each axis too); or a transform without displacement, which is taken as it is.
    settings
        Masks, samples, stiffness.

    Returns
    -------
    The transform (``.transform.apply(moving)`` is the moved image), its quality and reasons. A registration that failed
    is returned too, and *held*: the reason travels with all that the transform brings over.

    Raises
    ------
    UsageError
        If these are no volumes of three axes, a grid is sheared, sizes of pixels are unknown, or arguments do not fit.
    InputError
        If an image holds NaN or a mask is empty.
    Refused
        If an image is constant, or image and mask leave too little to compare.
    """
    settings = settings or Settings()
    _expect_one_of(kind, metric, start)
    _expect_pair(fixed, moving, start)
    metric_used: Metric = "mattes" if metric == "auto" or kind == "diffeomorphic" else metric
    linear: Linear = kind if kind in get_args(Linear) else "affine"  # type: ignore[assignment]
    search = Search(linear, metric_used, settings.samples)
    views = _views(fixed, moving, settings)
    matrix, back = _both_ways(views, search, start)
    transform = Transform(matrix, fixed.grid, moving.grid)
    if kind == "bspline":
        transform = replace(transform, displacement=_splined(views, matrix, metric_used, settings))
    elif kind == "diffeomorphic":
        transform = replace(transform, displacement=_bent(views, matrix, _likeness(fixed, moving, metric), settings))
    before = start.affine if isinstance(start, Transform) else np.eye(4)
    quality = judged(views[-1], transform, before, back, metric_used)
    is_one_kind = fixed.unit == moving.unit and fixed.modality == moving.modality
    reasons = reasons_of(quality, transform, "one kind" if is_one_kind else "two kinds")
    return Registration(transform.with_reasons(reasons), quality, merge(fixed.reasons, moving.reasons, reasons))


# --- asking for the right things -------------------------------------------------------------------------------------


def _expect_fit(image: Volume) -> None:
    expect_three_axes(image, "Images are registered")
    expect_real(image, "Registration")
    if min(image.shape) < _LEAST_VOXELS:
        raise UsageError(f"Registration needs {_LEAST_VOXELS} voxels along each axis, not {image.shape}.")
    spacing_of(image.grid)


def _expect_one_of(kind: str, metric: str, start: object) -> None:
    expect_word(kind, Kind, "The kind")
    expect_word(metric, Literal["auto", Metric], "The metric")
    if not isinstance(start, Transform):
        expect_word(start, Start, "The start")
    if kind == "diffeomorphic" and metric == "mattes":
        raise UsageError('The diffeomorphic kind compares images of one modality: take kind="bspline" for two.')


def _expect_pair(fixed: Volume, moving: Volume, start: object) -> None:
    for image in (fixed, moving):
        _expect_fit(image)
    if fixed.grid.space != moving.grid.space:
        raise UsageError(f"One image lies in the {fixed.grid.space}, the other in the {moving.grid.space}.")
    if not isinstance(start, Transform):
        return
    if start.displacement is not None:
        raise UsageError("A start is a transform without displacement.")
    if not (start.fixed.may_share_frame(fixed.grid) and start.moving.may_share_frame(moving.grid)):
        raise UsageError("The start leads between other frames of reference than those of the images.")


def _likeness(fixed: Volume, moving: Volume, metric: str) -> demons.Likeness:
    if metric == "auto":
        return "msd" if fixed.unit == moving.unit == codes.HU else "ncc"
    return "msd" if metric == "msd" else "ncc"


# --- levels ----------------------------------------------------------------------------------------------------------


def _views(fixed: Volume, moving: Volume, settings: Settings) -> list[View]:
    sizes = pyramid.steps_mm(fixed.grid)
    limits = [_limits(image, sizes[0], which) for image, which in ((fixed, "fixed"), (moving, "moving"))]
    made = []
    for size in sizes:
        levels = [
            pyramid.level(image.array, image.grid, size, limit)
            for image, limit in zip((fixed, moving), limits, strict=True)
        ]
        masks = [
            None if mask is None else _mask_on(mask, one.grid)
            for mask, one in zip((settings.fixed_mask, settings.moving_mask), levels, strict=True)
        ]
        made.append(View(levels[0], levels[1], masks[0], masks[1]))
    return made


def _limits(image: Volume, size_mm: float, which: str) -> tuple[float, float]:
    coarse = pyramid.level(image.array, image.grid, size_mm)
    if not np.isfinite(coarse.array).all():
        raise InputError(f"The {which} image holds NaN or infinite values: replace them first.")
    low, high = pyramid.limits_of(coarse)
    if not high > low:
        raise Refused([Reason("NOTHING_TO_REGISTER", f"The {which} image is constant: there is nothing to align.")])
    return low, high


def _mask_on(mask: Segmentation, grid: Grid) -> Array:
    expect(mask, Segmentation)
    found = onto(mask, grid).mask()
    if not found.any():
        raise InputError("A mask is empty, or holds nothing on the image's grid.")
    return found


def _turned(view: View) -> View:
    return View(view.moving, view.fixed, view.moving_mask, view.fixed_mask)


# --- stages ----------------------------------------------------------------------------------------------------------


def _starts(view: View, start: Start | Transform) -> list[Floats]:
    if isinstance(start, Transform):
        return [start.affine]
    of_grids = [np.asarray(one.grid.center_mm) for one in (view.fixed, view.moving)]
    of_bodies = [
        _center(view.fixed.array, view.fixed.grid, view.fixed_mask),
        _center(view.moving.array, view.moving.grid, view.moving_mask),
    ]
    shifts = {
        "moments": of_bodies[1] - of_bodies[0],
        "geometry": of_grids[1] - of_grids[0],
        "world": np.zeros(3),
    }
    found = []
    for name, shift in shifts.items():
        if start in ("best", name):
            matrix = np.eye(4)
            matrix[:3, 3] = shift
            found.append(matrix)
    return found


def _center(array: Array, grid: Grid, mask: Array | None) -> Floats:
    body = array > threshold(array)
    index = np.argwhere(body if mask is None else mask)
    center: Floats = grid.to_world(index.mean(axis=0))
    return center


def _both_ways(views: list[View], search: Search, start: Start | Transform) -> tuple[Floats, Floats]:
    """The matrix from fixed to moving, and one the other way found on its own (but at the finest level).

    Where they differ, each is asked whether it would rather have the other's answer. If both still differ after that,
    the images do not say where they belong.
    """
    ways = [views, [_turned(view) for view in views[:-1] or views]]
    starts = _starts(views[0], start)
    first = Search("rigid", search.metric, _COARSE_SAMPLES)
    some = [starts, [inverted(one) for one in starts]]
    if isinstance(start, Transform):
        begins = [one[0] for one in some]
    else:
        begins = [best_start(way[0], one, first) for way, one in zip(ways, some, strict=True)]
    found = [_linear(way, begin, search) for way, begin in zip(ways, begins, strict=True)]
    if found[0] is None:
        text = "The images, or what their masks leave of them, overlap too little to be compared."
        raise Refused([Reason("NOTHING_TO_REGISTER", text)])
    there, back = found[0], inverted(found[0]) if found[1] is None else found[1]
    if found[1] is None or _apart_mm(views[0], there @ back) > DOUBTFUL_MM:
        for_there, for_back = _linear(ways[0], inverted(back), search), _linear(ways[1], inverted(there), search)
        there, back = (
            own if other is None else best_of(way[-1], (own, other), search)
            for way, own, other in zip(ways, (there, back), (for_there, for_back), strict=True)
        )
    return there, back


def _apart_mm(view: View, matrix: Floats) -> float:
    """How far a matrix moves the corners of the fixed image's middle half, on average."""
    size = np.array(view.fixed.grid.shape) - 1
    corners = view.fixed.grid.to_world(np.array(list(product((0.25, 0.75), repeat=3))) * size)
    moves = corners @ (matrix[:3, :3] - np.eye(3)).T + matrix[:3, 3]
    return float(np.linalg.norm(moves, axis=1).mean())


def _linear(views: list[View], start: Floats, search: Search) -> Floats | None:
    """The matrix near a start, coarse to fine; None where the images overlap too little there."""
    matrix, value = start, np.inf
    for number, view in enumerate(views, 1 - len(views)):
        samples = max(round(search.samples * 2.0**number), _COARSE_SAMPLES)
        matrix, value = improved(view, matrix, replace(search, samples=samples))
    return None if value >= TOO_LITTLE else matrix


def _bent(views: list[View], matrix: Floats, metric: demons.Likeness, settings: Settings) -> Volume:
    views = [view for view in views if view.fixed.array.size <= demons.MOST_VOXELS] or views[:1]
    field, last = np.zeros((*views[0].fixed.grid.shape, 3), np.float32), views[0]
    for view in views:
        field = demons.carried(field, last, view)
        field = demons.refined(view, matrix, field, metric, settings.stiffness)
        last = view
    grid = last.fixed.grid
    return faded(grid, field @ grid.affine[:3, :3].T.astype(np.float32))


def _splined(views: list[View], matrix: Floats, metric: Metric, settings: Settings) -> Volume:
    lattice = bspline.lattice_over(views[0].fixed.grid, settings.knots_mm)
    knots = np.zeros((*lattice.shape, 3))
    for view in views:
        knots = bspline.refined(view, matrix, (lattice, knots), metric, settings.samples)
    grid = views[max(len(views) - 2, 0)].fixed.grid
    return faded(grid, bspline.dense(lattice, knots, grid))


def faded(grid: Grid, vectors_mm: Array) -> Volume:
    """A displacement that fades to zero over a rim around its grid, wide enough not to fold."""
    rims = [np.abs(np.take(vectors_mm, at, axis)).max() for axis in range(3) for at in (0, -1)]
    width = [int(np.ceil(2 * max(rims) / step)) + 1 for step in grid.spacing_mm]
    wide = np.pad(vectors_mm.astype(np.float32), [*((w, w) for w in width), (0, 0)], mode="edge")
    for axis, (n, w) in enumerate(zip(grid.shape, width, strict=True)):
        beyond = np.maximum(np.maximum(w - np.arange(n + 2 * w), np.arange(n + 2 * w) - (n - 1 + w)), 0)
        ramp = (1 - beyond / w).astype(np.float32)
        wide *= ramp.reshape([-1 if i == axis else 1 for i in range(4)])
    return displacement_on(grid.pad(width, width), wide)
