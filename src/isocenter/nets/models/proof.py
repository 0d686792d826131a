"""What is known of how right a model is: on how many cases that it did not learn from, and of each label, as reasons.

Where several are kept, the result of `isocenter evaluate` counts before what its folds told of each other, and that
before the score at the end of learning. What the model doubts of one image lives in ``certainty``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite, nan
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from isocenter.reasons import Reason, counted

if TYPE_CHECKING:
    from isocenter.nets.models.model import Model

ENOUGH = 5
"""Cases: what a label scored on fewer says next to nothing."""
GOOD_DICE = 0.7
"""Overlap above 0.7 is called good since Bartko 1991 and Zijdenbos 1994; a lower one is told as weak."""
DICE = "dice_"
"""Begins the name of the Dice of a label among the scores of a model."""
_LISTED = 12


@dataclass(frozen=True, slots=True)
class Measured:
    """A score, on how many cases it was taken, and further ones of the same by their names."""

    value: float
    cases: int
    further: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Proof:
    """What was measured of a model on cases that it did not learn from.

    Parameters
    ----------
    how
        What was done, in words.
    cases
        How many cases there were in all.
    scores
        Of each label its Dice, if the model segments; else each score by its name.
    is_chosen
        Whether the weights were chosen by the same cases, so that the scores flatter.
    """

    how: str
    cases: int
    scores: Mapping[str, Measured]
    is_chosen: bool = False


def proof_of(model: Model) -> Proof | None:
    """What was measured of a model on cases that it did not learn from; None if nothing is known."""
    for read in (_evaluated, _out_of_fold, _validated):
        if (found := read(model)) is not None and found.cases and found.scores:
            return found
    return None


def learned_from(facts: Mapping[str, Any]) -> int | None:
    """How many cases a model learned from; None if its facts do not say."""
    training = facts.get("training", {})
    if "learned_from" in training:
        return len(training["learned_from"])
    if "out_of_fold" in facts:
        return len(facts["out_of_fold"])
    count: int | None = facts.get("training_cases")
    return count


def about_model(model: Model) -> tuple[Reason, ...]:
    """How right a model is, as far as it is known: what was measured, what of it is weak, what is unproven."""
    proof = proof_of(model)
    count = learned_from(model.facts)
    taught = "" if count is None else f" It learned from {counted(count, 'case', 'cases')}."
    if proof is None:
        text = f"No result of the network on cases that it did not learn from is known.{taught}"
        return (Reason("MODEL_UNPROVEN", text),)
    what = "a mean Dice of" if model.plan.task == "segmentation" else "the scores"
    flattered = " They chose its weights too, so that this flatters." if proof.is_chosen else ""
    text = f"On {_held_out(proof.cases)} ({proof.how}) the network reached {what} {_listed(proof.scores)}."
    reasons = [Reason("MODEL_MEASURED", f"{text}{flattered}{taught}")]
    if model.plan.task == "segmentation":
        reasons += _doubts(proof, model.plan.labels)
    elif proof.cases < ENOUGH:
        reasons.append(Reason("MODEL_UNPROVEN", f"The network was measured on no more than {_held_out(proof.cases)}."))
    return tuple(reasons)


def _doubts(proof: Proof, labels: tuple[str, ...]) -> list[Reason]:
    reasons = []
    if weak := {name: one for name, one in proof.scores.items() if one.value < GOOD_DICE}:
        text = f"On cases that it did not learn from, the network's mean Dice was below {GOOD_DICE:g}: {_listed(weak)}."
        reasons.append(Reason("MODEL_WEAK", text))
    if few := {name: one for name, one in proof.scores.items() if one.cases < ENOUGH}:
        text = f"The network was measured on fewer than {ENOUGH} cases that it did not learn from: {_listed(few)}."
        reasons.append(Reason("MODEL_UNPROVEN", text))
    unknown = [name for name in labels if name not in proof.scores]
    if unknown:
        more = f" and {len(unknown) - _LISTED} more" if len(unknown) > _LISTED else ""
        names = ", ".join(unknown[:_LISTED]) + more
        reasons.append(Reason("MODEL_UNPROVEN", f"No result of the network is known for: {names}."))
    return reasons


def _held_out(count: int) -> str:
    return f"{counted(count, 'case', 'cases')} that it did not learn from"


def _listed(scores: Mapping[str, Measured]) -> str:
    some = sorted(scores.items(), key=lambda item: item[1].value) if len(scores) > _LISTED else list(scores.items())
    told = [f"{name} {one.value:.2f} ({counted(one.cases, 'case', 'cases')})" for name, one in some[:_LISTED]]
    more = f" and {len(some) - _LISTED} more, each at least as high" if len(some) > _LISTED else ""
    return ", ".join(told) + more


def _evaluated(model: Model) -> Proof | None:
    """What `isocenter evaluate --record` kept."""
    results = model.facts.get("results", {})
    count, kept = results.get("cases"), results.get("structures", {})
    if type(count) is not int or not isinstance(kept, Mapping):
        return None
    each = {name: _of_structure(kept[name]) for name in model.plan.labels if name in kept}
    scores = {name: one for name, one in each.items() if isfinite(one.value)}
    return Proof("evaluated by `isocenter evaluate`", count, scores)


def _out_of_fold(model: Model) -> Proof | None:
    """What each fold's network made of the cases that were held out of it."""
    rows = model.facts.get("out_of_fold", ())
    scores = {}
    for name in model.plan.labels:
        known = [value for row in rows if (value := row["dice"].get(name)) is not None and isfinite(value)]
        if known:
            scores[name] = Measured(sum(known) / len(known), len(known))
    return Proof("each by the member of the ensemble that it was held out of", len(rows), scores)


def _validated(model: Model) -> Proof | None:
    """What was reached on the held-out cases at the end of learning."""
    training, found = model.facts.get("training", {}), model.facts.get("held_out", {})
    count = len(training.get("held_out", ()))
    if model.plan.task == "segmentation":
        each = {name: _measured(found.get(DICE + name), count) for name in model.plan.labels}
    else:
        each = {name.replace("_", " "): _measured(value, count) for name, value in found.items()}
    scores = {name: one for name, one in each.items() if isfinite(one.value)}
    is_chosen = training.get("settings", {}).get("keep") == "best"
    return Proof("held out of its learning", count, scores, is_chosen)


def _of_structure(kept: Mapping[str, Any]) -> Measured:
    """What `isocenter evaluate --record` kept of a structure."""
    further = {name: value for name, value in kept.items() if name not in ("dice", "cases")}
    return replace(_measured(kept.get("dice"), kept.get("cases")), further=further)


def _measured(value: Any, cases: Any) -> Measured:
    """A score as it is kept; NaN where it is none."""
    is_known = type(value) in (int, float) and type(cases) is int
    return Measured(float(value), cases) if is_known else Measured(nan, 0)
