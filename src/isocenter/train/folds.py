"""Cross-validation and ensembles: a network for each fold, all of them one model, and what each told of unseen cases.

Every case is held out of one fold. What that fold's network says of it is out-of-fold: the only honest score of all
cases, and what an interval for the Dice of a new case is made of (:mod:`isocenter.nets.certainty.conformal`). It is one
of a single member: the members together are expected to be as right or more.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from isocenter import datasets
from isocenter.datasets import Dataset, Split
from isocenter.datasets.loading import load_case
from isocenter.disk import replacing
from isocenter.errors import Refused, UsageError, expect
from isocenter.evaluate.drift import LEAST_REFERENCE, REFERENCE, profile
from isocenter.evaluate.traits import Traits, input_traits, output_traits
from isocenter.extras import needed
from isocenter.nets.certainty.checks import merged
from isocenter.nets.certainty.conformal import LEAST_CASES, calibrated
from isocenter.nets.models.model import Model, load_model, save_model, weights_of
from isocenter.nets.plan import Plan
from isocenter.reasons import Reason, merge
from isocenter.train.progress import Observer, silent
from isocenter.train.settings import Settings
from isocenter.train.training import train

_TOLD = ("expected_dice", "least_expected_dice", "entropy")
"""What a single network tells of a case; the agreement of members is only known of several."""


@dataclass(frozen=True)
class OutOfFold:
    """What a network that did not learn from a case made of it.

    Parameters
    ----------
    case
        SHA-256 of its name: models go to others.
    fold
        The network that was asked.
    dice
        Of each structure, on the grid of the source; NaN where neither truth nor network has it.
    features
        What the network told of how sure it is, by name.
    """

    case: str
    fold: int
    dice: Mapping[str, float]
    features: Mapping[str, float]

    @property
    def mean_dice(self) -> float:
        """Mean over the structures that are defined; NaN if none is."""
        known = [one for one in self.dice.values() if not np.isnan(one)]
        return float(np.mean(known)) if known else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: None where nothing is defined."""
        dice = {name: None if np.isnan(value) else value for name, value in self.dice.items()}
        return {"case": self.case, "fold": self.fold, "dice": dice, "features": dict(self.features)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> OutOfFold:
        """The inverse of :meth:`to_dict`."""
        dice = {name: float("nan") if value is None else float(value) for name, value in values["dice"].items()}
        return cls(values["case"], values["fold"], dice, dict(values["features"]))


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A model of several members, and what they are worth.

    Parameters
    ----------
    model
        The model, in its folder.
    cases
        Every case, as a network saw it that had not learned from it.
    reasons
        What is to be said of the cases and the courses.
    """

    model: Model
    cases: tuple[OutOfFold, ...] = field(repr=False)
    reasons: tuple[Reason, ...] = ()

    @property
    def mean_dice(self) -> float:
        """Mean out-of-fold Dice over structures and cases; NaN if none is defined."""
        known = [one.mean_dice for one in self.cases if not np.isnan(one.mean_dice)]
        return float(np.mean(known)) if known else float("nan")


def train_folds(
    dataset: Dataset,
    plan: Plan,
    out: str | os.PathLike[str],
    *,
    count: int = 5,
    settings: Settings | None = None,
    observer: Observer = silent,
) -> Ensemble:
    """Teach a network on each fold, and keep them as one model.

    The networks lie in ``<out>.folds`` until the folder is removed, beside a table of all cases by name. A call that
    was broken off goes on where it was.

    Parameters
    ----------
    dataset
        Labelled cases.
    plan
        For a segmentation.
    out
        Folder of the model; it must not be there yet.
    count
        How many folds; a case is held out of one.
    settings
        How each is taught.
    observer
        Whom to tell how far it is.

    Returns
    -------
    The model. With 20 cases or more it is calibrated: a prediction then says what Dice is to be expected;
    and it keeps their profile, by which `isocenter drift` watches a stream of cases.

    Raises
    ------
    As :func:`isocenter.train.training.train`; UsageError also under ``torchrun``, where folds are taught one by one.
    """
    expect(dataset, Dataset)
    expect(plan, Plan)
    needed("torch", "nets")
    if plan.task != "segmentation":
        raise UsageError(f"Folds are scored by the Dice of a segmentation; this plan is for {plan.task}.")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("Under torchrun teach each fold of isocenter.datasets.folds by isocenter.train.train.")
    work = _Folds(dataset, plan, Path(out), settings or Settings(), observer)
    return work.done(datasets.folds(dataset, count))


@dataclass(frozen=True)
class _Folds:
    """One call."""

    dataset: Dataset
    plan: Plan
    out: Path
    settings: Settings
    observer: Observer

    @property
    def _folder(self) -> Path:
        return self.out.with_name(f"{self.out.name}.folds")

    def done(self, splits: Sequence[Split]) -> Ensemble:
        """All of it."""
        settings = replace(self.settings, cache=self.settings.cache or str(self._folder / "cache"))
        members, said = [], []
        for number, split in enumerate(splits):
            place = self._folder / f"fold_{number}"
            place.parent.mkdir(parents=True, exist_ok=True)
            trained = train(split, self.plan, place, settings=settings, observer=self.observer)
            members.append(trained.model)
            said.append(trained.reasons)
        identity = hashlib.sha256(" ".join(one.sha256 for one in members).encode()).hexdigest()
        if self.out.exists():
            return self._there_already(identity, merge(*said))
        seen = [one for number, split in enumerate(splits) for one in self._asked(members[number], split, number)]
        self._keep_table([(traits.id, row) for traits, row in seen])
        cases = tuple(row for _, row in seen)
        facts = {"identity": identity, "out_of_fold": [row.to_dict() for row in cases], **_calibration(cases)}
        facts["domain"] = {**merged([one.facts.get("domain", {}) for one in members]), "images": len(cases)}
        if len(seen) >= LEAST_REFERENCE:
            facts[REFERENCE] = profile([traits for traits, _ in seen]).to_dict()
        facts["members"] = [dict(one.facts) for one in members]
        licence = self.dataset.licence or "unknown"
        model = Model(self.out.name, "1", self.plan, self.out, {}, licence=licence, facts=facts)
        return Ensemble(save_model(model, [weights_of(one)[0] for one in members]), cases, merge(*said))

    def _asked(self, model: Model, split: Split, fold: int) -> Iterator[tuple[Traits, OutOfFold]]:
        """The held-out cases of a fold as its network sees them, the way of serving; what each is like has its name."""
        from isocenter.nets.pool import Pool
        from isocenter.nets.predict import Inference, judged
        from isocenter.nets.runtimes import Device
        from isocenter.train.tasks.segmentation import dice_of

        device: Device = "cuda" if self.plan.device == "cuda" else "cpu"
        pool, how = Pool(), Inference(device=device, doubt="scores")
        for case in split.held_out.cases:
            try:
                loaded = load_case(case, split.held_out)
            except Refused:  # training has said so already
                continue
            if loaded.segmentation is None:
                continue
            found, certainty = judged(model, loaded.images, how=how, pool=pool)
            names = self.plan.labels
            dice = dict(zip(names, dice_of(found.array, loaded.segmentation.array, len(names)), strict=True))
            told = () if certainty is None else certainty.features(*_TOLD)
            digest = hashlib.sha256(case.id.encode()).hexdigest()
            traits = Traits(case.id, input_traits(loaded.images[0]), output_traits(found))
            yield traits, OutOfFold(digest, fold, dice, dict(zip(_TOLD, told, strict=True)))

    def _keep_table(self, rows: Sequence[tuple[str, OutOfFold]]) -> None:
        """The cases by their names, as a table beside the networks: it stays where the images are."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["case", "fold", *(f"dice_{name}" for name in self.plan.labels), *_TOLD])
        for name, row in rows:
            writer.writerow([name, row.fold, *row.dice.values(), *row.features.values()])
        with replacing(self._folder / "out_of_fold.csv") as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")

    def _there_already(self, identity: str, said: tuple[Reason, ...]) -> Ensemble:
        model = load_model(self.out)
        if model.facts.get("identity") != identity:
            raise UsageError(f"{self.out} is another model already: choose another folder.")
        text = f"The model {model.name} was there already, of these members."
        cases = tuple(OutOfFold.from_dict(row) for row in model.facts.get("out_of_fold", ()))
        return Ensemble(model, cases, merge(said, [Reason("TRAINED_BEFORE", text)]))


def _calibration(cases: Sequence[OutOfFold]) -> dict[str, Any]:
    """The calibration of these cases as a model keeps it; empty of too few."""
    known = [one for one in cases if not np.isnan(one.mean_dice)]
    if len(known) < LEAST_CASES:
        return {}
    features = [[one.features[name] for name in _TOLD] for one in known]
    return {"calibration": calibrated([one.mean_dice for one in known], features, names=_TOLD).to_dict()}
