"""The last layer of a network, whether its outputs are numbers, and which is the largest; for arrays and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.errors import InputError
from isocenter.kernels import compiled, kernel, over_slices
from isocenter.nets.runtimes import Head
from isocenter.volume import Array

_MOST_IN_A_BYTE = 256
_TILE = 512  # voxels that stay in the nearest cache


def outputs_of(features: Any, head: Head) -> Any:
    """Outputs (window, output, ...) of features (window, feature, ...)."""
    count, channels = features.shape[:2]
    flat = features.reshape(count, channels, -1)
    if isinstance(flat, np.ndarray):
        outputs: Any = np.empty((count, head.bias.size, flat.shape[2]), np.float32)
        for one, out in zip(flat, outputs, strict=True):
            _linear(one, head, out)
    else:
        weight, bias = _like(features, head)
        outputs = weight @ flat + bias[:, None]
    return outputs.reshape(count, -1, *features.shape[2:])


def _linear(features: Array, head: Head, out: Array) -> None:
    """Into ``out`` (output, voxel): no library's threads, which cost more than they save on so few voxels."""
    weight, bias = (np.ascontiguousarray(one, np.float32) for one in (head.weight, head.bias))
    tiles = -(-features.shape[1] // _TILE)
    over_slices(lambda first, last: _apply(features, weight, bias, (first, last), out), (tiles, _TILE))


def numbers(outputs: Any) -> Any:
    """Outputs or features as they are, once none is NaN or infinite above: their largest would mean nothing.

    Raises
    ------
    InputError
        If one is.
    """
    if isinstance(outputs, np.ndarray):
        with np.errstate(over="ignore", invalid="ignore"):
            is_fine = bool(np.isfinite(outputs.sum())) or not (np.isnan(outputs).any() or np.isposinf(outputs).any())
    else:
        is_fine = bool(outputs.sum().isfinite()) or not (outputs.isnan().any() or outputs.isposinf().any())
    if not is_fine:
        text = "The network gives values that are no numbers: its weights are damaged, or the image's values too large."
        raise InputError(f"{text} Check the model by `isocenter model check`, and the image.")
    return outputs


def label_type(outputs: int) -> type[np.unsignedinteger[Any]]:
    """The smallest type that holds a label for each output."""
    return np.uint8 if outputs <= _MOST_IN_A_BYTE else np.uint16


def largest(scores: Any) -> Array:
    """Which of the scores (output, voxel) is the largest, the first of equal ones, for each voxel.

    A score that is no number is never the largest; where all are none it is 0.
    """
    if not isinstance(scores, np.ndarray):
        return scores.argmax(0).cpu().numpy().astype(label_type(scores.shape[0]))  # type: ignore[no-any-return]
    labels = np.zeros(scores.shape[1], label_type(scores.shape[0]))
    _largest(np.ascontiguousarray(scores, np.float32), labels)
    return labels


def _like(values: Any, head: Head) -> tuple[Any, Any]:
    """Weight and bias as tensors like the values."""
    import torch

    return tuple(torch.from_numpy(np.asarray(one)).to(values) for one in (head.weight, head.bias))


@compiled(fastmath={"contract"})
def _apply(features: Array, weight: Array, bias: Array, tiles: tuple[int, int], out: Array) -> None:
    for tile in range(tiles[0], tiles[1]):
        begin, end = tile * _TILE, min((tile + 1) * _TILE, features.shape[1])
        for one in range(weight.shape[0]):
            line = out[one, begin:end]
            line[:] = bias[one]
            for feature in range(weight.shape[1]):
                factor, values = weight[one, feature], features[feature, begin:end]
                for x in range(line.size):
                    line[x] += factor * values[x]


@kernel
def _largest(scores: Array, labels: Array) -> None:
    best = np.full(scores.shape[1], -np.inf, scores.dtype)
    for label in range(scores.shape[0]):
        line = scores[label]
        for x in range(line.size):
            is_better = line[x] > best[x]
            best[x] = line[x] if is_better else best[x]
            labels[x] = label if is_better else labels[x]
