"""How a network is taught: every choice that is none of the plan's. Frozen, readable, the same from TOML and code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_type_hints

from isocenter.errors import UsageError, expect_word

Optimiser = Literal["adamw", "sgd"]
Schedule = Literal["one_cycle", "cosine", "poly", "constant"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
Keep = Literal["last", "best"]
Mode = Literal["fast", "deterministic"]
DeviceName = Literal["auto", "cpu", "cuda"]
Tracker = Literal["tensorboard", "mlflow"]


STEPS = {"cpu": 4000, "cuda": 20000}
"""Steps that are taken on a device where nothing else is said: for a CPU, what two cores do in less than an hour."""

_AROUND = ("checkpoint_every", "workers", "trackers", "locks", "cache")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a network is taught. A batch is the plan's.

    Parameters
    ----------
    steps
        Steps of the optimiser in all.
    learning_rate
        The greatest of the schedule.
    optimiser
        ``"adamw"`` (Loshchilov 2019) or ``"sgd"`` with Nesterov momentum 0.99 (as nnU-Net).
    weight_decay
        Pull of the weights towards 0.
    schedule
        ``"one_cycle"`` (Smith 2018: up from 1/25 and down to almost 0, each a half cosine), ``"cosine"``, ``"poly"``
        ((1 - t)^0.9) or ``"constant"``, the last three after a linear warm-up.
    warmup
        Share of the steps in which the rate rises.
    precision
        Numbers of the forward pass. ``"auto"`` is bf16 where the processor or GPU computes in it, else fp32.
    accumulation
        Batches of one step: as a batch so many times as large, in the memory of one.
    clip
        Greatest norm of the gradient; 0 leaves it.
    ema_decay
        The weights that are kept are a running mean of those of all steps with this decay; 0 keeps the last ones.
    keep
        Which weights become the model: of the ``"last"`` step, or of the ``"best"`` validation. The best ones
        were chosen by the held-out cases, whose score then flatters them.
    patience
        Stop after so many validations without a better score; 0 never stops early.
    validate_every, checkpoint_every
        In steps. Validated and kept at the end too.
    seed
        Of everything drawn: the same seed gives the same course.
    mode
        ``"deterministic"`` gives the same bits on the same machine with as many threads; a GPU is slower in it.
    loss, augmentation
        Names of the task's tables; ``"default"`` is what the task takes by itself.
    workers
        Threads that draw the next batches meanwhile; 0 draws them between the steps.
    trackers
        Where the course is reported beside the model folder, all on this machine.
    locks
        Files of :func:`isocenter.datasets.lock`: to learn from a case that one of them locks is refused.
    cache
        Folder for prepared cases, which several courses may share; empty for one beside the model.
    start
        Weights to begin with (:func:`isocenter.train.transfer.start_from`): the path of a model, a bundle or a file;
        empty for fresh ones.
    hold
        Parts of the network that do not learn, by the beginning of their names: ``("stem", "encoder")``.
    layer_decay
        Share of the learning rate that each part of the network has of the next one's, from the output; 1 for the same.
    """

    steps: int = STEPS["cpu"]
    learning_rate: float = 3e-3
    optimiser: Optimiser = "adamw"
    weight_decay: float = 1e-2
    schedule: Schedule = "one_cycle"
    warmup: float = 0.1
    precision: Precision = "auto"
    accumulation: int = 1
    clip: float = 12.0
    ema_decay: float = 0.998
    keep: Keep = "last"
    patience: int = 0
    validate_every: int = 250
    checkpoint_every: int = 100
    seed: int = 0
    mode: Mode = "fast"
    loss: str = "default"
    augmentation: str = "default"
    workers: int = 1
    trackers: tuple[Tracker, ...] = ()
    locks: tuple[str, ...] = ()
    cache: str = ""
    start: str = ""
    hold: tuple[str, ...] = ()
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        kinds = get_type_hints(type(self))
        for name in ("optimiser", "schedule", "precision", "keep", "mode"):
            expect_word(getattr(self, name), kinds[name], f"The {name} of training")
        for one in self.trackers:
            expect_word(one, Tracker, "A tracker")
        for name in ("locks", "hold"):
            if not all(isinstance(one, str) for one in getattr(self, name)):
                raise UsageError(f"The setting {name} is a list of words; not {list(getattr(self, name))!r}.")
        _within(self, "steps accumulation validate_every checkpoint_every", 1, math.inf)
        _within(self, "patience workers seed clip weight_decay", 0, math.inf)
        _within(self, "ema_decay warmup", 0, 1 - 1e-9)
        _within(self, "learning_rate", 1e-12, 1e3)
        _within(self, "layer_decay", 1e-3, 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "trackers": list(self.trackers), "locks": list(self.locks), "hold": list(self.hold)}

    @property
    def essence(self) -> dict[str, Any]:
        """What the weights depend on: all but where things lie, who is told and how often they are kept."""
        return {name: value for name, value in self.to_dict().items() if name not in _AROUND}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Settings of plain values, such as those of a TOML table; what is not named keeps its default.

        Raises
        ------
        UsageError
            If a name is unknown, or a value is of another kind or out of range.
        """
        known = {one.name: type(one.default) for one in fields(cls)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise UsageError(f"Training has no setting {', '.join(unknown)}; it has {', '.join(known)}.")
        return cls(**{name: _as(known[name], value, name) for name, value in values.items()})

    def rate_at(self, step: int) -> float:
        """Learning rate of a step (from 0): a function of the step alone, so that there is nothing to be resumed."""
        top = self.warmup * self.steps - 1  # the last step of the warm-up, as torch's OneCycleLR counts
        if self.schedule == "one_cycle":
            left = 1 - (step - top) / max(self.steps - 1 - top, 1)
            low, share = (1 / 25, step / top) if step < top else (1e-4 / 25, left)
            return self.learning_rate * (low + (1 - low) * _eased(share))
        if step < top:
            return self.learning_rate * (step + 1) / (top + 1)
        left = 1 - (step - top) / (self.steps - top)  # the last step learns too
        shape: dict[str, float] = {"cosine": _eased(left), "poly": left**0.9, "constant": 1.0}
        return self.learning_rate * shape[self.schedule]


def _eased(share: float) -> float:
    """From 0 to 1 along half a cosine."""
    return (1 - math.cos(math.pi * share)) / 2


def _as(kind: type, value: Any, name: str) -> Any:
    """A value of TOML or JSON as the kind that a setting has."""
    if kind is tuple and isinstance(value, list | tuple):
        return tuple(value)
    if kind is float and type(value) in (int, float):
        return float(value)
    if type(value) is kind:
        return value
    words = {int: "a whole number", float: "a number", str: "a word", tuple: "a list of words"}
    raise UsageError(f"The setting {name} is {words[kind]}; not {value!r}.")


def _within(settings: Settings, names: str, low: float, high: float) -> None:
    for name in names.split():
        value = getattr(settings, name)
        if not low <= value <= high:
            limit = f"{low:g} or more" if high == math.inf else f"from {low:g} to {high:g}"
            raise UsageError(f"The setting {name} is {limit}; not {value!r}.")
