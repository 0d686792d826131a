"""The card of a model: what it is for, how right it is and where not, what it was taught on, for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isocenter.nets.models.proof import GOOD_DICE, Measured, about_model, proof_of
from isocenter.reasons import counted

if TYPE_CHECKING:
    from isocenter.nets.models.model import Model
    from isocenter.nets.plan import Normalisation

_FURTHER = {"surface_dice": "surface Dice", "hd95_mm": "HD95 (mm)"}
_ELSEWHERE = ("identity", "training_cases")


def card(model: Model) -> str:
    """The card as Markdown."""
    return "\n".join(_lines(model)) + "\n"


def _lines(model: Model) -> Iterator[str]:
    yield f"# {model.name} {model.version}\n"
    yield f"{_purpose(model)}\n"
    yield f"**Licence of the weights: {model.licence}.** Not a medical device; for research."
    yield from ("", "## How right it is", "", *_results(model))
    yield from ("", "## Where it comes from", "", *_source(model))
    yield from ("", "## What it takes", "", *_plan(model))
    yield from ("", "## Limits", "")
    yield from (f"- {one['message']}" for one in model.facts.get("reasons", ()))
    yield "- It is known to work on images like those it was taught on, and on no others."
    yield from _trial(model.facts)
    yield from ("", "## Digests (SHA-256)", "", *_digests(model))


def _purpose(model: Model) -> str:
    plan = model.plan
    what = ", ".join(plan.labels[:12]) + (f" and {len(plan.labels) - 12} more" if len(plan.labels) > 12 else "")
    return f"For {plan.task.replace('_', ' ')}{f' of {what}' if what else ''} in {', '.join(plan.channels)}."


def _results(model: Model) -> Iterator[str]:
    """What was measured on cases that it did not learn from, of each label and subgroup, and what that leaves open."""
    proof = proof_of(model)
    if proof is None:
        yield "Nothing was measured here: judge it on your own cases by `isocenter evaluate` first.\n"
    else:
        flattered = " The same cases chose its weights, so that this flatters." if proof.is_chosen else ""
        cases = counted(proof.cases, "case", "cases")
        yield f"Measured on {cases} that it did not learn from ({proof.how}).{flattered}\n"
        yield from _table(proof.scores, model.plan.labels if model.plan.task == "segmentation" else ())
    doubts = [one.message for one in about_model(model) if one.code != "MODEL_MEASURED"]
    yield from (f"- **To be doubted:** {one}" for one in doubts)
    yield from (f"- {name}: {_listed(values)}" for name, values in (model.facts.get("subgroups") or {}).items())
    if known := model.facts.get("calibration"):
        level, count = 100 * known.get("level", 0), len(known.get("scores", ()))
        yield f"- With each result it tells where its Dice is expected, by {count} cases: an interval for {level:g} %."


def _table(scores: Mapping[str, Measured], labels: Sequence[str]) -> Iterator[str]:
    """Scores as a table: the Dice of each of the labels, or scores by their names where there are none."""
    further = [name for name in _FURTHER if any(name in one.further for one in scores.values())]
    head = ["label", "mean Dice"] if labels else ["score", "value"]
    yield _row([*head, *(_FURTHER[name] for name in further), "cases"])
    yield _row(["---"] * (3 + len(further)))
    for name in labels or scores:
        one = scores.get(name)
        if one is None:
            yield _row([name, "not known", *("" for _ in further), "0"])
            continue
        weak = f" (below {GOOD_DICE:g})" if labels and one.value < GOOD_DICE else ""
        values = [_number(one.further.get(key, "")) for key in further]
        yield _row([name, f"{one.value:.3f}{weak}", *values, str(one.cases)])
    yield ""


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _source(model: Model) -> Iterator[str]:
    """Who made it of what: the cases it learned from, what their images are like, and how long."""
    facts, training = model.facts, model.facts.get("training", {})
    yield f"- source: {model.source}"
    yield from (f"- {_word(name)}: {one}" for name, one in facts.items() if _is_plain(one) and name not in _ELSEWHERE)
    if facts.get("training_cases") is not None:
        yield f"- cases that it learned from: {facts['training_cases']}"
    if "dataset" in training:
        yield f"- data set: {training['dataset']}, licence {training.get('dataset_licence', 'unknown')}"
    if "learned_from" in training:
        yield f"- cases that it learned from: {len(training['learned_from'])}"
        yield f"- cases that were held out of its learning: {len(training.get('held_out', ()))}"
    if "out_of_fold" in facts:
        yield f"- cases that its members learned from, each held out of one of them: {len(facts['out_of_fold'])}"
    yield from _domain(facts.get("domain", {}))
    if "step" in training:
        minutes = training.get("seconds_s", 0) / 60
        where = f"{training.get('device', 'unknown')} in {training.get('precision', 'unknown')}"
        yield f"- learning: {training['step']} steps, {minutes:.3g} minutes on {where}"
    if versions := training.get("versions"):
        yield f"- software: {_listed(versions)}"


def _domain(domain: Mapping[str, Any]) -> Iterator[str]:
    """What the images that it was taught on are like."""
    if "modalities" in domain:
        yield f"- modality of these images: {', '.join(domain['modalities'])}"
    if "spacing_mm" in domain:
        least, most = (" x ".join(f"{mm:.3g}" for mm in side) for side in domain["spacing_mm"])
        yield f"- spacing of these images (slice, row, column): {least}{'' if least == most else f' to {most}'} mm"


def _plan(model: Model) -> Iterator[str]:
    plan = model.plan
    yield f"- network: {plan.network.name}, {counted(len(model.weights), 'member', 'members')}"
    spacing = "as it is" if plan.spacing_mm is None else " x ".join(f"{mm:g}" for mm in plan.spacing_mm) + " mm"
    yield f"- spacing (slice, row, column): {spacing}; axes point to {plan.orientation}"
    yield f"- window: {' x '.join(map(str, plan.patch))} voxels"
    for channel, how in zip(plan.channels, plan.normalisation, strict=False):
        yield f"- channel {channel}: {_scale(how)}"


def _scale(how: Normalisation) -> str:
    if how.scale == "ct":
        return f"cut to {how.low:g} and {how.high:g}, less {how.mean:g}, over {how.deviation:g}"
    if how.scale in ("range", "percentile"):
        unit = "percentiles" if how.scale == "percentile" else "values"
        return f"{unit} {how.low:g} to {how.high:g} become 0 to 1"
    return {"zscore": "less its mean, over its deviation", "none": "values as they are"}[how.scale]


def _trial(facts: Mapping[str, Any]) -> Iterator[str]:
    if trial := facts.get("trial"):
        yield from ("", "## Trial when it was added", "")
        yield from (f"- {_word(name)}: {_number(value)}" for name, value in trial.items())
    if exports := facts.get("exports"):
        yield from ("", "## Exports", "")
        yield from (f"- {kind}: {_listed(values)}" for kind, values in exports.items())


def _digests(model: Model) -> Iterator[str]:
    """What tells this model from every other; `isocenter model check` compares the weights with theirs."""
    yield f"- model, as each result names it (`model_sha256`): {model.sha256}"
    yield f"- plan: {model.plan.sha256}"
    yield from (f"- {name}: {digest}" for name, digest in model.weights.items())
    if digest := model.facts.get("results", {}).get("digest"):
        yield f"- truth that it was evaluated on: {digest}"


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{_word(name)} {_number(value)}" for name, value in values.items())


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _word(name: str) -> str:
    return name.replace("_", " ")


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
