"""Diffeomorphic registration: a field of many small steps, each of which is a map that can be undone.

Demons with the gradient of both images (Vercauteren et al., NeuroImage 45:S61, 2009), on images normalised locally:
each voxel less the mean of its surroundings, over their standard deviation. The squared difference of such images is
the local correlation (LNCC), so the images need not share units or brightness; ``"msd"`` leaves the values as they are.
Each step is smoothed (as a fluid), and so is the whole (as an elastic body).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Floats
from isocenter.kernels import compiled, kernel, over_slices
from isocenter.ops.registration.fields import Field, joined, resampled, smoothed
from isocenter.ops.registration.linear import View
from isocenter.volume import Array

Likeness = Literal["ncc", "msd"]

MOST_VOXELS = 162**3
"""Voxels of the finest level: finer ones cost more than they bring."""
_AROUND = 4.0  # voxels; standard deviation of the surroundings that a voxel is compared with
_LONGEST = 0.45  # voxels; no step is longer, so that none folds
_QUIET = 0.1  # of the image's own standard deviation: what is flatter than this is noise
_PATIENCE = 6  # rounds over which the cost has to fall
_GAIN = 0.004  # by this share, else a level is done


@dataclass(frozen=True, slots=True)
class Stiffness:
    """How freely the field may bend.

    Parameters
    ----------
    step_voxels, whole_voxels
        Standard deviation of the smoothing of each step, and of the whole field after it, in voxels of a level.
    rounds
        Greatest number of steps of a level.
    """

    step_voxels: float = 1.5
    whole_voxels: float = 0.7
    rounds: int = 80


def refined(view: View, matrix: Floats, field: Field, metric: Likeness, stiffness: Stiffness) -> Field:
    """The field of the best agreement at a level near a given one.

    Parameters
    ----------
    view
        Both images at the level, with masks on their grids if any.
    matrix
        (4, 4) from the fixed to the moving world, after the field.
    field
        Field to begin with, in voxels on the fixed level's lattice.
    metric
        Whether values are compared as they are, or relative to their surroundings.
    stiffness
        How freely the field may bend.

    Returns
    -------
    A field on the same lattice.
    """
    fixed, moving = (
        _normalised(one.array) if metric == "ncc" else _scaled(one.array) for one in (view.fixed, view.moving)
    )
    if view.fixed_mask is not None:
        fixed = np.where(view.fixed_mask, fixed, np.float32(np.nan))
    if view.moving_mask is not None:
        moving = np.where(view.moving_mask, moving, np.float32(np.nan))
    to_index = view.moving.to_index @ matrix @ view.fixed.grid.affine
    size = np.asarray(view.fixed.grid.spacing_mm)
    per_voxel = size.min() / size  # smoothing is as wide in millimetres along each axis
    moved, step = np.empty(fixed.shape, np.float32), np.empty_like(field)
    left, costs = np.empty((fixed.shape[0], 2)), [np.inf] * _PATIENCE
    for _ in range(stiffness.rounds):
        over_slices(lambda a, b, now=field: _move(moving, to_index, now[a:b], moved[a:b], a), fixed.shape)  # type: ignore[misc]
        over_slices(lambda a, b: _pull(fixed, moved, per_voxel, (step[a:b], left[a:b]), a), fixed.shape)
        total, known = left.sum(axis=0)
        costs.append(total / max(known, 1))
        if costs[-1] > (1 - _GAIN) * costs[-1 - _PATIENCE]:
            break
        fluid = smoothed(step, stiffness.step_voxels * per_voxel)
        _shorten(fluid, per_voxel)
        field = smoothed(joined(field, fluid), stiffness.whole_voxels * per_voxel)
    return field


def carried(field: Field, old: View, new: View) -> Field:
    """A field of one level on the lattice of the next."""
    to_old = new.fixed.grid.index_transform(old.fixed.grid)
    turned = resampled(field, to_old, new.fixed.grid.shape) @ np.linalg.inv(to_old[:3, :3]).T.astype(np.float32)
    return np.ascontiguousarray(turned, np.float32)


def _normalised(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Each voxel less the mean of its surroundings, over their standard deviation."""
    centred = array - array.mean()
    around = smoothed(np.stack([centred, centred * centred], axis=-1), (_AROUND,) * 3)
    quiet = (_QUIET * float(array.std())) ** 2 or 1.0
    spread = np.sqrt(np.maximum(around[..., 1] - around[..., 0] ** 2, 0) + np.float32(quiet))
    found: npt.NDArray[np.float32] = (centred - around[..., 0]) / spread
    return found


def _scaled(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return array / np.float32(array.std() or 1.0)


# --- kernels ---------------------------------------------------------------------------------------------------------


@kernel
def _move(moving: Array, m: Floats, field: Field, out: Array, first: int) -> None:
    """The moving image where the field leads; NaN outside."""
    depth, height, width = moving.shape
    for k in range(out.shape[0]):
        for r in range(out.shape[1]):
            for c in range(out.shape[2]):
                x, y, z = k + first + field[k, r, c, 0], r + field[k, r, c, 1], c + field[k, r, c, 2]
                u = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
                v = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
                t = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
                if not (-0.5 <= u <= depth - 0.5 and -0.5 <= v <= height - 0.5 and -0.5 <= t <= width - 0.5):
                    out[k, r, c] = np.nan
                    continue
                u, v, t = min(max(u, 0.0), depth - 1.0), min(max(v, 0.0), height - 1.0), min(max(t, 0.0), width - 1.0)
                i, j, n = int(u), int(v), int(t)
                i1, j1, n1 = min(i + 1, depth - 1), min(j + 1, height - 1), min(n + 1, width - 1)
                w, g, f, one = np.float32(u - i), np.float32(v - j), np.float32(t - n), np.float32(1)
                near = (moving[i, j, n] * (one - f) + moving[i, j, n1] * f) * (one - g) + (
                    moving[i, j1, n] * (one - f) + moving[i, j1, n1] * f
                ) * g
                far = (moving[i1, j, n] * (one - f) + moving[i1, j, n1] * f) * (one - g) + (
                    moving[i1, j1, n] * (one - f) + moving[i1, j1, n1] * f
                ) * g
                out[k, r, c] = near * (one - w) + far * w


@compiled(fastmath={"reassoc", "contract", "arcp", "nsz"})
def _pull(fixed: Array, moved: Array, per_voxel: Floats, out: tuple[Field, Floats], first: int) -> None:
    """The step of each voxel down the slope of both images, in voxels; none where a neighbour is unknown.

    Of each slice also the sum of squared differences, and how many.
    """
    step, left = out
    depth, height, width = fixed.shape
    pk, pr, pc = np.float32(per_voxel[0]), np.float32(per_voxel[1]), np.float32(per_voxel[2])
    half, nothing = np.float32(0.25), np.float32(1e-9)
    for k in range(step.shape[0]):
        i = k + first
        before, after = max(i - 1, 0), min(i + 1, depth - 1)
        total, known = 0.0, 0
        for r in range(height):
            above, below = max(r - 1, 0), min(r + 1, height - 1)
            f, m, target = fixed[i, r], moved[i, r], step[k, r]
            f0, f1, m0, m1 = fixed[before, r], fixed[after, r], moved[before, r], moved[after, r]
            g0, g1, n0, n1 = fixed[i, above], fixed[i, below], moved[i, above], moved[i, below]
            for c in range(width):
                c0, c1 = max(c - 1, 0), min(c + 1, width - 1)
                apart = f[c] - m[c]
                a = (f1[c] - f0[c] + m1[c] - m0[c]) * pk * half
                b = (g1[c] - g0[c] + n1[c] - n0[c]) * pr * half
                d = (f[c1] - f[c0] + m[c1] - m[c0]) * pc * half
                under = a * a + b * b + d * d + apart * apart
                if under > nothing:  # false for NaN too
                    share = apart / under
                    target[c, 0], target[c, 1], target[c, 2] = share * a * pk, share * b * pr, share * d * pc
                    total += apart * apart
                    known += 1
                else:
                    target[c, 0], target[c, 1], target[c, 2] = 0, 0, 0
        left[k, 0], left[k, 1] = total, known


@compiled(fastmath=True)
def _shorten(step: Field, per_voxel: Floats) -> None:
    """Cut steps to the longest allowed."""
    flat = step.reshape(-1, 3)
    for axis in range(3):
        longest = np.float32(_LONGEST * per_voxel[axis])
        for i in range(flat.shape[0]):
            flat[i, axis] = min(max(flat[i, axis], -longest), longest)
