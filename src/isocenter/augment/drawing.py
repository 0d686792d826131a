"""Steps of an augmentation: values that are either stated or drawn from a range, so that a step says what it may do.

A number is fixed, a pair is a range from which one number is drawn. Lengths along axes take one of these for all axes,
or a triple of them for (slice, row, column).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self, cast

import numpy as np

from isocenter.errors import UsageError

Range = float | tuple[float, float]
Ranges = Range | tuple[Range, Range, Range]
Drawing = Callable[[Any, np.random.Generator], Any]

_SEEDS = 2**63


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that an augmentation does; its subclasses say what.

    Parameters
    ----------
    probability
        How often it is done at all.
    """

    modalities: ClassVar[tuple[str, ...]] = ()
    """DICOM modalities in whose images it is met; empty for all."""

    probability: float = 1.0

    def __post_init__(self) -> None:
        _expect_within(self.probability, "probability", (0, 1))
        for one in fields(self):
            if "check" in one.metadata:
                object.__setattr__(self, one.name, one.metadata["check"](getattr(self, one.name), one.name))

    def sample(self, rng: np.random.Generator) -> Self | None:
        """The step with all its values drawn, which then does the same each time; None if it is not to be done.

        As many numbers are drawn in either case, so that the steps after it do not depend on it.
        """
        done = rng.random() < self.probability
        drawn: dict[str, Any] = {
            one.name: one.metadata["draw"](getattr(self, one.name), rng)
            for one in fields(self)
            if "draw" in one.metadata
        }
        return replace(self, probability=1.0, **drawn) if done else None

    @property
    def is_drawn(self) -> bool:
        """Whether nothing is left to be drawn."""
        drawn = (one.metadata["settled"](getattr(self, one.name)) for one in fields(self) if "draw" in one.metadata)
        return self.probability == 1 and all(drawn)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; its name among them."""
        values = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "probability"}
        return {"step": type(self).__name__, **values}


def number(default: Range, *, within: tuple[float, float]) -> Any:
    """A field that holds a number, or a range to draw it from."""
    return _drawable(default, lambda value, name: _one(value, name, within), _draw_one, _is_settled)


def whole(default: Range, *, within: tuple[float, float]) -> Any:
    """A field that holds a whole number, or a range (both ends included) to draw it from."""

    def check(value: Any, name: str) -> Any:
        found = _one(value, name, within)
        return tuple(round(one) for one in found) if isinstance(found, tuple) else round(found)

    def draw(value: Any, rng: np.random.Generator) -> int:
        low, high = value if isinstance(value, tuple) else (value, value)
        return int(rng.integers(low, high + 1))

    return _drawable(default, check, draw, _is_settled)


def along_axes(default: Ranges, *, within: tuple[float, float]) -> Any:
    """A field that holds a number or a range for each axis (slice, row, column), or one for all three."""

    def check(value: Any, name: str) -> Any:
        if isinstance(value, tuple | list) and len(value) == 3:
            return tuple(_one(one, name, within) for one in value)
        return _one(value, name, within)

    def draw(value: Any, rng: np.random.Generator) -> tuple[float, ...]:
        return tuple(_draw_one(one, rng) for one in axis_by_axis(value))

    def are_settled(value: Any) -> bool:
        return all(_is_settled(one) for one in axis_by_axis(value))

    return _drawable(default, check, draw, are_settled)


def seed() -> Any:
    """A field for what the step draws by voxel or control point; None is drawn."""

    def check(value: Any, name: str) -> Any:
        if value is not None and not (isinstance(value, int | np.integer) and 0 <= value < _SEEDS):
            raise UsageError(f"The {name} is a whole number from 0 below 2^63, not {value!r}.")
        return value if value is None else int(value)

    def draw(value: Any, rng: np.random.Generator) -> int:
        drawn = int(rng.integers(_SEEDS))
        return drawn if value is None else cast("int", value)

    return _drawable(None, check, draw, lambda value: value is not None)


def one_of(default: int, known: tuple[int, ...]) -> Any:
    """A field for an axis or another number of which few are known; nothing is drawn."""

    def check(value: Any, name: str) -> Any:
        if value not in known:
            raise UsageError(f"The {name} is one of {', '.join(map(str, known))}, not {value!r}.")
        return int(value)

    return field(default=default, metadata={"check": check})


def axis_by_axis(value: Any) -> tuple[Any, Any, Any]:
    """The numbers or ranges of the three axes, of one for all or of a triple."""
    return value if isinstance(value, tuple) and len(value) == 3 else (value,) * 3


def settled(value: Range) -> float:
    """The number that a value is, once it is drawn.

    Raises
    ------
    UsageError
        If it is still a range.
    """
    if isinstance(value, tuple):
        raise UsageError("This step is still to be drawn: take step.sample(rng), or sample the whole augmentation.")
    return float(value)


def highest(value: Any) -> float:
    """The greatest size that a number, a range, or those of three axes can give."""
    if isinstance(value, tuple):
        return max(highest(one) for one in value)
    return abs(float(value))


def _drawable(default: Any, check: Callable[[Any, str], Any], draw: Drawing, done: Callable[[Any], bool]) -> Any:
    return field(default=default, metadata={"check": check, "draw": draw, "settled": done})


def _is_settled(value: Any) -> bool:
    return not isinstance(value, tuple)


def _draw_one(value: Any, rng: np.random.Generator) -> float:
    low, high = value if isinstance(value, tuple) else (value, value)
    return float(low + (high - low) * rng.random())


def _one(value: Any, name: str, within: tuple[float, float]) -> Any:
    if isinstance(value, tuple | list) and len(value) == 2:
        low, high = (_expect_within(one, name, within) for one in value)
        if low > high:
            raise UsageError(f"A range goes from its lower to its upper end; {name} is {value!r}.")
        return (low, high)
    return _expect_within(value, name, within)


def _expect_within(value: Any, name: str, within: tuple[float, float]) -> float:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and within[0] <= value <= within[1]):
        low, high = within
        raise UsageError(f"{name} is a number from {low:g} to {high:g}, or a pair of them, not {value!r}.")
    return float(value)
