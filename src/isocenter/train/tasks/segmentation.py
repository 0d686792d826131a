"""Segmentation: patches of labelled cases, a loss by name, and the Dice of held-out cases on their own grids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isocenter.evaluate.overlap import counted_overlap
from isocenter.nets.plan import Plan
from isocenter.nets.predict import segmentation_of
from isocenter.train import losses
from isocenter.train.cache import CachedCase
from isocenter.train.patches import draw
from isocenter.train.serving import running
from isocenter.train.tasks import Batch, Made, Material
from isocenter.train.tasks.cases import cases_of, made_of
from isocenter.train.tasks.tensors import as_images, as_truth
from isocenter.train.varying import Varying
from isocenter.volume import Array


@dataclass(frozen=True, eq=False)
class Segmenting:
    """The task of telling structures apart.

    Parameters
    ----------
    cases
        Labelled cases to learn from.
    held_out
        Labelled cases to validate on.
    plan
        What the network takes and gives.
    criterion
        A loss of :mod:`isocenter.train.losses`.
    varying
        How patches are cut and augmented.
    """

    cases: Sequence[CachedCase] = field(repr=False)
    held_out: Sequence[CachedCase] = field(repr=False)
    plan: Plan
    criterion: Callable[[Any, Any], Any]
    varying: Varying

    def sample(self, rng: np.random.Generator) -> Batch:
        """As many patches as a batch has, augmented."""
        places = draw(self.cases, self.varying.sampling, rng, count=self.plan.batch)
        patches = [self.varying.patch(one, rng) for one in places]
        return Batch(as_images(patches, self.plan), as_truth(patches, self.plan))

    def loss(self, network: Any, batch: Batch) -> Any:
        """The criterion on the network's outputs."""
        return self.criterion(network(batch.images), batch.truth)

    def validate(self, network: Any) -> Mapping[str, float]:
        """Mean Dice over structures, and of each: means over the held-out cases on the grids of their sources.

        A structure that neither the truth nor the prediction has says nothing of a case; one that only one of them has
        counts 0.
        """
        if not self.held_out:
            return {}
        runtime = running(network, self.plan)
        count = len(self.plan.labels)
        found = (segmentation_of(case.prepared(), self.plan, runtime).array for case in self.held_out)
        table = [dice_of(labels, case.truth(), count) for case, labels in zip(self.held_out, found, strict=True)]
        each = {f"dice_{name}": mean_of([row[n] for row in table]) for n, name in enumerate(self.plan.labels)}
        return {"score": mean_of(list(each.values())), **each}


def segmentation(material: Material) -> Made:
    """The task of a data set: its cases are prepared, unless they are already.

    Raises
    ------
    Refused
        If no labelled case is left.
    """
    learning, held_out = cases_of(material)
    learning = learning.labelled()
    held_out = held_out.labelled() if held_out.cases else held_out
    criterion = losses.build(material.settings.loss)
    varying = Varying.of(material.plan, material.settings.augmentation)
    task = Segmenting(learning.cases, held_out.cases, material.plan, criterion, varying)
    return made_of(task, learning, held_out)


def dice_of(found: Array, truth: Array, count: int) -> list[float]:
    """Dice of each of ``count`` structures between two label maps; NaN where neither has it."""
    one = np.ascontiguousarray(found).astype(truth.dtype, copy=False)
    mine, true, both = counted_overlap(one, truth, count).T
    total = mine + true
    return [2 * int(b) / int(t) if t else float("nan") for b, t in zip(both, total, strict=True)]


def mean_of(values: Sequence[float]) -> float:
    """Mean of those that are defined; NaN of none."""
    known = [one for one in values if one == one]  # noqa: PLR0124 - NaN alone differs from itself
    return sum(known) / len(known) if known else float("nan")
