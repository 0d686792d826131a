"""Registration without truth: one image is to be bent onto another of the same kind, smoothly (Balakrishnan 2019).

Each case is an image; two of them are a pair, the first fixed and the second moving, each seen whole around its middle.
They are as far apart as the plan's grid leaves them: what is rigid is better undone before (``iso.register``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from isocenter.errors import InputError, UsageError
from isocenter.nets.networks.registration import warped
from isocenter.nets.plan import Plan
from isocenter.train.cache import CachedCase
from isocenter.train.patches import Patch, Place, Sampling, cut
from isocenter.train.tasks import Batch, Made, Material
from isocenter.train.tasks.cases import cases_of, made_of
from isocenter.train.tasks.segmentation import dice_of, mean_of
from isocenter.train.tasks.tensors import as_images

_REACH = 4  # voxels around one that local correlation looks at
_TINY = 1e-5
_SMOOTHNESS = 1.0


@dataclass(frozen=True, eq=False)
class Registering:
    """The task of telling where one image lies in another.

    Parameters
    ----------
    cases
        Images to learn from; any two are a pair.
    held_out
        Images to validate on: each and the next one.
    plan
        Its first half of channels is the fixed image, its second the moving one.
    smoothness
        Weight of how much displacements differ from voxel to voxel, beside local correlation.
    """

    cases: Sequence[CachedCase] = field(repr=False)
    held_out: Sequence[CachedCase] = field(repr=False)
    plan: Plan
    smoothness: float = _SMOOTHNESS

    def sample(self, rng: np.random.Generator) -> Batch:
        """Pairs of different cases."""
        chosen = [rng.choice(len(self.cases), 2, replace=False) for _ in range(self.plan.batch)]
        return self._batch([(self.cases[a], self.cases[b]) for a, b in chosen])

    def loss(self, network: Any, batch: Batch) -> Any:
        """1 - local correlation of the fixed image and the moved one, and the mean square of differences."""
        displacement = network(batch.images).float()
        fixed, moving = batch.images.float().chunk(2, dim=1)
        with torch.autocast(fixed.device.type, enabled=False):
            alike = local_correlation(fixed, warped(moving, displacement))
            return 1 - alike + self.smoothness * roughness(displacement)

    def validate(self, network: Any) -> Mapping[str, float]:
        """Over the held-out pairs: mean Dice of the moved labels (else local correlation), and the share of folds.

        The Dice before any registration stands beside it.
        """
        if len(self.held_out) < 2:
            return {}
        device = next(network.parameters()).device.type
        labelled = all(one.is_labelled for one in self.held_out)
        rows = []
        for fixed, moving in pairwise(self.held_out):
            batch = self._batch([(fixed, moving)]).to(device)
            displacement = network(batch.images).float()
            one, other = batch.images.chunk(2, dim=1)
            alike = float(local_correlation(one, warped(other, displacement)))
            folds = float((jacobian(displacement) <= 0).float().mean())
            rows.append((alike, folds, *(self._dice(fixed, moving, displacement) if labelled else ())))
        alike, folds, *dice = (mean_of(column) for column in zip(*rows, strict=True))
        said = {"dice_before": dice[1]} if labelled else {}
        return {"score": dice[0] if labelled else alike, "correlation": alike, "folds": folds, **said}

    def _batch(self, pairs: Sequence[tuple[CachedCase, CachedCase]]) -> Batch:
        whole = [np.concatenate([self._whole(one).image for one in pair]) for pair in pairs]
        return Batch(
            as_images(
                [Patch(one, None, Place(pair[0], (0, 0, 0))) for one, pair in zip(whole, pairs, strict=True)], self.plan
            )
        )

    def _whole(self, case: CachedCase) -> Patch:
        k, r, c = ((n - size) // 2 for n, size in zip(case.space, self.plan.patch, strict=True))
        return cut(Place(case, (k, r, c)), Sampling(self.plan.patch))

    def _dice(self, fixed: CachedCase, moving: CachedCase, displacement: Any) -> tuple[float, float]:
        """Mean Dice of the moved labels and the fixed ones, and that of the labels before."""
        true, given = (np.asarray(self._whole(one).labels) for one in (fixed, moving))
        space = displacement.shape[2:]
        moved = moved_labels(given.reshape(space), displacement[0].cpu().numpy()).reshape(given.shape)
        count = max(*fixed.places, *moving.places, 1)
        return mean_of(dice_of(moved, true, count)), mean_of(dice_of(given, true, count))


def registration(material: Material) -> Made:
    """The task of a data set of single images; the plan has the channels of two.

    Raises
    ------
    UsageError
        If the plan has not.
    InputError
        If there are not two cases.
    """
    plan = material.plan
    half = len(plan.channels) // 2
    if len(plan.channels) != 2 * half or len(plan.normalisation) != 2 * half or half != len(material.learning.channels):
        raise UsageError(
            f"A plan for registration has the channels of a fixed and a moving image; this one has {plan.channels} for"
            f" images of {material.learning.channels}."
        )
    one = replace(plan, channels=plan.channels[:half], normalisation=plan.normalisation[:half])
    learning, held_out = cases_of(replace(material, plan=one))
    if len(learning.cases) < 2:
        raise InputError("Registration is learned from pairs: two cases or more.")
    return made_of(Registering(learning.cases, held_out.cases, plan), learning, held_out)


def local_correlation(fixed: Any, moved: Any) -> Any:
    """Mean squared correlation of two images (batch, channel, *space) in windows of 9 voxels along each axis."""
    axes = fixed.ndim - 2
    pool = functional.avg_pool3d if axes == 3 else functional.avg_pool2d
    size = [min(2 * _REACH + 1, n - 1 + n % 2) for n in fixed.shape[2:]]

    def mean(image: Any) -> Any:
        return pool(image, size, stride=1, padding=[n // 2 for n in size], count_include_pad=False)

    one, other = mean(fixed), mean(moved)
    covariance = mean(fixed * moved) - one * other
    spread = (mean(fixed * fixed) - one * one).clamp(min=0) * (mean(moved * moved) - other * other).clamp(min=0)
    return (covariance * covariance / (spread + _TINY)).mean()


def roughness(displacement: Any) -> Any:
    """Mean square of the differences between neighbouring voxels of a displacement (batch, axis, *space)."""
    parts = [
        displacement.diff(dim=axis).square().mean()
        for axis in range(2, displacement.ndim)
        if displacement.shape[axis] > 1
    ]
    return sum(parts) / len(parts)


def jacobian(displacement: Any) -> Any:
    """Determinant of the map ``x + displacement(x)`` in each cell of voxels: (batch, *space less 1)."""
    axes = displacement.ndim - 2
    inner = tuple(slice(0, n - 1) for n in displacement.shape[2:])
    columns = [displacement.diff(dim=2 + axis)[(..., *_shortened(inner, axis))] for axis in range(axes)]
    matrix = torch.stack(columns, dim=-1).movedim(1, -2)
    return torch.linalg.det(matrix + torch.eye(axes, device=matrix.device))


def _shortened(inner: Sequence[slice], axis: int) -> list[slice]:
    """The slices of all cells for an array that is already shorter along one axis."""
    return [slice(None) if n == axis else one for n, one in enumerate(inner)]


def moved_labels(labels: Any, displacement: Any) -> Any:
    """Labels (*space) of the moving image as the fixed one shows them: the nearest, its border going on outside."""
    places = np.indices(labels.shape) + displacement
    index = [np.clip(np.rint(one), 0, n - 1).astype(np.intp) for one, n in zip(places, labels.shape, strict=True)]
    return labels[tuple(index)]
