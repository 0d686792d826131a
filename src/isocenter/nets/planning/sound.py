"""Whether a plan that was read from a file can be one: of the right types, with numbers that make sense together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from isocenter.nets.plan import Normalisation, Plan

_MOST = 2**16  # voxels along an axis, and channels
_DIRECTIONS = ("IS", "PA", "LR")


def faults(plan: Plan) -> Iterator[str]:
    """What is wrong with a plan, each as a sentence; nothing of a sound one."""
    from isocenter.nets.plan import Task

    checks = {
        "task": plan.task in get_args(Task) if isinstance(plan.task, str) else False,
        "channels": _are_names(plan.channels) and len(plan.channels) > 0,
        "labels": _are_names(plan.labels) and len(set(plan.labels)) == len(plan.labels),
        "network": isinstance(plan.network.name, str) and isinstance(plan.network.options, Mapping),
        "patch": _are_counts(plan.patch),
        "shape": plan.shape is None or _are_counts(plan.shape),
        "spacing_mm": plan.spacing_mm is None or _are_lengths(plan.spacing_mm),
        "orientation": _is_orientation(plan.orientation),
        "normalisation": isinstance(plan.normalisation, tuple) and all(map(_is_sound, plan.normalisation)),
        "batch": _is_count(plan.batch),
        "neighbours": _is_count(plan.neighbours, least=0),
        "outputs": _is_count(plan.outputs, least=0),
        "mirror_axes": isinstance(plan.mirror_axes, tuple) and all(_is_count(n, 0, 2) for n in plan.mirror_axes),
        "largest_only": _are_names(plan.largest_only) and isinstance(plan.labels, tuple),
        "why": isinstance(plan.why, Mapping),
    }
    wrong = [name for name, is_right in checks.items() if not is_right]
    yield from (f"Its {name} cannot be {getattr(plan, name)!r}." for name in wrong)
    if wrong:
        return
    if len(plan.channels) != len(plan.normalisation):
        yield f"The plan has {len(plan.channels)} channels and {len(plan.normalisation)} normalisations."
    strange = sorted(set(plan.largest_only) - set(plan.labels))
    if strange and plan.task == "segmentation":
        yield f"It keeps the largest piece of {', '.join(strange)}, which is none of its labels."


def _are_names(values: Any) -> bool:
    return isinstance(values, tuple) and all(isinstance(one, str) for one in values)


def _is_count(value: Any, least: int = 1, most: int = _MOST) -> bool:
    return type(value) is int and least <= value <= most


def _are_counts(values: Any) -> bool:
    return isinstance(values, tuple) and len(values) == 3 and all(map(_is_count, values))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _are_lengths(values: Any) -> bool:
    return isinstance(values, tuple) and len(values) == 3 and all(_is_number(one) and one > 0 for one in values)


def _is_orientation(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 3 and all(set(value) & set(pair) for pair in _DIRECTIONS)


def _is_sound(how: Normalisation) -> bool:
    from isocenter.nets.plan import Scale

    numbers = (how.low, how.high, how.mean, how.deviation)
    return isinstance(how.scale, str) and how.scale in get_args(Scale) and all(map(_is_number, numbers))
