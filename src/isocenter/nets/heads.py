"""The last layer of a network, and which of its outputs is the largest, for arrays and for tensors on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from isocenter.kernels import kernel
from isocenter.nets.runtimes import Head
from isocenter.volume import Array

_MOST_IN_A_BYTE = 256


def outputs_of(features: Any, head: Head) -> Any:
    """Outputs (window, output, ...) of features (window, feature, ...)."""
    count, channels = features.shape[:2]
    flat = features.reshape(count, channels, -1)
    weight, bias = _like(features, head)
    outputs = weight @ flat
    outputs += bias[:, None]
    return outputs.reshape(count, -1, *features.shape[2:])


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
    """Weight and bias as what the values are."""
    if isinstance(values, np.ndarray):
        return head.weight, head.bias
    import torch

    return tuple(torch.from_numpy(np.asarray(one)).to(values) for one in (head.weight, head.bias))


@kernel
def _largest(scores: Array, labels: Array) -> None:
    best = np.full(scores.shape[1], -np.inf, scores.dtype)
    for label in range(scores.shape[0]):
        line = scores[label]
        for x in range(line.size):
            is_better = line[x] > best[x]
            best[x] = line[x] if is_better else best[x]
            labels[x] = label if is_better else labels[x]
