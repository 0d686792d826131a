"""The loop of learning: draw, loss, step, running mean, validate, keep. What is learned is a task's to know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch

from isocenter.disk import replacing
from isocenter.errors import Refused, TryLater, UsageError
from isocenter.reasons import Reason
from isocenter.train import checkpoints, curve, memory
from isocenter.train.arithmetic import autocast, expect_device, generators_apart, precision_on, repeatable, scaler
from isocenter.train.course import Course, Learned
from isocenter.train.curve import Point
from isocenter.train.distributed import World
from isocenter.train.drawing import batches, generator_of
from isocenter.train.progress import Observer, Progress, silent
from isocenter.train.settings import Settings
from isocenter.train.stopping import Stop, listening
from isocenter.train.tasks import Batch, Task

BEST = "best.checkpoint"
_ALONE = World()
_LEAST_SCALE = 2.0**-20
"""So little means that no gradient was finite for many steps."""


def learn(network: Any, task: Task, course: Course, *, world: World = _ALONE, observer: Observer = silent) -> Learned:
    """Teach a network a task.

    Parameters
    ----------
    network
        With the weights to begin with; it is changed.
    task
        What to learn.
    course
        How and where.
    world
        Which of how many processes this is.
    observer
        Whom to tell how far it is.

    Raises
    ------
    Refused
        With ``TRAINING_DIVERGED`` if a loss or gradient is no finite number; ``TRAINING_OUT_OF_MEMORY``.
    TryLater
        If it was told to stop (SIGTERM, Ctrl-C); the same call goes on.
    UsageError
        If the folder holds another course, or there is no such device.
    """
    expect_device(course.device)
    if world.first:
        course.folder.mkdir(parents=True, exist_ok=True)
    with (
        generators_apart(world.device(course.device)),
        repeatable(course.settings.mode),
        listening() as stop,
        memory.explained(),
    ):
        learner = _Learner(network, task, course, world)
        reasons = learner.resume()
        reasons += learner.run(stop, observer)
        return learner.learned(reasons)


class _Learner:
    """Everything that changes while a network is taught."""

    def __init__(self, network: Any, task: Task, course: Course, world: World) -> None:
        settings = course.settings
        self.task, self.course, self.settings, self.world = task, course, settings, world
        self.device = world.device(course.device)
        self.precision = precision_on(self.device, settings.precision)
        self.network = network.to(self.device)
        world.spread(tuple(self.network.state_dict().values()))
        self.average = (
            deepcopy(self.network).requires_grad_(requires_grad=False).eval() if settings.ema_decay else self.network
        )
        self.pairs = _pairs(self.average, self.network) if settings.ema_decay else []
        self.optimiser = _optimiser(self.network, settings)
        self.scaler = scaler(self.device, self.precision)
        self.step, self.seconds_s = 0, 0.0
        self.noted = course.clock()
        self.losses: list[float] = []
        self.points: list[Point] = []
        self.best, self.since_best = -math.inf, 0

    def resume(self) -> tuple[Reason, ...]:
        """Go on from the last checkpoint, if there is one."""
        found = checkpoints.last(self.course.folder)
        if found is None:
            return ()
        state = found.state
        if state["identity"] != self.course.identity:
            raise UsageError(
                f"{self.course.folder} holds a course with another plan, other settings or other cases: choose another"
                " folder, or remove that one."
            )
        for name in ("network", "optimiser", "scaler"):
            getattr(self, name).load_state_dict(state[name])
        self.average.load_state_dict(state["average"])
        self.step, self.seconds_s, self.losses = state["step"], state["seconds_s"], list(state["losses"])
        self.best, self.since_best = state["best"], state["since_best"]
        self.points = [Point(**one) for one in state["curve"]]
        text = f"Learning went on from step {self.step} of {self.settings.steps}."
        return (*found.reasons, Reason("TRAINING_RESUMED", text))

    def run(self, stop: Stop, observer: Observer) -> tuple[Reason, ...]:
        """Do the steps that are left."""
        settings = self.settings
        if self._is_due_for_validation():
            self._validate(stop, observer)
        with batches(self.task, settings, rank=self.world.rank, start=self.step) as drawn:
            for parts in drawn:
                if settings.patience and self.since_best >= settings.patience:
                    return (self._stopped_early(),)
                halted = self._learn_from(parts, stop)
                self._note(observer)
                due = self._is_due_for_validation()
                if halted or due or self.step % settings.checkpoint_every == 0:
                    self._keep()
                if halted:
                    raise self._stopped()
                if due:
                    self._validate(stop, observer)
        return ()

    def learned(self, reasons: tuple[Reason, ...]) -> Learned:
        """What came of it."""
        weights, step = self.average.state_dict(), self.step
        if self.settings.keep == "best" and (self.course.folder / BEST).is_file():
            best = checkpoints.read(self.course.folder / BEST)
            weights, step = best["network"], best["step"]
        return Learned(weights, step, tuple(self.points), reasons)

    def _learn_from(self, parts: tuple[Batch, ...], stop: Stop) -> bool:
        """One step of the optimiser; whether any process was told to stop."""
        rate = self.settings.rate_at(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        chance = generator_of(self.settings.seed, self.world.rank, self.step)
        torch.manual_seed(int(chance.integers(2**62)))  # for what is drawn inside a network, such as dropout
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        for batch in parts:
            with autocast(self.device, self.precision):
                loss = self.task.loss(self.network, batch.to(self.device)) / len(parts)
            self.scaler.scale(loss).backward()
            total += loss.detach()
        halted = torch.tensor(float(stop.asked), device=self.device)
        gradients = [one.grad for one in self.network.parameters() if one.grad is not None]
        self.world.average((*gradients, total, halted))
        self._follow(total.item())
        return bool(halted.item() > 0)

    def _follow(self, loss: float) -> None:
        """Change the weights along their gradients, and their running mean after them."""
        self.scaler.unscale_(self.optimiser)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip or math.inf)
        fine = math.isfinite(norm.item()) or self.scaler.is_enabled()  # which leaves such a step out, and scales less
        if not (fine and math.isfinite(loss) and self.scaler.get_scale() > _LEAST_SCALE):
            raise Refused([_diverged(self.step + 1, self.settings, self.points)])
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.step += 1
        self.losses.append(loss)
        if self.settings.ema_decay:
            decay = min(self.settings.ema_decay, self.step / (9 + self.step))  # the first steps are soon forgotten
            _draw_near(self.pairs, 1 - decay)

    def _note(self, observer: Observer) -> None:
        """Add a point to the curve, if it is time for one."""
        if self.step % curve.EVERY and not self._is_due_for_validation():
            return
        now = self.course.clock()
        self.seconds_s, self.noted = self.seconds_s + now - self.noted, now
        mean = sum(self.losses) / len(self.losses)
        self.points.append(Point(self.step, mean, self.settings.rate_at(self.step - 1), self.seconds_s))
        self.losses = []
        if self.world.first:
            observer(Progress("learning", self.step, self.settings.steps, self.points[-1]))

    def _is_due_for_validation(self) -> bool:
        if not self.step or (self.points and self.points[-1].step == self.step and self.points[-1].scores):
            return False
        return self.step % self.settings.validate_every == 0 or self.step == self.settings.steps

    def _validate(self, stop: Stop, observer: Observer) -> None:
        """Score the running mean on held-out cases; the first process does it for all."""
        scores: Mapping[str, float] = {}
        if self.world.first:
            observer(Progress("validating", self.step, self.settings.steps))
            self.average.eval()
            try:
                with torch.no_grad(), stop.at_once():
                    found = self.task.validate(self.average)
            except KeyboardInterrupt:
                raise self._stopped() from None
            scores = {name: float(value) for name, value in found.items() if math.isfinite(value)}
        scores = self.world.told(scores)
        if not scores:
            return
        self._add(scores)
        if self.world.first:
            observer(Progress("validating", self.step, self.settings.steps, self.points[-1]))
        score = scores.get("score", -math.inf)
        if score > self.best:
            self.best, self.since_best = score, 0
            if self.world.first:
                state = {"network": self.average.state_dict(), "step": self.step, "scores": dict(scores)}
                checkpoints.write(self.course.folder / BEST, state)
        else:
            self.since_best += 1
        self._keep()

    def _add(self, scores: Mapping[str, float]) -> None:
        """Put scores to the last point, which is of this step."""
        self.points[-1] = replace(self.points[-1], scores=scores)

    def _keep(self) -> None:
        """Write a checkpoint, and the curve as a table."""
        if not self.world.first:
            return
        state = {
            "identity": self.course.identity,
            "step": self.step,
            "seconds_s": self.seconds_s,
            "losses": self.losses,
            "best": self.best,
            "since_best": self.since_best,
            "curve": [one.to_dict() for one in self.points],
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        checkpoints.save(self.course.folder, self.step, state)
        with replacing(self.course.folder / "curve.csv") as temporary:
            temporary.write_text(curve.table(self.points), encoding="utf-8")

    def _stopped(self) -> TryLater:
        steps = self.settings.steps
        return TryLater(f"Stopped at step {self.step} of {steps} as asked: the same call goes on from there.")

    def _stopped_early(self) -> Reason:
        settings = self.settings
        text = (
            f"Learning stopped at step {self.step} of {settings.steps}: {settings.patience} validations brought no"
            f" better score than {self.best:.4f}."
        )
        return Reason("TRAINING_STOPPED_EARLY", text)


def _optimiser(network: Any, settings: Settings) -> Any:
    """One that changes what is to learn, each part at its share of the rate (``transfer``)."""
    groups: dict[float, list[Any]] = {}
    for one in network.parameters():
        if one.requires_grad:
            groups.setdefault(getattr(one, "rate_share", 1.0), []).append(one)
    parts = [{"params": some, "share": share} for share, some in groups.items()]
    if settings.optimiser == "sgd":
        options = {"momentum": 0.99, "nesterov": True, "weight_decay": settings.weight_decay}
        return torch.optim.SGD(parts, settings.learning_rate, **options)
    return torch.optim.AdamW(parts, settings.learning_rate, weight_decay=settings.weight_decay)


def _pairs(average: Any, network: Any) -> list[tuple[Any, Any]]:
    """Each tensor of a network's state beside that of another; they stay where they are in memory."""
    return list(zip(average.state_dict().values(), network.state_dict().values(), strict=True))


def _draw_near(pairs: list[tuple[Any, Any]], share: float) -> None:
    """Move the first of each pair by a share of the way to the second; counters are taken over."""
    with torch.no_grad():
        for mean, value in pairs:
            if mean.is_floating_point():
                mean.lerp_(value, share)
            else:
                mean.copy_(value)


def _diverged(step: int, settings: Settings, points: list[Point]) -> Reason:
    before = f"; it was {points[-1].loss:.4g} at step {points[-1].step}" if points else ""
    text = (
        f"At step {step} the loss or its gradient was no finite number{before}. The checkpoints before stay. Lower"
        f" learning_rate ({settings.learning_rate:g}) or clip ({settings.clip:g}), or set precision to 'fp32'."
    )
    return Reason("TRAINING_DIVERGED", text)
