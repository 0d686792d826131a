"""What is run of a model: its network, or the members of an ensemble as one, with the head set apart where that saves.

How it is run lives in the runtimes beside.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from isocenter.errors import InputError, UsageError
from isocenter.nets.models.model import Model, files_of, weights_of
from isocenter.nets.models.store import expect_trusted
from isocenter.nets.networks import build
from isocenter.nets.plan import Plan
from isocenter.nets.runtimes import Head


@dataclass(frozen=True, eq=False)
class Members:
    """What a runtime runs.

    Parameters
    ----------
    plan
        Of the model.
    network
        From a batch to outputs, or to features where there is a head; None where the model is ONNX.
    head
        The last layer, if the network leaves it out.
    onnx
        The model where it is ONNX: what its file holds.
    """

    plan: Plan
    network: nn.Module | None
    head: Head | None = None
    onnx: bytes = b""

    def expect_network(self, runtime: str) -> nn.Module:
        """The network, for a runtime that needs torch's."""
        if self.network is None:
            raise UsageError(f"This model is ONNX, which {runtime} does not run: take the runtime onnx or openvino.")
        return self.network


def members_of(model: Model, member: int | None = None) -> Members:
    """What is run of a model, or of one member of it.

    Raises
    ------
    UsageError
        If there is no such member.
    InputError
        If the weights are damaged, or do not fit the network.
    """
    if member is not None and not 0 <= member < len(model.weights):
        raise UsageError(f"The model {model.name} has {len(model.weights)} members, from 0; not {member}.")
    if model.runtime == "onnx":
        files = list(files_of(model))
        if len(files) > 1 and member is None:
            raise UsageError(f"{model.name} is an ensemble of ONNX files, which run one member at a time.")
        return Members(model.plan, None, onnx=files[member or 0])
    networks = networks_of(model)
    chosen = networks if member is None else networks[member : member + 1]
    return joined(chosen, model.plan)


def networks_of(model: Model) -> list[nn.Module]:
    """The network of each member, with its weights, no longer learning.

    Raises
    ------
    UsageError
        If its weights are a program, and it is not trusted; or if torch does not run models of its kind.
    """
    expect_trusted(model)
    if model.runtime == "torchscript":
        return [scripted(data, model.name) for data in files_of(model)]
    if model.runtime != "safetensors":
        raise UsageError(f"A model of the kind {model.runtime!r} does not run on torch.")
    return [filled(build(model.plan), state, model.name) for state in weights_of(model)]


def whole(model: Model) -> nn.Module:
    """The network with its head; of an ensemble the mean of its members."""
    return _mean(networks_of(model))


def filled(network: nn.Module, state: dict[str, Any], name: str) -> nn.Module:
    """The network with these weights, no longer learning."""
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1:3]
        text = f"The weights of {name} do not fit its network: {' '.join(line.strip() for line in first)}"
        raise InputError(text) from error
    return network.eval().requires_grad_(requires_grad=False)


def scripted(data: bytes, name: str, extra: dict[str, Any] | None = None) -> nn.Module:
    """The module of a TorchScript file; what else the file holds under the names of ``extra`` is put there.

    Raises
    ------
    InputError
        If it is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            module: nn.Module = torch.jit.load(io.BytesIO(data), map_location="cpu", _extra_files=extra)
    except RuntimeError as error:
        raise InputError(f"{name} is damaged, or no TorchScript that this torch reads.") from error
    return module.eval()


def joined(networks: Sequence[nn.Module], plan: Plan) -> Members:
    """Networks as one, with the head set apart if there are fewer features than outputs."""
    heads = [_linear_head(network) for network in networks]
    features = sum(head.weight.shape[1] for head in heads if head is not None)
    if all(heads) and features < plan.output_channels:
        share = 1 / len(networks)
        weight = np.concatenate([head.weight * np.float32(share) for head in heads if head is not None], axis=1)
        bias = np.stack([head.bias for head in heads if head is not None]).mean(axis=0)
        return Members(plan, _Features(networks).eval(), Head(weight, bias))
    return Members(plan, _mean(networks))


def _mean(networks: Sequence[nn.Module]) -> nn.Module:
    return networks[0] if len(networks) == 1 else _Mean(networks).eval()


def _linear_head(network: nn.Module) -> Head | None:
    """The head of a network that sets it apart, as a matrix."""
    head = getattr(network, "head", None)
    if not hasattr(network, "features") or not isinstance(head, nn.Conv2d | nn.Conv3d):
        return None
    if any(size != 1 for size in (*head.kernel_size, head.groups)) or not callable(network.features):
        return None
    weight = head.weight.detach().reshape(head.out_channels, head.in_channels)
    bias = torch.zeros(head.out_channels) if head.bias is None else head.bias.detach()
    return Head(weight.float().numpy(), bias.float().numpy())


class _Features(nn.Module):
    """Features of networks side by side."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        found = [network.features(batch) for network in self.networks]
        return found[0] if len(found) == 1 else torch.cat(found, dim=1)


class _Mean(nn.Module):
    """Mean of the outputs of networks."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor = self.networks[0](batch)
        for network in list(self.networks)[1:]:
            total = total + network(batch)
        return total / len(self.networks)
