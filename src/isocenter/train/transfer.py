"""Starting from weights that exist, matched by name and shape, with a word on what was not; holding and slowing them.

Where they may come from: a model of ours, a MONAI bundle or another folder with one file of weights, a file of
safetensors or of torch (read without running code), or tensors by name. Weights of a pretrained network are found under
its ``body``. Those of two dimensions are inflated to three where names and the rest of the shape agree.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isocenter.errors import InputError, Refused, UsageError
from isocenter.nets.models.model import load_model, weights_of
from isocenter.reasons import Reason, counted
from isocenter.train.settings import Settings

_WRAPPERS = ("module.", "network.", "model.", "net.", "_orig_mod.", "body.")
_NESTED = ("state_dict", "network_weights", "model_state_dict", "model", "network", "net")
_ENDINGS = (".safetensors", ".pt", ".pth", ".ckpt")
_FEW = 8


@dataclass(frozen=True)
class Taken:
    """What a network began with.

    Parameters
    ----------
    taken
        Names of its tensors that were found.
    inflated
        Those of them that had two dimensions.
    left
        Names of its tensors that keep their fresh values, and why.
    unused
        Names of tensors that were offered and fit nowhere.
    """

    taken: tuple[str, ...]
    inflated: tuple[str, ...] = ()
    left: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The same in sentences."""
        every = len(self.taken) + len(self.left)
        text = f"Learning began with {len(self.taken)} of {counted(every, 'tensor', 'tensors')} of the network."
        said = [Reason("WEIGHTS_TAKEN", text)]
        if self.left or self.unused:
            fresh = [f"{name} ({why})" for name, why in self.left.items()]
            text = f"Fresh: {_some(fresh)}. Offered and not used: {_some(self.unused)}."
            said.append(Reason("WEIGHTS_LEFT", text))
        return tuple(said)


def begun(network: nn.Module, settings: Settings) -> tuple[Reason, ...]:
    """Do what settings say of how a network begins to learn; what is to be said of it."""
    reasons = start_from(network, settings.start).reasons if settings.start else ()
    if settings.hold:
        hold(network, settings.hold)
    if settings.layer_decay < 1:
        slow(network, settings.layer_decay)
    return reasons


def start_from(network: nn.Module, source: str | Path | Mapping[str, Any]) -> Taken:
    """Give a network the weights that fit it.

    Parameters
    ----------
    network
        What is to learn; its tensors are overwritten.
    source
        Where the weights are.

    Returns
    -------
    What was taken and what was not.

    Raises
    ------
    UsageError
        If there are no weights there.
    InputError
        If they cannot be read.
    Refused
        With ``WEIGHTS_STRANGE`` if less than a tenth of the network's numbers are found, so that it would hardly differ
        from a fresh one.
    """
    offered = _without_wrappers(source if isinstance(source, Mapping) else state_of(Path(source)))
    own = _without_wrappers(network.state_dict())
    names = dict(zip(own, network.state_dict(), strict=True))
    taken: dict[str, Tensor] = {}
    inflated: list[str] = []
    left: dict[str, str] = {}
    for key, tensor in own.items():
        found = offered.get(key)
        if found is None:
            left[names[key]] = "no tensor of that name"
        elif found.shape == tensor.shape:
            taken[names[key]] = found
        elif (fitting := inflated_to(found, tensor.shape)) is not None:
            taken[names[key]] = fitting
            inflated.append(names[key])
        else:
            left[names[key]] = f"{_shape(found)} where it has {_shape(tensor)}"
    used = {key for key in own if names[key] in taken}
    size = sum(tensor.numel() for tensor in own.values())
    if sum(tensor.numel() for tensor in taken.values()) < 0.1 * size:
        text = f"Of {len(own)} tensors of the network {len(taken)} were found: these are weights of another network."
        raise Refused([Reason("WEIGHTS_STRANGE", text)])
    network.load_state_dict(taken, strict=False)
    return Taken(tuple(taken), tuple(inflated), left, tuple(key for key in offered if key not in used))


def state_of(path: Path) -> dict[str, Any]:
    """The tensors by name of a model (the first member of an ensemble), a bundle, or a file of weights.

    Raises
    ------
    UsageError
        If there are none, or several to choose from.
    InputError
        If they cannot be read, or would run code.
    """
    if (path / "model.json").is_file():
        return weights_of(load_model(path))[0]
    if path.is_dir():
        found = sorted(one for one in path.rglob("*") if one.suffix in _ENDINGS and one.stem != "model_ts")
        best = [one for one in found if one.stem in ("model", "best_metric_model", "model_best")] or found
        if len(best) != 1:
            names = ", ".join(str(one.relative_to(path)) for one in best) or "none"
            raise UsageError(f"{path} holds several weights, or none ({names}): name one file.")
        path = best[0]
    if not path.is_file():
        raise UsageError(f"There are no weights at {path}.")
    return _read(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        values = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path.name} holds more than tensors, which could run code: save its state_dict alone."
        ) from error
    except Exception as error:  # zip, pickle and safetensors each have errors of their own
        raise InputError(f"{path.name} holds no weights that can be read: {error}.") from error
    while isinstance(values, Mapping) and not any(isinstance(one, Tensor) for one in values.values()):
        inner = next((values[name] for name in _NESTED if name in values), None)
        if inner is None:
            break
        values = inner
    found = (
        {str(name): one for name, one in values.items() if isinstance(one, Tensor)}
        if isinstance(values, Mapping)
        else {}
    )
    if not found:
        raise InputError(f"{path.name} holds no tensors by name.")
    return found


def inflated_to(tensor: Tensor, shape: Sequence[int]) -> Tensor | None:
    """A convolution of two dimensions as one of three, along the first axis of space; None where it is none.

    It is repeated and divided, so that an image which is the same in all slices gives the same features (I3D, Carreira
    2017).
    """
    if tensor.ndim != 4 or len(shape) != 5 or tuple(tensor.shape) != (*shape[:2], *shape[3:]):
        return None
    return tensor[:, :, None].repeat(1, 1, shape[2], 1, 1) / shape[2]


def hold(network: nn.Module, names: Sequence[str]) -> tuple[str, ...]:
    """Keep the parameters whose names begin with one of these from learning; their names.

    Raises
    ------
    UsageError
        If a name is the beginning of none, or nothing is left to learn.
    """
    held: list[str] = []
    for name in names:
        some = [key for key, _ in network.named_parameters() if key == name or key.startswith(f"{name.rstrip('.')}.")]
        if not some:
            raise UsageError(f"No parameter is called {name}; there are {_some(stages_of(network))}.")
        held += some
    for key, parameter in network.named_parameters():
        parameter.requires_grad_(requires_grad=key not in held)
    if not any(one.requires_grad for one in network.parameters()):
        raise UsageError("Nothing is left to learn: all parameters are held.")
    return tuple(dict.fromkeys(held))


def slow(network: nn.Module, decay: float) -> Mapping[str, float]:
    """Let each stage of a network learn slower than the next: by ``decay`` for every stage on the way from the output.

    As discriminative learning rates (Howard 2018). The share of the rate stands at each parameter as ``rate_share``,
    where the loop finds it.

    Returns
    -------
    The share of each stage.
    """
    if not 0 < decay <= 1:
        raise UsageError(f"The decay of the learning rate is above 0 and at most 1, not {decay}.")
    stages = stages_of(network)
    shares = {name: decay ** (len(stages) - 1 - n) for n, name in enumerate(stages)}
    for key, parameter in network.named_parameters():
        parameter.rate_share = shares[_stage(key)]
    return shares


def stages_of(network: nn.Module) -> tuple[str, ...]:
    """The parts of a network in their order: its children, and the members of lists among them."""
    return tuple(dict.fromkeys(_stage(key) for key, _ in network.named_parameters()))


def _stage(name: str) -> str:
    first, *rest = name.split(".")
    return f"{first}.{rest[0]}" if rest and rest[0].isdigit() else first


def _without_wrappers(state: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors by their names without what wraps all of a network, or its larger part."""
    names = {name: name for name in state}
    for _ in _WRAPPERS:
        for wrapper in _WRAPPERS:
            inside = [key for key, name in names.items() if name.startswith(wrapper)]
            if 2 * len(inside) > len(names):
                names.update({key: names[key].removeprefix(wrapper) for key in inside})
    if len(set(names.values())) < len(names):
        return dict(state)
    return {name: state[key] for key, name in names.items()}


def _shape(tensor: Tensor) -> str:
    return "x".join(str(n) for n in tensor.shape)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return (", ".join(names[:_FEW]) or "none") + more
