"""Options of a network: a word that none of them is, is told, never passed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isocenter.errors import UsageError
from isocenter.nets.plan import Plan


def expect_options(plan: Plan, known: Sequence[str]) -> Mapping[str, Any]:
    """The options of a plan's network, all of them known.

    Raises
    ------
    UsageError
        If one is not.
    """
    options = plan.network.options
    unknown = sorted(set(options) - set(known))
    if unknown:
        takes = ", ".join(known) or "none"
        raise UsageError(f"The network {plan.network.name} has no option {', '.join(unknown)}; it takes {takes}.")
    return options
