"""A network that learns from images alone: any of the others, with a second output by which images are told apart.

What it is to draw is the image where it was covered; what it is to tell are two views of one place from those of
others. After learning, ``body`` is a start for the same network with labels (:mod:`isocenter.train.transfer`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocenter.errors import UsageError
from isocenter.nets.plan import Network, Plan

_EMBEDDED = 64
_SMALL = 64  # voxels along an axis that are enough to see how many features there are


def pretraining(plan: Plan) -> Pretraining:
    """The network of a plan for learning without labels.

    Options: ``of``, the name of the network that it is to be a start for, and that network's own.
    """
    from isocenter.nets.networks import build

    options = dict(plan.network.options)
    name = options.pop("of", None)
    if name is None:
        raise UsageError("The network for pretraining takes an option 'of': the network that it is to be a start for.")
    if plan.output_channels != plan.inputs:
        raise UsageError(f"Pretraining draws the {plan.inputs} channels that it is given, not {plan.output_channels}.")
    network: Any = build(replace(plan, network=Network(name, options)))
    return Pretraining(network, plan)


class Pretraining(nn.Module):
    """See the module.

    Attributes
    ----------
    body
        The network that is pretrained, with an output for each channel of the image.
    """

    def __init__(self, body: Any, plan: Plan) -> None:
        super().__init__()
        self.body = body
        self.multiple = getattr(body, "multiple", (1,) * plan.dimensions)
        sample = torch.zeros(1, plan.inputs, *(min(n, _SMALL) for n in plan.patch[3 - plan.dimensions :]))
        with torch.no_grad():
            width = self._deepest(sample)[1].shape[1]
        self.projection = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, _EMBEDDED))

    def forward(self, x: Tensor) -> Tensor:
        """The drawn image, as large as the input."""
        drawn: Tensor = self.body(x)
        return drawn

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The drawn image, and a vector of length 1 for each image of the batch."""
        drawn, deep = self._deepest(x)
        return drawn, functional.normalize(self.projection(deep.mean(dim=tuple(range(2, deep.ndim)))).float(), dim=1)

    def _deepest(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The output, and the features that lie deepest: the last of the smallest that any convolution gives.

        They are those before a normalisation, which would take their mean away.
        """
        seen: list[Tensor] = []

        def note(_module: nn.Module, _given: Any, out: Tensor) -> None:
            if not seen or out[0, 0].numel() <= seen[0][0, 0].numel():
                seen[:] = [out]

        layers = [one for one in self.body.modules() if isinstance(one, nn.Conv2d | nn.Conv3d)]
        hooks = [one.register_forward_hook(note) for one in layers]
        try:
            drawn = self.body(x)
        finally:
            for hook in hooks:
                hook.remove()
        return drawn, seen[0]
