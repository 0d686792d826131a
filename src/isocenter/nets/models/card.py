"""The card of a model: what it is for, what it was taught on, how right it is and where not, for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isocenter.nets.models.model import Model
    from isocenter.nets.plan import Normalisation

_OF_LEARNING = ("dataset", "step", "seconds_s", "device", "precision")


def card(model: Model) -> str:
    """The card as Markdown."""
    return "\n".join(_lines(model)) + "\n"


def _lines(model: Model) -> Iterator[str]:
    plan = model.plan
    yield f"# {model.name} {model.version}\n"
    yield f"{_purpose(model)}\n"
    yield f"**Licence of the weights: {model.licence}.** Not a medical device; for research.\n"
    yield "## Where it comes from\n"
    yield f"- source: {model.source}"
    yield from (f"- {_word(name)}: {value}" for name, value in model.facts.items() if _is_plain(value))
    yield from _learning(model.facts.get("training") or {})
    yield from ("", "## Plan", "", f"- network: {plan.network.name}, {len(model.weights)} member(s)")
    spacing = "as it is" if plan.spacing_mm is None else " x ".join(f"{mm:g}" for mm in plan.spacing_mm) + " mm"
    yield f"- spacing (slice, row, column): {spacing}; axes point to {plan.orientation}"
    yield f"- window: {' x '.join(map(str, plan.patch))} voxels"
    for channel, how in zip(plan.channels, plan.normalisation, strict=False):
        yield f"- channel {channel}: {_scale(how)}"
    yield from _results(model.facts)
    yield from ("", "## Limits", "")
    yield from (f"- {one['message']}" for one in model.facts.get("reasons", ()))
    yield "- It is known to work on images like those it was taught on, and on no others."
    yield from _trial(model.facts)
    yield from ("", "## Digests", "")
    yield from (f"- {name}: SHA-256 {digest}" for name, digest in model.weights.items())
    yield f"- plan: SHA-256 {plan.sha256}"


def _purpose(model: Model) -> str:
    plan = model.plan
    what = ", ".join(plan.labels[:12]) + (f" and {len(plan.labels) - 12} more" if len(plan.labels) > 12 else "")
    return f"For {plan.task.replace('_', ' ')}{f' of {what}' if what else ''} in {', '.join(plan.channels)}."


def _scale(how: Normalisation) -> str:
    if how.scale == "ct":
        return f"cut to {how.low:g} and {how.high:g}, less {how.mean:g}, over {how.deviation:g}"
    if how.scale in ("range", "percentile"):
        unit = "percentiles" if how.scale == "percentile" else "values"
        return f"{unit} {how.low:g} to {how.high:g} become 0 to 1"
    return {"zscore": "less its mean, over its deviation", "none": "values as they are"}[how.scale]


def _learning(training: Mapping[str, Any]) -> Iterator[str]:
    """What it was taught on, and how long."""
    yield from (f"- {_word(name)}: {_number(training[name])}" for name in _OF_LEARNING if name in training)
    for name in ("learned_from", "held_out"):
        if isinstance(cases := training.get(name), list):
            yield f"- cases {_word(name)}: {len(cases)}"


def _results(facts: Mapping[str, Any]) -> Iterator[str]:
    """What was measured on held-out cases, and in each subgroup."""
    yield from ("", "## Measured", "")
    results = {**(facts.get("held_out") or {}), **(facts.get("results") or {})}
    if not results and not facts.get("subgroups"):
        yield "Nothing was measured here: judge it on your own cases by `isocenter evaluate` first."
    yield from (f"- {_word(name)} (held out): {_number(value)}" for name, value in results.items())
    for group, values in (facts.get("subgroups") or {}).items():
        yield f"- {group}: {_listed(values)}"


def _trial(facts: Mapping[str, Any]) -> Iterator[str]:
    if trial := facts.get("trial"):
        yield from ("", "## Trial when it was added", "")
        yield from (f"- {_word(name)}: {_number(value)}" for name, value in trial.items())
    if exports := facts.get("exports"):
        yield from ("", "## Exports", "")
        yield from (f"- {kind}: {_listed(values)}" for kind, values in exports.items())


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{_word(name)} {_number(value)}" for name, value in values.items())


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _word(name: str) -> str:
    return name.replace("_", " ")


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
