"""What moves an image: elastic, affine, flip; and all of them together as one map from the new image into the old.

Everything is in millimetres along the image's own axes, from the middle of the window: how large voxels are along an
axis changes nothing but where the image is sampled. Along an axis of one voxel, as in a slice, nothing moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from isocenter.augment.counting import uniform
from isocenter.augment.drawing import Ranges, Step, along_axes, axis_by_axis, highest, number, seed, settled
from isocenter.errors import UsageError
from isocenter.geometry import Floats, Triple

Spacing = tuple[float, float, float]
Singles = npt.NDArray[np.float32]

_FOLDS = 0.4033
"""Share of the distance of control points below which cubic B-splines cannot fold (Choi and Lee, 2000)."""
_ROUNDS, _CLOSE = 50, 1e-6


@dataclass(frozen=True, kw_only=True)
class Affine(Step):
    """The image turned, scaled, sheared and shifted about its middle.

    Parameters
    ----------
    rotation_degrees
        About the (slice, row, column) axis, one after the other.
    scale
        Along each axis; above 1 what is seen becomes larger.
    shear_degrees
        Of rows against slices, of columns against slices, of columns against rows.
    translation_mm
        Along each axis.
    """

    rotation_degrees: Ranges = along_axes((-15.0, 15.0), within=(-180, 180))
    scale: Ranges = along_axes((0.9, 1.1), within=(0.1, 10))
    shear_degrees: Ranges = along_axes(0.0, within=(-60, 60))
    translation_mm: Ranges = along_axes(0.0, within=(-1e4, 1e4))

    def matrix(self, moving: Floats) -> Floats:
        """Where (slice, row, column, 1) in millimetres goes, for the axes along which anything may move (1, else 0)."""
        turns, shears = (np.radians(axis_by_axis(one)) for one in (self.rotation_degrees, self.shear_degrees))
        linear = np.diag(np.where(moving, axis_by_axis(self.scale), 1.0))
        sheared = np.eye(3)
        for (a, b), angle in zip(((1, 0), (2, 0), (2, 1)), shears, strict=True):
            sheared[a, b] = np.tan(angle) * moving[a] * moving[b]
        linear = sheared @ linear
        for axis, angle in enumerate(turns):
            a, b = [one for one in range(3) if one != axis]
            if moving[a] and moving[b]:
                turn = np.eye(3)
                turn[[a, a, b, b], [a, b, a, b]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
                linear = turn @ linear
        whole = np.eye(4)
        whole[:3, :3], whole[:3, 3] = linear, np.where(moving, axis_by_axis(self.translation_mm), 0.0)
        return whole


@dataclass(frozen=True, kw_only=True)
class Flip(Step):
    """The image mirrored along each of some axes with a probability of its own.

    Parameters
    ----------
    axes
        0 slice, 1 row, 2 column: those alone along which a mirrored image could be a real one with the same labels.
    probability
        For each axis.
    """

    axes: tuple[int, ...]
    probability: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        axes = tuple(self.axes)
        if len(set(axes)) < len(axes) or not set(axes) <= {0, 1, 2}:
            raise UsageError(f"Axes are some of 0 (slice), 1 (row) and 2 (column), each once; not {self.axes!r}.")
        object.__setattr__(self, "axes", tuple(int(one) for one in axes))

    def sample(self, rng: np.random.Generator) -> Flip | None:
        """The axes that are flipped; one number is drawn for each."""
        axes = tuple(axis for axis in self.axes if rng.random() < self.probability)
        return Flip(axes=axes, probability=1.0) if axes else None

    def matrix(self, moving: Floats) -> Floats:
        """As :meth:`Affine.matrix`."""
        signs = [-1.0 if axis in self.axes and moving[axis] else 1.0 for axis in range(3)]
        return np.diag([*signs, 1.0])


@dataclass(frozen=True, kw_only=True)
class Elastic(Step):
    """The image bent smoothly: cubic B-splines over a lattice of control points, each displaced by chance.

    Parameters
    ----------
    displacement_mm
        The most that a control point moves along any axis. Less than 0.4 of ``control_mm``: then nothing folds.
    control_mm
        Distance between control points.
    """

    displacement_mm: float | tuple[float, float] = number((0.0, 6.0), within=(0, 1e3))
    control_mm: float | tuple[float, float] = number(32.0, within=(1e-3, 1e4))
    seed: int | None = seed()

    def __post_init__(self) -> None:
        super().__post_init__()
        least = self.control_mm[0] if isinstance(self.control_mm, tuple) else self.control_mm
        if highest(self.displacement_mm) >= _FOLDS * least:
            raise UsageError(
                f"Displacements of up to {highest(self.displacement_mm):g} mm between control points {least:g} mm "
                f"apart could fold the image: at most {_FOLDS * least:g} mm, or a greater control_mm."
            )


def is_spatial(step: Step) -> bool:
    """Whether a step moves the image."""
    return isinstance(step, Affine | Elastic | Flip)


@dataclass(frozen=True, eq=False)
class Pull:
    """Where the voxels of a new image lie in the old one, in voxels.

    Parameters
    ----------
    matrix
        (3, 4): from (slice, row, column, 1) of the new image to the old one.
    controls
        (3, m0, m1, m2): displacement in the old image at control points; all 1 for none.
    weights
        For each axis (voxels, control points): cubic B-splines; the displacement is controls by weights on each axis.
    lattice
        What points need to go the other way; None without bending.
    """

    matrix: Floats
    controls: Singles = field(repr=False)
    weights: tuple[Singles, Singles, Singles] = field(repr=False)
    lattice: Lattice | None = None

    def forth(self, points: npt.ArrayLike) -> Floats:
        """Where points (n, 3) of the old image lie in the new one, in voxels."""
        wanted = places(points)
        back = np.linalg.inv(self.matrix[:, :3])
        straight = (wanted - self.matrix[:, 3]) @ back.T
        if self.lattice is None:
            return straight
        found = straight
        for _ in range(_ROUNDS):  # a contraction where nothing folds
            moved = straight - self.lattice.at(found)
            if np.abs(moved - found).max(initial=0.0) < _CLOSE:
                return moved
            found = moved
        return found


def places(points: npt.ArrayLike) -> Floats:
    """Points as float64 (n, 3).

    Raises
    ------
    UsageError
        If they are none.
    """
    try:
        found = np.asarray(points, np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError("Points are numbers: a row of (slice, row, column), or of (x, y, z), for each.") from error
    if found.size and (found.ndim != 2 or found.shape[1] != 3):
        raise UsageError(f"Points are rows of three numbers, of shape (n, 3), not {found.shape}.")
    return found.reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class Lattice:
    """Displacements of control points in voxels of the new image, and where they lie."""

    controls: Floats
    control_voxels: Floats
    middle: Floats
    first: tuple[int, int, int]

    def at(self, points: Floats) -> Floats:
        """Displacement at points (n, 3), in voxels of the new image."""
        axes = [
            splines((points[:, axis] - self.middle[axis]) / self.control_voxels[axis], self.first[axis], count)
            for axis, count in enumerate(self.controls.shape[1:])
        ]
        found: Floats = np.einsum("dijk,ni,nj,nk->nd", self.controls, *axes, optimize=True)
        return found


def pull(steps: Sequence[Step], shape: Triple, spacing_mm: Spacing, start: Triple = (0, 0, 0)) -> Pull:
    """The map of all steps that move the image, as one.

    The image is bent first and then turned and flipped, in the order of the steps.

    Parameters
    ----------
    steps
        Drawn steps, also others.
    shape, spacing_mm
        Of the new image.
    start
        Where its first voxel would lie in the old one.
    """
    straight = [one for one in steps if isinstance(one, Affine | Flip)]
    bent = [one for one in steps if isinstance(one, Elastic)]
    moving = (np.asarray(shape) > 1).astype(np.float64)
    forward = np.eye(4)
    for one in straight:
        forward = one.matrix(moving) @ forward
    inverse = np.linalg.inv(forward)
    spacing, middle = np.asarray(spacing_mm, np.float64), (np.asarray(shape) - 1) / 2
    linear = inverse[:3, :3] * spacing / spacing[:, None]
    shift = inverse[:3, 3] / spacing + middle + np.asarray(start) - linear @ middle
    matrix = np.column_stack([linear, shift])
    if not bent:
        k, r, c = (np.zeros((n, 0), np.float32) for n in shape)
        return Pull(matrix, np.zeros((3, 0, 0, 0), np.float32), (k, r, c))
    lattice = _lattice(bent[0], shape, spacing, moving)
    weights = [
        splines((np.arange(n) - middle[a]) / lattice.control_voxels[a], lattice.first[a], lattice.controls.shape[1 + a])
        for a, n in enumerate(shape)
    ]
    controls = np.einsum("ab,bijk->aijk", linear, lattice.controls).astype(np.float32)
    k, r, c = (np.ascontiguousarray(one, np.float32) for one in weights)
    return Pull(matrix, controls, (k, r, c), lattice)


def _lattice(step: Elastic, shape: Triple, spacing: Floats, moving: Floats) -> Lattice:
    size, control = settled(step.displacement_mm), settled(step.control_mm)
    first, counts = covering(shape, spacing, control)
    drawn = np.stack([lattice_of(first, counts, step.seed or 0, stream) for stream in range(3)])
    displaced = (2 * drawn - 1) * size * (moving / spacing)[:, None, None, None]
    return Lattice(displaced, control / spacing, (np.asarray(shape) - 1) / 2, first)


def covering(shape: Triple, spacing: Floats, control_mm: float) -> tuple[Triple, Triple]:
    """Number of the first control point along each axis, from the middle of the image, and how many cover it."""
    half = (np.asarray(shape) - 1) / 2 * spacing / control_mm
    first, last = np.floor(-half) - 1, np.floor(half) + 2
    if np.abs([first, last]).max() > 500:
        raise UsageError(
            f"Control points every {control_mm:g} mm are more than 1,000 along this image: set them apart."
        )
    a, b, c = (int(one) for one in first)
    x, y, z = (int(one) + 1 for one in last - first)
    return (a, b, c), (x, y, z)


def lattice_of(first: Triple, counts: Triple, seed: int, stream: int) -> Floats:
    """A number from 0 to 1 for each control point, the same wherever the image begins."""
    k, r, c = np.ogrid[tuple(slice(a + 512, a + 512 + n) for a, n in zip(first, counts, strict=True))]
    return uniform((k * 1024 + r) * 1024 + c, seed, stream)


def splines(places: Floats, first: int, count: int) -> Floats:
    """Weight of each of ``count`` control points from number ``first`` on, at places in distances of control points."""
    away = np.abs(places[:, None] - np.arange(first, first + count))
    near, far = 2 / 3 - away**2 + away**3 / 2, np.clip(2 - away, 0, None) ** 3 / 6
    weights: Floats = np.where(away < 1, near, far)
    return weights
