"""Total variation: smoothing that keeps edges, and the cheapest closed border, by one iteration.

Both minimise ``sum(cost * u + curb / 2 * u**2) + sum(weight * |gradient u|)`` with u between limits: with a curb it is
the model of Rudin, Osher and Fatemi; without one and u from 0 to 1 it is the continuous form of a graph cut (Chan,
Esedoglu, Nikolova 2006). They are solved by the primal-dual iteration of Chambolle and Pock (2011), isotropic, with
lengths in voxels of the working image. What the costs stand for lives elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.kernels import compiled
from isocenter.volume import Array

Field = npt.NDArray[np.float32]
Steps = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Border:
    """Where an iteration stands: go on from here after a small change of the costs.

    Parameters
    ----------
    level
        float32 (slice, row, column); of a cut 1 inside and 0 outside.
    flow
        float32 (3, slice, row, column): the dual variable.
    """

    level: Field
    flow: Field

    @classmethod
    def at(cls, level: Array) -> Border:
        """A start without flow."""
        return cls(level.astype(np.float32), np.zeros((3, *level.shape), np.float32))


def smoothed(values: Field, weight: float, steps: Steps, rounds: int) -> Field:
    """Values with everything smoothed whose edges are weaker than a weight, in the values' own unit."""
    weights = np.full(values.shape, weight, np.float32)
    limits = (float(values.min()), float(values.max()))
    return _iterated(Border.at(values), (-values, weights), steps, (rounds, 1.0, *limits)).level


def cut(cost: Field, weights: Field, steps: Steps, start: Border, rounds: int) -> Border:
    """The set of the least sum of costs and weighted border, near 1 inside and near 0 outside.

    Parameters
    ----------
    cost
        float32 (slice, row, column): what it costs to have a voxel inside; negative where it rather is.
    weights
        float32, same shape: what a border of one voxel's face costs here.
    steps
        Voxel size along each axis; 1 on average.
    start
        Where to go on from.
    rounds
        Number of iterations.
    """
    return _iterated(start, (cost, weights), steps, (rounds, 0.0, 0.0, 1.0))


def _iterated(
    start: Border, fields: tuple[Field, Field], steps: Steps, rule: tuple[int, float, float, float]
) -> Border:
    rounds, curb, low, high = rule
    cost, weights = fields
    level, flow = start.level.copy(), start.flow.copy()
    ahead = level.copy()
    inverse = np.array([1 / step for step in steps], np.float32)
    pace: Any = np.float32(1 / np.sqrt(4 * float((inverse**2).sum())))
    limits = np.array((curb, low, high), np.float32)
    _rounds(rounds, (level, ahead, cost), flow, weights, (inverse, pace, limits))
    return replace(start, level=level, flow=flow)


_vectorised = compiled(fastmath=True, error_model="numpy")
"""Without checks for division by zero, which cannot happen, so that the inner loops work on many voxels at once."""


@_vectorised
def _flow(ahead: Array, flow: Array, weights: Array, inverse: Array, pace: float) -> None:
    slices, rows, columns = ahead.shape
    tiny = np.float32(1e-12)
    for k in range(slices):
        further = min(k + 1, slices - 1)
        for r in range(rows):
            lower = min(r + 1, rows - 1)
            for c in range(columns):
                right = min(c + 1, columns - 1)
                here = ahead[k, r, c]
                x = flow[0, k, r, c] + pace * inverse[0] * (ahead[further, r, c] - here)
                y = flow[1, k, r, c] + pace * inverse[1] * (ahead[k, lower, c] - here)
                z = flow[2, k, r, c] + pace * inverse[2] * (ahead[k, r, right] - here)
                share = min(np.float32(1), weights[k, r, c] / np.sqrt(x * x + y * y + z * z + tiny))
                flow[0, k, r, c] = x * share
                flow[1, k, r, c] = y * share
                flow[2, k, r, c] = z * share


@_vectorised
def _level(fields: tuple[Array, Array, Array], flow: Array, inverse: Array, pace: float, limits: Array) -> None:
    """The flow through the last face along each axis is always 0, so index -1 stands for none before the first."""
    level, ahead, cost = fields
    slices, rows, columns = level.shape
    shrink = np.float32(1) / (np.float32(1) + pace * limits[0])
    for k in range(slices):
        for r in range(rows):
            for c in range(columns):
                spread = (flow[0, k, r, c] - flow[0, k - 1, r, c]) * inverse[0]
                spread += (flow[1, k, r, c] - flow[1, k, r - 1, c]) * inverse[1]
                spread += (flow[2, k, r, c] - flow[2, k, r, c - 1]) * inverse[2]
                before = level[k, r, c]
                after = (before + pace * (spread - cost[k, r, c])) * shrink
                after = min(max(after, limits[1]), limits[2])
                level[k, r, c] = after
                ahead[k, r, c] = np.float32(2) * after - before


@_vectorised
def _rounds(
    rounds: int, fields: tuple[Array, Array, Array], flow: Array, weights: Array, rule: tuple[Array, Any, Array]
) -> None:
    """All rounds in one thread: starting others for each half round would take longer than the round itself."""
    inverse, pace, limits = rule
    for _ in range(rounds):
        _flow(fields[1], flow, weights, inverse, pace)
        _level(fields, flow, inverse, pace, limits)
