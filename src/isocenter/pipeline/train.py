"""A network taught as a file of settings says, or with no settings at all: open, hold out, plan, teach."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from isocenter.datasets import Dataset, Split, open_dataset, split
from isocenter.errors import InputError, UsageError, expect_word
from isocenter.extras import needed
from isocenter.nets.plan import Plan, Task, load_plan
from isocenter.nets.planning.fingerprint import fingerprint
from isocenter.nets.planning.planner import Device, plan_for
from isocenter.nets.region import with_coarse
from isocenter.reasons import merge
from isocenter.train.folds import train_folds
from isocenter.train.progress import Observer, Progress, silent
from isocenter.train.settings import STEPS, DeviceName, Settings
from isocenter.train.training import Trained, train

HELD_OUT = 0.2
"""Share of the cases that is held out unless something else is said: one in five, as in fivefold cross-validation."""


@dataclass(frozen=True)
class Job:
    """What is to be taught from what.

    Parameters
    ----------
    dataset
        The data set, in any layout that :func:`isocenter.datasets.open_dataset` knows.
    out
        Folder of the model.
    plan
        A plan as JSON; None makes one of the cases to learn from.
    task
        What is learned, where the plan is to be made for it; ``"pretraining"`` learns without labels for the network of
        the plan, or of one made by the labels that there are.
    folds
        A network for each of so many folds, which are one model: :func:`isocenter.train.folds.train_folds`; 0 for one
        network.
    held_out
        How many cases, or which share of them, the model is validated on; 0 for none. By default one in five; with
        folds none, and cases that are held out none the less are not learned from.
    device
        What is planned for where no plan is given; ``"auto"`` is a GPU where there is one.
    training
        How it is taught: the settings that are not left as they are, by their names.
    """

    dataset: Path
    out: Path = Path("model")
    plan: Path | None = None
    task: Task | None = None
    folds: int = 0
    held_out: int | float | None = None
    device: DeviceName = "auto"
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expect_word(self.device, DeviceName, "The device")
        if self.task is not None:
            expect_word(self.task, Task, "The task")
        if type(self.folds) is not int or self.folds < 0:
            raise UsageError(f"folds is a whole number of folds, or 0; not {self.folds!r}.")
        Settings.from_dict(self.training)


def read_job(path: Path) -> Job:
    """The job of a TOML file: the names of :class:`Job`, and a table ``[training]`` with those of ``Settings``.

    Paths in it are relative to it.

    Raises
    ------
    UsageError
        If there is no such file, or a name or value in it is none of a job.
    InputError
        If it is no TOML.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path.name} is no TOML: {error}.") from error
    training = values.pop("training", {})
    known = {one.name for one in fields(Job)} - {"training"}
    unknown = sorted(set(values) - known)
    if unknown:
        raise UsageError(
            f"{path.name} has {', '.join(unknown)}; it may have {', '.join(sorted(known))} and [training]."
        )
    if "dataset" not in values:
        raise UsageError(f"{path.name} does not say which dataset.")
    return _job(values, _based(training, path.parent), path)


def _job(values: Mapping[str, Any], training: Mapping[str, Any], path: Path) -> Job:
    read: dict[str, Any] = {"out": "model", **values}
    for name in ("dataset", "out", "plan"):
        if name in read:
            if not isinstance(read[name], str):
                raise UsageError(f"{name} in {path.name} is a path; not {read[name]!r}.")
            read[name] = path.parent / read[name]
    if type(read.get("held_out", 0)) not in (int, float):
        raise UsageError(f"held_out in {path.name} is a number of cases, or a share of them; not {read['held_out']!r}.")
    return Job(**read, training=training)


def _based(training: Any, folder: Path) -> dict[str, Any]:
    """The table of settings, its paths relative to a folder."""
    if not isinstance(training, dict):
        raise UsageError("training is a table of settings: [training].")
    found = dict(training)
    for name in ("cache", "start"):
        if isinstance(found.get(name), str) and found[name]:
            found[name] = str(folder / found[name])
    if isinstance(found.get("locks"), list):
        found["locks"] = [str(folder / str(one)) for one in found["locks"]]
    return found


def run(job: Job, *, observer: Observer = silent) -> Trained:
    """Teach what a job says.

    Raises
    ------
    As :func:`isocenter.datasets.open_dataset`, :func:`isocenter.nets.planning.planner.plan_for` and
    :func:`isocenter.train.training.train`.
    """
    dataset = open_dataset(job.dataset)
    held_out = (0 if job.folds else HELD_OUT) if job.held_out is None else job.held_out
    cases = split(dataset, held_out) if held_out else Split(dataset, replace(dataset, cases=()))
    plan = _plan(job, cases.train, observer)
    settings = Settings.from_dict({"steps": STEPS[plan.device], **job.training})
    coarse = None if plan.coarse is None else _coarse(plan.coarse, cases, job, settings=settings, observer=observer)
    if job.folds:
        made = _in_folds(cases.train, plan, job, settings=settings, observer=observer)
    else:
        made = train(cases, plan, job.out, settings=settings, observer=observer)
    said = () if coarse is None else coarse.reasons
    if coarse is not None and speaks():
        with_coarse(made.model, coarse.model)
    return replace(made, reasons=merge(dataset.reasons, said, made.reasons))


def _plan(job: Job, cases: Dataset, observer: Observer) -> Plan:
    """The plan that a job names, or one made for its cases."""
    wanted = None if job.task == "pretraining" else job.task
    if job.plan is not None:
        plan = load_plan(job.plan)
        if wanted not in (None, plan.task):
            raise UsageError(f"The plan {job.plan.name} is for {plan.task}, and the job for {wanted}.")
    else:
        if job.task == "pretraining" and not (cases.labels or cases.categories):
            raise UsageError("To learn without labels name the plan of the network that is to be begun (plan).")
        seen = fingerprint(cases, observer=lambda done, all_: observer(Progress("planning", done, all_)))
        plan = plan_for(seen, task=wanted, device=_device() if job.device == "auto" else job.device)
    if job.task != "pretraining" or plan.task == "pretraining":
        return plan
    needed("torch", "nets")
    from isocenter.train.tasks.pretraining import pretraining_plan

    return pretraining_plan(plan)


def _coarse(plan: Plan, cases: Split, job: Job, *, settings: Settings, observer: Observer) -> Trained:
    """The network that finds where the other one is to look, taught first, beside it."""
    beside = job.out.absolute().with_name(f"{job.out.absolute().name}.coarse")
    return train(cases, plan, beside, settings=replace(settings, start=""), observer=observer)


def _in_folds(cases: Dataset, plan: Plan, job: Job, *, settings: Settings, observer: Observer) -> Trained:
    made = train_folds(cases, plan, job.out, count=job.folds, settings=settings, observer=observer)
    return Trained(made.model, (), {"dice": made.mean_dice}, made.reasons)


def _device() -> Device:
    """A GPU where there is one."""
    needed("torch", "nets")
    from isocenter.train.arithmetic import best_device

    return best_device()


def speaks() -> bool:
    """Whether this process is the one of several (``torchrun``) that tells people."""
    return os.environ.get("RANK", "0") == "0"
