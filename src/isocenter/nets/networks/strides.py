"""How coarse a detector's outputs are: plain numbers, without torch."""

from __future__ import annotations

from isocenter.errors import UsageError
from isocenter.nets.plan import Plan


def stride_of(plan: Plan) -> tuple[int, ...]:
    """How many times as coarse as the input a detector's outputs are, along each of its axes.

    Raises
    ------
    UsageError
        If the option is neither a whole number nor one for each axis.
    """
    given = plan.network.options.get("stride", 2)
    stride = (given,) * plan.dimensions if isinstance(given, int) else tuple(given)
    if len(stride) != plan.dimensions or any(not isinstance(one, int) or one < 1 for one in stride):
        raise UsageError(f"The stride is a whole number, or one for each of the {plan.dimensions} axes; not {given!r}.")
    return stride
