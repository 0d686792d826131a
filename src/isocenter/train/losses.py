"""Losses of segmentation, by name: how wrong outputs are, as one differentiable number.

Dice, Tversky and the focal loss are made of the same two things, the probabilities summed over each class and those at
the true class, so that no one-hot truth is ever written: memory does not grow twice with the number of classes.

=============================  =====================================================================================
``dice_cross_entropy``         the default: soft Dice over the batch, and cross-entropy
``cross_entropy``              of each voxel (of each image, for categories)
``dice``                       Milletari 2016, over the batch
``focal``                      cross-entropy where the network is unsure (Lin 2017, gamma 2)
``dice_focal``                 the sum of the two
``tversky``                    Dice with misses (0.7) worse than false alarms (0.3) (Salehi 2017): small structures
``boundary``                   the default, and how far a border is from where it should be (Kervadec 2019)
=============================  =====================================================================================

Background takes part in cross-entropy alone. A class that the truth of a batch does not hold has no Dice: it is left
out of the mean, and cross-entropy speaks against its false alarms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from isocenter.errors import UsageError

Loss = Callable[[Tensor, Tensor], Tensor]
"""Outputs (batch, class, *space) before softmax and truth int64 (batch, *space), to a scalar."""

_TINY = 1e-5  # keeps Dice finite, as small as MONAI's and nnU-Net's
_BORDER = 0.01  # share of the distance beside Dice and cross-entropy, whose unit is 1 and not the voxel


def build(name: str = "default") -> Callable[[Tensor | Sequence[Tensor], Tensor], Tensor]:
    """A loss by name, which also takes the list of outputs of a network with deep supervision.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    try:
        loss = LOSSES["dice_cross_entropy" if name == "default" else name]
    except KeyError:
        raise UsageError(f"There is no loss {name!r}; there are: {', '.join(LOSSES)}.") from None

    def on_all(outputs: Tensor | Sequence[Tensor], truth: Tensor) -> Tensor:
        return loss(outputs, truth) if isinstance(outputs, Tensor) else supervised(outputs, truth, loss)

    return on_all


def supervised(outputs: Sequence[Tensor], truth: Tensor, loss: Loss) -> Tensor:
    """A loss over outputs from fine to coarse, each with half the weight of the one before; the weights sum to 1.

    The truth of a coarser output is the label at the middle of its voxel, as nearest as there is one.
    """
    weights = np.array([0.5**n for n in range(len(outputs))])
    total = outputs[0].new_zeros((), dtype=torch.float32)
    for share, one in zip(weights / weights.sum(), outputs, strict=True):
        total = total + float(share) * loss(one, _coarser(truth, one.shape[2:]))
    return total


def dice_cross_entropy(outputs: Tensor, truth: Tensor) -> Tensor:
    """1 - mean soft Dice of the classes over the whole batch, plus mean cross-entropy (Isensee 2021)."""
    logs = _logs(outputs, truth)
    return 1 - _tversky(logs, truth, 0.5, 0.5) - _at_truth(logs, truth).mean()


def cross_entropy(outputs: Tensor, truth: Tensor) -> Tensor:
    """Mean of -log p at the true class."""
    return -_at_truth(_logs(outputs, truth), truth).mean()


def dice(outputs: Tensor, truth: Tensor) -> Tensor:
    """1 - mean soft Dice of the classes over the whole batch."""
    return 1 - _tversky(_logs(outputs, truth), truth, 0.5, 0.5)


def focal(outputs: Tensor, truth: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Mean of -(1 - p)^gamma log p at the true class."""
    at_truth = _at_truth(_logs(outputs, truth), truth)
    return -((1 - at_truth.exp()) ** gamma * at_truth).mean()


def dice_focal(outputs: Tensor, truth: Tensor) -> Tensor:
    """The sum of both."""
    return dice(outputs, truth) + focal(outputs, truth)


def tversky(outputs: Tensor, truth: Tensor, *, false_alarms: float = 0.3, misses: float = 0.7) -> Tensor:
    """1 - mean of tp / (tp + false_alarms * fp + misses * fn) of the classes over the whole batch."""
    return 1 - _tversky(_logs(outputs, truth), truth, false_alarms, misses)


def boundary(outputs: Tensor, truth: Tensor) -> Tensor:
    """Dice and cross-entropy, and a hundredth of the mean of probability times distance to the true border.

    The distance is in voxels, below 0 inside. A class that a case does not hold, or fills, has no border there.
    """
    classes = int(outputs.shape[1])
    distances = torch.from_numpy(signed_distances(truth.cpu().numpy(), classes)).to(outputs.device)
    probabilities = outputs.float().softmax(1)[:, 1:]
    return dice_cross_entropy(outputs, truth) + _BORDER * (probabilities * distances).mean()


def signed_distances(truth: np.ndarray, classes: int) -> np.ndarray:
    """Distance of each voxel to the border of each class but background, in voxels: below 0 inside.

    Parameters
    ----------
    truth
        Labels (batch, *space).
    classes
        Their number, with background.

    Returns
    -------
    float32 (batch, class - 1, *space); 0 throughout where a case does not hold a class or is filled by it.
    """
    import edt

    found = np.zeros((len(truth), classes - 1, *truth.shape[1:]), np.float32)
    for n, case in enumerate(truth):
        for label in range(1, classes):
            mask = case == label
            if mask.any() and not mask.all():
                inside, outside = edt.edt(mask), edt.edt(~mask)
                found[n, label - 1] = np.where(mask, 0.5 - inside, outside - 0.5)
    return found


LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        "dice_cross_entropy": dice_cross_entropy,
        "cross_entropy": cross_entropy,
        "dice": dice,
        "focal": focal,
        "dice_focal": dice_focal,
        "tversky": tversky,
        "boundary": boundary,
    }
)
"""The losses, by name."""


def _logs(outputs: Tensor, truth: Tensor) -> Tensor:
    """Log probabilities in float32, once it is known that the truth is of these classes and of this size."""
    if truth.shape != (len(outputs), *outputs.shape[2:]) or truth.dtype != torch.int64:
        raise UsageError(
            f"The truth of outputs of {tuple(outputs.shape)} is int64 (batch, *space), "
            f"not {truth.dtype} of {tuple(truth.shape)}."
        )
    least, most = torch.stack(torch.aminmax(truth)).tolist()
    if least < 0 or most >= outputs.shape[1]:
        raise UsageError(f"The truth holds labels from {least} to {most}; the network tells {outputs.shape[1]} apart.")
    return functional.log_softmax(outputs.float(), 1)


def _at_truth(logs: Tensor, truth: Tensor) -> Tensor:
    """Log probability of the true class, (batch, *space)."""
    return logs.gather(1, truth[:, None])[:, 0]


def _tversky(logs: Tensor, truth: Tensor, false_alarms: float, misses: float) -> Tensor:
    """Mean index of the classes but background that the truth holds; 1 where it holds none."""
    classes = logs.shape[1]
    found = logs.exp()
    total = found.sum([0, *range(2, found.ndim)])
    right = total.new_zeros(classes).index_add(0, truth.flatten(), _at_truth(logs, truth).exp().flatten())
    real = torch.bincount(truth.flatten(), minlength=classes).to(total)
    index = (right + _TINY / 2) / (right + false_alarms * (total - right) + misses * (real - right) + _TINY / 2)
    held = (real > 0).to(total)[1:]
    return (index[1:] * held).sum() / held.sum().clamp(min=1) + (held.sum() == 0)


def _coarser(truth: Tensor, shape: Sequence[int]) -> Tensor:
    if tuple(truth.shape[1:]) == tuple(shape):
        return truth
    for axis, (now, then) in enumerate(zip(truth.shape[1:], shape, strict=True), start=1):
        middles = ((torch.arange(then, device=truth.device) + 0.5) * now / then).long()
        truth = truth.index_select(axis, middles)
    return truth
