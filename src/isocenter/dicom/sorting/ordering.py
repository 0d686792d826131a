"""Ordering: volumes at the same positions told apart by the order of their slices' times or Instance Numbers. Pure.

Only an order that can be read in one way is taken: the slices of one volume all come before those of the next.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from isocenter.reasons import Reason

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Order(StrEnum):
    """What slices are ordered by."""

    TIME = "time"
    """Of the day: the slices of one volume come before those of the next."""
    TRIGGER = "trigger time"
    """Since the heart beat: counted anew at each position."""
    NUMBER = "Instance Number"


@dataclass(frozen=True)
class Labelled:
    """A division of frames.

    Parameters
    ----------
    codes
        Of each frame the number of its part, from 0.
    labels
        What people call each part.
    reasons
        For each part what is to be said of it, or None; empty where there is nothing.
    shared
        What is to be said of all parts.
    """

    codes: Codes
    labels: Sequence[str]
    reasons: tuple[Reason | None, ...] = ()
    shared: tuple[Reason, ...] = field(default=())

    def within(self, outer: Sequence[str]) -> Labelled:
        """The same with labels of the parts that were divided further, each into as many, put before."""
        count = len(self.labels) // len(outer)
        labels = [", ".join(filter(None, (outer[index // count], label))) for index, label in enumerate(self.labels)]
        return replace(self, labels=labels)


def by_order(at: Codes, outer: Codes, key: Sequence[Hashable], order: Order) -> Labelled | None:
    """Divide each part further, by an order.

    Parameters
    ----------
    at
        Of each frame the number of its position, from 0.
    outer
        Of each frame the part that sure marks put it into.
    key
        Of each frame what it is ordered by: numbers; None where there is none.
    order
        What these numbers are.

    Returns
    -------
    Parts as many in each outer part, each with one frame at each position; None where the order does not tell them.
    """
    if any(not isinstance(value, (int, float)) for value in key):
        return None
    values = np.array(key, np.float64)
    codes, most, is_clear = np.zeros(len(at), np.int64), 0, True
    for part in range(int(outer.max()) + 1):
        members = np.flatnonzero(outer == part)
        ranks = _blocks(at[members], values[members], order)
        if ranks is None:
            is_clear = False
            ranks = _runs(at[members], values[members], order)
        if ranks is None or (part and int(ranks.max()) + 1 != most):
            return None
        most = int(ranks.max()) + 1
        codes[members] = part * most + ranks
    if most < 2:
        return None
    word = "volume" if order is Order.NUMBER else "time"
    labels = [f"{word} {rank + 1} of {most}" for _ in range(int(outer.max()) + 1) for rank in range(most)]
    message = f"No attribute names the {most} volumes at the same positions: they follow each other by their {order}s."
    code = "PARTED_BY_TIME" if is_clear and order is Order.TIME else "PARTED_BY_ORDER"
    return Labelled(codes, labels, shared=(Reason(code, message),))


def _counts(at: Codes) -> tuple[int, int] | None:
    """How many volumes of how many positions; None where not every position has as many frames."""
    size = int(at.max()) + 1
    count, rest = divmod(len(at), size)
    if rest or (np.bincount(at, minlength=size) != count).any():
        return None
    return count, size


def _blocks(at: Codes, values: Floats, order: Order) -> Codes | None:
    """Of each frame the number of its volume, where the volumes follow each other whole."""
    counts = _counts(at)
    if counts is None:
        return None
    sequence = np.lexsort((at, values))
    places, edges = at[sequence].reshape(counts), values[sequence].reshape(counts)
    are_whole = bool((np.sort(places, axis=1) == np.arange(counts[1])).all())
    are_apart = bool((edges[1:, 0] > edges[:-1, -1]).all())
    run_alike = order is not Order.NUMBER or bool((places == places[0]).all())
    if not (are_whole and are_apart and run_alike):
        return None
    codes = np.empty(len(at), np.int64)
    codes[sequence] = np.repeat(np.arange(counts[0]), counts[1])
    return codes


def _runs(at: Codes, values: Floats, order: Order) -> Codes | None:
    """The same, where position after position has the slices of all volumes: by their order at each of them."""
    counts = _counts(at)
    if counts is None or order is Order.TIME:
        return None
    sequence = np.lexsort((values, at))
    ordered = values[sequence].reshape(counts[::-1])
    if (np.diff(ordered, axis=1) <= 0).any():
        return None
    if order is Order.NUMBER:
        starts = np.argsort(ordered[:, 0])
        if (ordered[starts[1:], 0] <= ordered[starts[:-1], -1]).any():
            return None
    codes = np.empty(len(at), np.int64)
    codes[sequence] = np.tile(np.arange(counts[0]), counts[1])
    return codes
