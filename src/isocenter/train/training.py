"""From cases and a plan to a model: what is asked before the first step, the course, and what is kept of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter import datasets
from isocenter.datasets import Dataset, Split
from isocenter.errors import Refused, UsageError, expect
from isocenter.extras import needed
from isocenter.nets.models.model import Model, load_model, save_model
from isocenter.nets.plan import Plan
from isocenter.nets.planning.decisions import COLOURS
from isocenter.reasons import Reason, merge
from isocenter.train import trackers
from isocenter.train.curve import Curve, Point
from isocenter.train.facts import differing, facts_of, identity_of
from isocenter.train.progress import Observer, Progress, all_of, lines_to, silent
from isocenter.train.settings import STEPS, Settings
from isocenter.train.tasks import Made, Material, build

if TYPE_CHECKING:
    from isocenter.train.course import Learned
    from isocenter.train.distributed import World


@dataclass(frozen=True, eq=False)
class Trained:
    """A model that was taught, and how it went.

    Parameters
    ----------
    model
        The model, in its folder.
    curve
        The whole course.
    scores
        What the model reached on the held-out cases; empty where none were.
    reasons
        What is to be said of the cases and of the course.
    """

    model: Model
    curve: Curve = field(repr=False)
    scores: Mapping[str, float]
    reasons: tuple[Reason, ...] = ()


def train(
    cases: Dataset | Split,
    plan: Plan,
    out: str | os.PathLike[str],
    *,
    settings: Settings | None = None,
    observer: Observer = silent,
) -> Trained:
    """Teach the network of a plan, and keep it as a model.

    Before the first step all cases are gone through, and what cannot fit is refused. The course lies beside the model,
    in ``<out>.course``: a call that was broken off, by whatever, goes on from there when it is made again. Under
    ``torchrun`` all processes learn together, and the first one writes.

    Parameters
    ----------
    cases
        What to learn from; of a :class:`~isocenter.datasets.Split` the held-out cases are what is validated on.
    plan
        What the network is; also says the device.
    out
        Folder of the model; it must not be there yet.
    settings
        How; by default :class:`Settings` as they are, with the :data:`~isocenter.train.settings.STEPS` of the device.
    observer
        Whom to tell how far it is.

    Raises
    ------
    Refused
        ``NOTHING_TO_LEARN_FROM``, ``LOCKED_CASE``, ``TRAINING_TOO_LARGE``, ``TRAINING_OUT_OF_MEMORY``,
        ``TRAINING_DIVERGED``.
    TryLater
        If it was told to stop, or the disk is full; the same call goes on.
    UsageError
        If there is another model or course, no such network, task or device.
    MissingExtra
        If torch is not installed.
    """
    expect(cases, Dataset, Split)
    expect(plan, Plan)
    needed("torch", "nets")
    from isocenter.train.distributed import joined

    place = Path(os.path.abspath(out))  # noqa: PTH100 - with its name also where it is "."
    if place.exists() and not (place / "model.json").is_file():
        raise UsageError(f"{out} is there already, and no model: choose another folder.")
    settings = settings or Settings(steps=STEPS[plan.device])
    split = cases if isinstance(cases, Split) else Split(cases, replace(cases, cases=()))
    with joined(plan.device) as world:
        return _Training(split, plan, place, settings, observer, world).done()


@dataclass(frozen=True)
class _Training:
    """One call, in one of the processes that learn together."""

    split: Split
    plan: Plan
    out: Path
    settings: Settings
    observer: Observer
    world: World

    def done(self) -> Trained:
        """All of it, in order."""
        usable, digests, said = self.world.told(self._asked() if self.world.first else None)
        identity = identity_of(
            self.plan, self.settings, digests, held_out=(case.id for case in self.split.held_out.cases)
        )
        if self.out.exists():
            return self._there_already(identity, said)
        material = self._material(usable)
        made = self._made(material)
        learned = self._learned(made, identity)
        scores = next((dict(point.scores) for point in learned.curve if point.step == learned.step), {})
        if self.world.first:
            facts = facts_of(material, learned, identity=identity, processes=self.world.size)
            self._save(learned, {"training": facts, "domain": dict(made.domain), "held_out": scores})
        self.world.told(None)  # the others wait until it is there
        return Trained(load_model(self.out), learned.curve, scores, merge(said, made.reasons, learned.reasons))

    @property
    def _folder(self) -> Path:
        """Where checkpoints, curve and prepared cases lie."""
        return self.out.with_name(f"{self.out.name}.course")

    def _asked(self) -> tuple[list[str], dict[str, str], tuple[Reason, ...]]:
        """Everything that is asked before hours are spent: usable cases, their digests, and what is to be said.

        Held-out cases are gone through first: of an image that lies on both sides, the copy to learn from is left out.
        """
        train, held_out = self.split.train, self.split.held_out
        _expect_fitting(self.plan, train)
        self._expect_room()
        whole = replace(train, cases=(*held_out.cases, *train.cases))
        tell = lambda done, total: self.observer(Progress("checking", done, total))  # noqa: E731
        checked = datasets.check(whole, observer=tell)
        usable = [case.id for case in checked.dataset.cases]
        learning = _those(train, usable)
        if not learning.cases:
            text = f"No case of {train.name} can be learned from."
            raise Refused([Reason("NOTHING_TO_LEARN_FROM", text), *checked.dataset.reasons])
        datasets.expect_unlocked(learning, self.settings.locks, digests=checked.digests)
        return usable, dict(checked.digests), checked.dataset.reasons

    def _expect_room(self) -> None:
        """Refuse what does not fit, or what there is no device for."""
        from isocenter.nets.networks.cost import cost
        from isocenter.train import arithmetic, memory

        arithmetic.expect_device(self.plan.device)
        precision = arithmetic.precision_on(self.plan.device, self.settings.precision)
        needed_bytes = cost(self.plan, precision="fp32" if precision == "fp32" else "bf16").training_bytes
        memory.expect_room(needed_bytes, self.world.device(self.plan.device))

    def _material(self, usable: list[str]) -> Material:
        cache = Path(self.settings.cache) if self.settings.cache else self._folder / "cache"
        learning, held_out = _those(self.split.train, usable), _those(self.split.held_out, usable)
        tell = lambda done, total: self.observer(Progress("preparing", done, total))  # noqa: E731
        return Material(learning, held_out if held_out.cases else None, self.plan, self.settings, cache, tell)

    def _made(self, material: Material) -> Made:
        """The task; the first process prepares the cases for all."""
        made = build(material) if self.world.first else None
        self.world.told(None)
        return made or build(material)

    def _learned(self, made: Made, identity: str) -> Learned:
        from isocenter.nets import networks
        from isocenter.train import transfer
        from isocenter.train.arithmetic import seeded
        from isocenter.train.course import Course
        from isocenter.train.loop import learn

        with seeded(self.settings.seed):
            network = networks.build(self.plan)
        begun = transfer.begun(network, self.settings)
        course = Course(self.settings, self._folder, self.plan.device, identity)
        chosen = self.settings.trackers if self.world.first else ()
        with trackers.opened(chosen, self._folder, name=self.out.name) as report:
            told = all_of(self.observer, lines_to(self._folder / "progress.jsonl"), report)
            learned = learn(network, made.task, course, world=self.world, observer=told)
        return replace(learned, reasons=merge(begun, learned.reasons))

    def _save(self, learned: Learned, facts: Mapping[str, Any]) -> None:
        save_model(Model(self.out.name, "1", self.plan, self.out, {}, facts=facts), [learned.weights])

    def _there_already(self, identity: str, said: tuple[Reason, ...]) -> Trained:
        """The model that the same call has made before."""
        model = load_model(self.out)
        training = model.facts.get("training", {})
        if training.get("identity") != identity:
            apart = differing(model, self.plan, self.settings)
            raise UsageError(f"{self.out} is another model already ({apart}): choose another folder.")
        text = f"The model {model.name} was there already, taught by this plan with these settings from these cases."
        curve = tuple(Point(**point) for point in training.get("curve", ()))
        return Trained(model, curve, model.facts.get("held_out", {}), merge(said, [Reason("TRAINED_BEFORE", text)]))


def _those(dataset: Dataset, usable: list[str]) -> Dataset:
    """The data set with its usable cases."""
    kept = set(usable)
    return replace(dataset, cases=tuple(case for case in dataset.cases if case.id in kept))


def _expect_fitting(plan: Plan, dataset: Dataset) -> None:
    """Tell whose plan is of other data.

    Raises
    ------
    UsageError
        If channels, labels or categories are not those of the data set.
    """
    pairs: list[tuple[str, Iterable[str], Iterable[str]]] = []
    pairs_alone = plan.task == "registration"  # whose plan has the channels of two images; the task looks at them
    if not pairs_alone and plan.channels != COLOURS[: len(plan.channels)]:  # one image has all colours
        pairs.append(("channels", plan.channels, dataset.channels))
    if plan.task == "segmentation":
        pairs.append(("labels", plan.labels, dataset.labels))
    if plan.task == "classification":
        pairs.append(("categories", plan.labels, dataset.categories))
    for what, planned, there in pairs:
        if tuple(planned) != tuple(there):
            raise UsageError(
                f"The plan has the {what} {', '.join(planned)}, and the data set {dataset.name} has"
                f" {', '.join(there) or 'none'}: make a plan for it."
            )
