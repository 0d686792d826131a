"""A network that is still learning, run as a model is that is served: validation proves the way that is used."""

from __future__ import annotations

from typing import Any

from isocenter.nets.plan import Plan
from isocenter.nets.runtimes import Runtime
from isocenter.nets.runtimes.members import joined
from isocenter.nets.runtimes.torch_runtime import opened


def running(network: Any, plan: Plan) -> Runtime:
    """The network where it lies, in evaluation mode, as :func:`isocenter.nets.runtimes.open_runtime` gives a model."""
    device = next(network.parameters()).device.type
    return opened(joined([network], plan), device, "float32")
