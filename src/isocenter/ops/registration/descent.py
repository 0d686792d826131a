"""Going down a cost of very many parameters: L-BFGS with a step that is shortened until the cost falls.

SciPy's L-BFGS-B spends more time on bounds that nobody set than the costs here take, and adds up in an order that
depends on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from isocenter.geometry import Floats

_KEPT = 6
_ENOUGH = 1e-4  # of the fall that the slope promises (Armijo)
_HALVINGS = 8
_PATIENCE = 5
_GAIN = 1e-3  # of the cost, over so many rounds: less is the end


def descended(at: Callable[[Floats], tuple[float, Floats]], start: Floats, *, rounds: int, first: float) -> Floats:
    """Parameters of a small cost near a start (Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.5).

    Parameters
    ----------
    at
        The cost of parameters, and its derivative by each.
    start
        (n,) parameters to begin with.
    rounds
        Greatest number of steps.
    first
        Greatest change of any parameter by the first step.
    """
    here, (cost, slope) = start, at(start)
    steps: list[tuple[Floats, Floats]] = []
    costs = [cost]
    for _ in range(rounds):
        way = -_curved(slope, steps)
        if not steps:
            way *= first / max(float(np.abs(way).max()), 1e-30)
        fall = float((way * slope).sum())
        for halving in range(_HALVINGS):
            there = here + way * 0.5**halving
            lower, new_slope = at(there)
            if lower <= cost + _ENOUGH * 0.5**halving * fall:
                break
        else:
            return here
        moved, bent = there - here, new_slope - slope
        if float((moved * bent).sum()) > 1e-10 * float((bent * bent).sum()):
            steps = [*steps[1 - _KEPT :], (moved, bent)]
        here, cost, slope = there, lower, new_slope
        costs.append(cost)
        if len(costs) > _PATIENCE and costs[-1 - _PATIENCE] - cost < _GAIN * abs(cost):
            break
    return here


def _curved(slope: Floats, steps: list[tuple[Floats, Floats]]) -> Floats:
    """The slope times what the last steps say about the inverse curvature (two loops)."""
    found, shares = slope.copy(), []
    for moved, bent in reversed(steps):
        share = float((moved * found).sum() / (moved * bent).sum())
        found -= share * bent
        shares.append(share)
    if steps:
        moved, bent = steps[-1]
        found *= float((moved * bent).sum() / (bent * bent).sum())
    for (moved, bent), share in zip(steps, reversed(shares), strict=True):
        found += (share - float((bent * found).sum() / (moved * bent).sum())) * moved
    return found
