"""How far learning is, told to whoever looks: as values, as lines of JSON, as one line of text."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.train.curve import Point


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is.

    Parameters
    ----------
    stage
        ``"preparing"`` (in cases), ``"learning"`` (in steps), ``"validating"`` (in steps).
    done, total
        How much of it is done.
    point
        The new point of the curve, where there is one.
    """

    stage: str
    done: int
    total: int
    point: Point | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        point = {} if self.point is None else self.point.to_dict()
        return {"stage": self.stage, "done": self.done, "total": self.total, **point}

    def __str__(self) -> str:
        text = f"{self.stage.capitalize()}: {self.done} of {self.total}"
        if self.point is None:
            return text
        scores = "".join(f", {name} {value:.4f}" for name, value in self.point.scores.items())
        left_s = self.point.seconds_s / max(self.done, 1) * (self.total - self.done)
        return f"{text}, loss {self.point.loss:.4f}{scores}, {left_s / 60:.0f} min left"


Observer = Callable[[Progress], None]


def silent(_progress: Progress) -> None:
    """Tell nobody."""


def lines_to(path: Path) -> Observer:
    """An observer that adds a line of JSON to a file for each point."""

    def tell(progress: Progress) -> None:
        if progress.point is not None:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(progress.to_dict()) + "\n")

    return tell


def all_of(*observers: Observer) -> Observer:
    """An observer that tells several."""

    def tell(progress: Progress) -> None:
        for one in observers:
            one(progress)

    return tell
