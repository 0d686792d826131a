"""The card of a model: what it is for, what it was taught on, how right it is and where not, for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isocenter.nets.model import Model
    from isocenter.nets.plan import Normalisation

_TOLD_ELSEWHERE = ("reasons", "trial", "exports", "results", "subgroups")


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
    for name, value in model.facts.items():
        if name not in _TOLD_ELSEWHERE and isinstance(value, str | int | float) and value != "":
            yield f"- {name.replace('_', ' ')}: {value}"
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


def _results(facts: Mapping[str, Any]) -> Iterator[str]:
    """What was measured on held-out cases, and in each subgroup."""
    yield from ("", "## Measured", "")
    if not facts.get("results") and not facts.get("subgroups"):
        yield "Nothing was measured here: judge it on your own cases by `isocenter evaluate` first."
    yield from (f"- {name}: {_number(value)}" for name, value in (facts.get("results") or {}).items())
    for group, values in (facts.get("subgroups") or {}).items():
        told = ", ".join(f"{name} {_number(value)}" for name, value in values.items())
        yield f"- {group}: {told}"


def _trial(facts: Mapping[str, Any]) -> Iterator[str]:
    if trial := facts.get("trial"):
        yield from ("", "## Trial when it was added", "")
        yield from (f"- {name.replace('_', ' ')}: {_number(value)}" for name, value in trial.items())
    if exports := facts.get("exports"):
        yield from ("", "## Exports", "")
        for kind, values in exports.items():
            told = ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in values.items())
            yield f"- {kind}: {told}"


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
