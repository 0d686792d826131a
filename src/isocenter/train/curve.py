"""The curve of learning: what was measured along the steps, as values, and as a table for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

EVERY = 10
"""Steps between two points."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the curve.

    Parameters
    ----------
    step
        Steps that were done.
    loss
        Mean of the loss since the point before.
    rate
        Learning rate of the last step.
    seconds_s
        Time that learning took so far, breaks left out.
    scores
        What validation gave, where the network was validated after this step.
    """

    step: int
    loss: float
    rate: float
    seconds_s: float
    scores: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "step": self.step,
            "loss": self.loss,
            "rate": self.rate,
            "seconds_s": round(self.seconds_s, 3),
            "scores": dict(self.scores),
        }


Curve = tuple[Point, ...]


def table(curve: Iterable[Point]) -> str:
    """The curve as CSV: a column for each score, empty where the network was not validated."""
    points = tuple(curve)
    names = list(dict.fromkeys(name for point in points for name in point.scores))
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["step", "loss", "rate", "seconds_s", *names])
    for point in points:
        scores = [f"{point.scores[name]:.6g}" if name in point.scores else "" for name in names]
        rows.writerow([point.step, f"{point.loss:.6g}", f"{point.rate:.6g}", f"{point.seconds_s:.2f}", *scores])
    return out.getvalue()


def thinned(curve: Curve, most: int) -> Curve:
    """At most so many points without scores, evenly spread, and all with scores."""
    stride = -(-len(curve) // most)
    return tuple(point for n, point in enumerate(curve) if point.scores or n % max(stride, 1) == 0)
