"""Networks by name: ``"module:function"`` in a table, built with torch when asked for.

A builder takes the plan and gives a ``torch.nn.Module`` from (batch, channel, *space) to (batch, output, *space), or to
(batch, output) for categories. Weights live in models, not here.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from isocenter.errors import UsageError
from isocenter.extras import needed
from isocenter.nets.plan import Plan

NETWORKS: Mapping[str, str] = MappingProxyType(
    {
        "residual_unet": "isocenter.nets.networks.residual_unet:residual_unet",
        "unet": "isocenter.nets.networks.of_monai:unet",
        "dynunet": "isocenter.nets.networks.of_monai:dynunet",
        "segresnet": "isocenter.nets.networks.of_monai:segresnet",
        "swin_unetr": "isocenter.nets.networks.of_monai:swin_unetr",
        "resnet": "isocenter.nets.networks.classifiers:resnet",
        "densenet121": "isocenter.nets.networks.classifiers:densenet121",
        "denoiser": "isocenter.nets.networks.restoring:denoiser",
        "super_resolution": "isocenter.nets.networks.restoring:super_resolution",
        "registration": "isocenter.nets.networks.registration:registration",
        "heatmap": "isocenter.nets.networks.heatmap:heatmap",
        "pretraining": "isocenter.nets.networks.pretraining:pretraining",
        "nnunet": "isocenter.nets.importing.nnunet_network:nnunet",
        "monai": "isocenter.nets.importing.monai_network:monai_network",
    }
)
"""Where the builder of each network is."""


def build(plan: Plan) -> Any:
    """The network of a plan, with fresh weights (from torch's global generator).

    Raises
    ------
    UsageError
        If there is no network of that name, or it does not take these options.
    MissingExtra
        If torch is not installed.
    """
    needed("torch", "nets")
    try:
        module, _, function = NETWORKS[plan.network.name].partition(":")
    except KeyError:
        known = ", ".join(NETWORKS)
        raise UsageError(f"There is no network {plan.network.name!r}; there are: {known}.") from None
    builder = getattr(importlib.import_module(module), function)
    try:
        return builder(plan)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The network {plan.network.name} does not take these options: {error}") from error
