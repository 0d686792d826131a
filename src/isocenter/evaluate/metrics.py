"""The scores of a structure by name: what people call them, their unit, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isocenter.errors import UsageError

Better = Literal["higher", "lower", "zero"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One score.

    Parameters
    ----------
    name
        As :class:`~isocenter.evaluate.Score` has it.
    title, unit
        For people.
    better
        Which way is better; ``"zero"`` is for errors with a sign.
    """

    name: str
    title: str
    unit: str
    better: Better

    def badness(self, value: float) -> float:
        """The greater, the worse."""
        return {"higher": -value, "lower": value, "zero": abs(value)}[self.better]


METRICS = {
    metric.name: metric
    for metric in (
        Metric("dice", "Dice", "", "higher"),
        Metric("iou", "IoU", "", "higher"),
        Metric("sensitivity", "Sensitivity", "", "higher"),
        Metric("precision", "Precision", "", "higher"),
        Metric("surface_dice", "Surface Dice", "", "higher"),
        Metric("hd95_mm", "HD95", "mm", "lower"),
        Metric("hd_mm", "Hausdorff distance", "mm", "lower"),
        Metric("assd_mm", "Mean surface distance", "mm", "lower"),
        Metric("volume_error_ml", "Volume error", "ml", "zero"),
        Metric("volume_error_percent", "Volume error", "%", "zero"),
    )
}
"""Every score that is summed up, in the order it is shown."""


def metric_of(name: str) -> Metric:
    """The metric of a name.

    Raises
    ------
    UsageError
        If there is none.
    """
    if name not in METRICS:
        raise UsageError(f"{name!r} is no metric; there are {', '.join(METRICS)}.")
    return METRICS[name]
