"""A network of MONAI by the name of its class, for models that were imported from bundles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter.errors import UsageError
from isocenter.extras import needed
from isocenter.nets.plan import Plan


def monai_network(plan: Plan) -> Any:
    """The network of a plan that was imported from a MONAI bundle.

    Options
    -------
    kind
        A class of ``monai.networks.nets``.
    arguments
        Its arguments, in plain values.
    """
    options = plan.network.options
    kind = class_of(str(options.get("kind", "")))
    if kind is None:
        raise UsageError(f"MONAI has no network {options.get('kind')!r} in monai.networks.nets.")
    try:
        return kind(**options.get("arguments", {}))
    except (TypeError, ValueError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"MONAI's {options['kind']} does not take these arguments: {error}") from error


def class_of(target: str) -> Any:
    """The class that a bundle names, if it is a network of MONAI's own; else None."""
    from torch import nn

    name = target.rpartition(".")[2]
    if "." in target and not target.startswith("monai.networks.nets."):
        return None
    found = getattr(needed("monai.networks.nets", "nets"), name, None)
    return found if isinstance(found, type) and issubclass(found, nn.Module) else None


def is_plain(value: Any) -> bool:
    """Whether a value of a configuration is text, numbers, lists and tables alone: nothing to be run or looked up."""
    if isinstance(value, Mapping):
        return "_target_" not in value and all(is_plain(one) for one in value.values())
    if isinstance(value, list | tuple):
        return all(is_plain(one) for one in value)
    return not (isinstance(value, str) and value.startswith(("$", "@", "%")))
