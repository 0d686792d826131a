"""Learning from images without labels: what was covered is to be drawn, and views of one place are to be recognised.

Both as Swin UNETR's pretraining (Tang 2022): the reconstruction of a masked volume, and a contrast between places
(InfoNCE, van den Oord 2018; the views are two augmentations and two masks). Its rotations are not told apart here:
images are brought to one orientation before a network sees them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from isocenter.geometry import Triple
from isocenter.nets.plan import Network, Plan
from isocenter.train.cache import CachedCase
from isocenter.train.patches import draw
from isocenter.train.tasks import Batch, Made, Material
from isocenter.train.tasks.cases import cases_of, made_of
from isocenter.train.tasks.tensors import as_images, without_slices
from isocenter.train.varying import Varying
from isocenter.volume import Array

_BLOCK = 8
_PROVED = 16  # patches of a validation


@dataclass(frozen=True, eq=False)
class Pretraining:
    """The task of drawing what is covered.

    Parameters
    ----------
    cases
        To learn from; labels are not looked at.
    held_out
        To validate on.
    plan
        With the network ``pretraining``.
    varying
        How patches are cut and augmented.
    covered
        Share of a patch that is covered, in blocks of 8 voxels (fewer in a small patch).
    contrast
        Weight of the contrast beside the reconstruction.
    temperature
        Of the contrast.
    """

    cases: Sequence[CachedCase] = field(repr=False)
    held_out: Sequence[CachedCase] = field(repr=False)
    plan: Plan
    varying: Varying
    covered: float = 0.5
    contrast: float = 0.1
    temperature: float = 0.5

    def sample(self, rng: np.random.Generator) -> Batch:
        """Two views of each place of a batch: images covered by 0, whole images, and 1 where they are covered."""
        return self._views(self.cases, rng, self.plan.batch)

    def loss(self, network: Any, batch: Batch) -> Any:
        """Mean absolute error where it is covered, and how hard the other view of a place is to find in the batch."""
        drawn, vectors = network.both(batch.images)
        return covered_error(drawn, batch) + self.contrast * contrast(vectors, self.temperature)

    def validate(self, network: Any) -> Mapping[str, float]:
        """The error where it is covered, below 0 so that more is better; the same places each time."""
        if not self.held_out:
            return {}
        device = next(network.parameters()).device.type
        rng, errors = np.random.default_rng(0), []
        for _ in range(-(-_PROVED // self.plan.batch)):
            batch = self._views(self.held_out, rng, self.plan.batch).to(device)
            errors.append(float(covered_error(network(batch.images), batch)))
        return {"score": -sum(errors) / len(errors)}

    def _views(self, cases: Sequence[CachedCase], rng: np.random.Generator, count: int) -> Batch:
        places = draw(cases, self.varying.sampling, rng, count=count)
        views = [self.varying.patch(one, rng) for one in (*places, *places)]
        covers = torch.from_numpy(np.stack([cover(self.plan.patch, self.covered, rng) for _ in views])[:, None])
        images, covers = as_images(views, self.plan), without_slices(covers, self.plan)
        return Batch(images * (1 - covers), images, covers)


def pretraining(material: Material) -> Made:
    """The task of a data set, labelled or not.

    Raises
    ------
    Refused
        If no case is left.
    """
    learning, held_out = cases_of(material)
    varying = Varying.of(material.plan, material.settings.augmentation)
    task = Pretraining(learning.cases, held_out.cases, material.plan, varying)
    return made_of(task, learning, held_out)


def cover(shape: Triple, share: float, rng: np.random.Generator) -> Array:
    """1 in blocks that are covered, else 0: float32 (slice, row, column). One block at least is, and one is not."""
    sizes = [min(_BLOCK, max(1, n // 4)) for n in shape]
    counts = [-(-n // size) for n, size in zip(shape, sizes, strict=True)]
    blocks = np.zeros(int(np.prod(counts)), np.float32)
    blocks[: min(max(round(share * blocks.size), 1), blocks.size - 1)] = 1
    rng.shuffle(blocks)
    whole = blocks.reshape(counts)
    for axis, size in enumerate(sizes):
        whole = whole.repeat(size, axis)
    k, r, c = shape
    return np.ascontiguousarray(whole[:k, :r, :c])


def covered_error(drawn: Any, batch: Batch) -> Any:
    """Mean absolute error where the images are covered."""
    where = batch.weight.expand_as(batch.truth)
    return ((drawn.float() - batch.truth).abs() * where).sum() / where.sum()


def contrast(vectors: Any, temperature: float) -> Any:
    """InfoNCE of (2 n, feature): row i and row i + n are views of one place.

    Of each row, minus the log of the share that its other view has among all other rows, by the exponential of their
    cosine over the temperature.
    """
    alike = vectors @ vectors.T / temperature
    alike = alike.masked_fill(torch.eye(len(vectors), dtype=torch.bool, device=vectors.device), -torch.inf)
    others = torch.arange(len(vectors), device=vectors.device).roll(len(vectors) // 2)
    return functional.cross_entropy(alike, others)


def pretraining_plan(plan: Plan) -> Plan:
    """The plan by which the network of another plan learns without labels; the images are prepared alike."""
    network = Network("pretraining", {"of": plan.network.name, **plan.network.options})
    made = replace(plan, task="pretraining", labels=(), outputs=plan.inputs, network=network)
    return replace(made, largest_only=(), coarse=None)
