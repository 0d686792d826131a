"""Linear registration: the matrix from the fixed to the moving world, coarse to fine. Fields live in other modules.

At each level the matrix is improved by a small one, ``now @ step(p)``, whose parameters are scaled so that one unit
moves the samples by one millimetre in the root mean square, whatever the parameter is (an angle, a shear, a shift). A
quasi-Newton search (BFGS) then needs no scales from the user.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np

from isocenter.geometry import Floats
from isocenter.ops.registration.agreement import Metric, Samples, cost, meet, samples_of, scale_of
from isocenter.ops.registration.pyramid import Level
from isocenter.volume import Array

Linear = Literal["rigid", "similarity", "affine"]

_PARAMETERS = {"rigid": 6, "similarity": 7, "affine": 12}
_TURNS = tuple(  # radians
    turn for turn in product((-0.8, -0.4, 0.0, 0.4, 0.8), repeat=3) if sum(map(bool, turn)) < 2
)
_TRIED = 3
TOO_LITTLE = 1e3
"""Cost of too little overlap, which no metric reaches."""
_ROUNDS = 60
_TINY = 1e-6  # step of the parameters in finite differences; the matrices are smooth in them
_STILL = 0.001  # voxels, in the root mean square; a step no longer than this ends a level


@dataclass(frozen=True, eq=False)
class View:
    """Both images at one level, with masks on their grids if any."""

    fixed: Level
    moving: Level
    fixed_mask: Array | None = None
    moving_mask: Array | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for: which kind of matrix, by which metric, over how many samples."""

    kind: Linear
    metric: Metric
    samples: int


def best_start(view: View, starts: Iterable[Floats], search: Search) -> Floats:
    """The best matrix at a coarse level over several starts, each also turned by 23 and 46 degrees about each axis.

    Parameters
    ----------
    view
        The images.
    starts
        (4, 4) matrices from the fixed to the moving world.
    search
        What to search for; rigid here.
    """
    samples = _drawn(view, search.samples)
    tries = [start @ _step(np.array([*turn, 0, 0, 0]), _middle(samples)) for start in starts for turn in _TURNS]
    ranks = [_merit(view, samples, search.metric, one) for one in tries]
    chosen = [tries[i] for i in np.argsort(ranks, kind="stable")[:_TRIED]]
    return best_of(view, [_improved(view, samples, one, search)[0] for one in chosen], search)


def best_of(view: View, matrices: Sequence[Floats], search: Search) -> Floats:
    """The one of several matrices at which the images agree best, where they overlap little less than that."""
    samples = _drawn(view, search.samples)
    return min(matrices, key=lambda one: _merit(view, samples, search.metric, one))


def improved(view: View, start: Floats, search: Search) -> tuple[Floats, float]:
    """The matrix of the best agreement near a start, and its cost.

    Parameters
    ----------
    view
        The images at one level.
    start
        (4, 4) from the fixed to the moving world.
    search
        What to search for.
    """
    return _improved(view, _drawn(view, search.samples), start, search)


def _drawn(view: View, number: int) -> Samples:
    return samples_of(view.fixed, number, view.fixed_mask)


def _middle(samples: Samples) -> Floats:
    middle: Floats = samples.points_mm.mean(axis=0)
    return middle


def _merit(view: View, samples: Samples, metric: Metric, matrix: Floats) -> float:
    """The cost, made dearer where less of the samples lie inside: a small overlap agrees easily."""
    to_index = view.moving.to_index @ matrix
    met = meet(view.moving, to_index[:3], samples.points_mm, view.moving_mask)
    value, _ = cost(metric, samples, met, scale_of(samples, view.moving))
    share = float(met.inside.mean())
    return value * share if value < 0 else value / max(share, 1e-6)


def _improved(view: View, samples: Samples, start: Floats, search: Search) -> tuple[Floats, float]:
    from scipy.optimize import minimize

    middle, scale = _middle(samples), scale_of(samples, view.moving)
    directions = _directions(np.zeros(_PARAMETERS[search.kind]), middle)
    about = np.c_[samples.points_mm, np.ones(len(samples.points_mm))]
    moved = np.einsum("pij,nj->pni", directions[:, :3], about)
    roots = np.linalg.cholesky(np.einsum("pni,qni->pq", moved, moved) / len(about))
    to_parameters = np.linalg.inv(roots).T
    to_index = view.moving.to_index
    size_mm = min(view.moving.grid.spacing_mm)

    def at(scaled: Floats) -> tuple[float, Floats]:
        parameters = to_parameters @ scaled * size_mm
        now = start @ _step(parameters, middle)
        met = meet(view.moving, (to_index @ now)[:3], samples.points_mm, view.moving_mask)
        value, by_value = cost(search.metric, samples, met, scale)
        by_matrix = np.einsum("n,ni,nj->ij", by_value, met.slopes, about, optimize=False)  # of index by (x, 1)
        by_step = (to_index @ start)[:3, :3].T @ by_matrix
        by_parameters = np.einsum("ij,pij->p", by_step, _directions(parameters, middle)[:, :3])
        return (value if np.isfinite(value) else TOO_LITTLE), to_parameters.T @ by_parameters * size_mm

    def look(intermediate_result: Any) -> None:
        last, reached[0] = reached[0], intermediate_result.x.copy()
        if float(np.sqrt(((reached[0] - last) ** 2).sum())) < _STILL:
            raise StopIteration

    reached = [np.zeros(_PARAMETERS[search.kind])]
    found: Any = minimize(
        at, reached[0], jac=True, method="BFGS", callback=look, options={"maxiter": _ROUNDS, "gtol": 1e-6}
    )
    return start @ _step(to_parameters @ found.x * size_mm, middle), float(found.fun)


# --- the step: its matrix, and how that changes with its parameters --------------------------------------------------


def _step(parameters: Floats, middle: Floats) -> Floats:
    """(4, 4) matrix of a step about a point: rotation vector, shift, log scale; or nine linear parts and a shift."""
    matrix = np.eye(4)
    if parameters.size == 12:
        matrix[:3, :3] += parameters[:9].reshape(3, 3)
        shift = parameters[9:]
    else:
        matrix[:3, :3] = _turned(parameters[:3]) * np.exp(parameters[6] if parameters.size == 7 else 0.0)
        shift = parameters[3:6]
    matrix[:3, 3] = middle + shift - matrix[:3, :3] @ middle
    return matrix


def _turned(vector: Floats) -> Floats:
    """Rotation matrix of a rotation vector (Rodrigues)."""
    angle = float(np.sqrt((vector * vector).sum()))
    x, y, z = vector / (angle or 1.0)
    across = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned: Floats = np.eye(3) + np.sin(angle) * across + (1 - np.cos(angle)) * (across @ across)
    return turned


def _directions(parameters: Floats, middle: Floats) -> Floats:
    """(p, 4, 4): derivative of the step's matrix by each parameter."""
    moved = [
        _step(parameters + unit, middle) - _step(parameters - unit, middle) for unit in _TINY * np.eye(parameters.size)
    ]
    found: Floats = np.array(moved) / (2 * _TINY)
    return found
