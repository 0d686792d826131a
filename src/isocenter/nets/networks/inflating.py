"""Weights of a network of pictures as the start of one of volumes (I3D: Carreira 2017), and of one for other channels.

A kernel of two dimensions is repeated along the slices and divided by their number: on a volume that is the same in all
slices the network then gives, away from its ends, what the network of pictures gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from isocenter.errors import UsageError


class Inflated(NamedTuple):
    """Weights for a network.

    Parameters
    ----------
    state
        A whole state of the network: what fits was taken over, the rest is as the network has it.
    taken, left
        Names of the tensors that were taken over, and of those that were not: other sizes, or not there.
    """

    state: dict[str, Tensor]
    taken: tuple[str, ...]
    left: tuple[str, ...]


def inflated(weights: Mapping[str, Any], network: nn.Module) -> Inflated:
    """Fit weights to a network that is like theirs but for its dimensions, its input channels or its last layer.

    Parameters
    ----------
    weights
        Tensors by name; common prefixes (``module.``, ``body.``) may be there or not.
    network
        The network that is to begin with them; it is not changed.

    Raises
    ------
    UsageError
        If not half of the network's weights find one that fits, so that these are of another network.
    """
    given = {_bare(name): value for name, value in weights.items()}
    state = {name: value.detach().clone() for name, value in network.state_dict().items()}
    taken, left = [], []
    for name, wanted in state.items():
        found = given.get(_bare(name))
        fitting = None if found is None else _fitted(found, wanted)
        if fitting is None:
            left.append(name)
        else:
            state[name] = fitting.to(wanted)
            taken.append(name)
    if 2 * len(taken) < len(state):
        raise UsageError(
            f"Of {len(state)} tensors of the network these weights have {len(taken)}: they are of another."
        )
    return Inflated(state, tuple(taken), tuple(left))


def _bare(name: str) -> str:
    for prefix in ("module.", "body."):
        name = name.removeprefix(prefix)
    return name


def _fitted(found: Tensor, wanted: Tensor) -> Tensor | None:
    """A tensor in the shape that is wanted; None if it has another meaning.

    Of a kernel for three colours where one channel is wanted the sum is taken: the same picture in grey gives the same.
    """
    if wanted.ndim == found.ndim + 1 and wanted.ndim == 5:  # (out, in, row, column) along the slices
        deep = wanted.shape[2]
        found = found[:, :, None].expand(-1, -1, deep, -1, -1) / deep
    if found.shape == wanted.shape:
        return found
    of_kernel = found.ndim == wanted.ndim >= 4 and found.shape[2:] == wanted.shape[2:]
    if of_kernel and found.shape[0] == wanted.shape[0] and found.shape[1] == 3:
        count = wanted.shape[1]
        return (found.sum(1, keepdim=True) / count).expand(-1, count, *found.shape[2:])
    return None
