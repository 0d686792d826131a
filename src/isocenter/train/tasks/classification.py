"""Classification: whole images of known categories; how right and how sure a network is on held-out ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from isocenter.errors import Refused, UsageError
from isocenter.evaluate.categories import classification as compared
from isocenter.geometry import Triple
from isocenter.nets.plan import Plan
from isocenter.nets.predict import shares_of
from isocenter.reasons import Reason, merge
from isocenter.train import losses
from isocenter.train.cache import Cache, CachedCase
from isocenter.train.patches import Place
from isocenter.train.serving import running
from isocenter.train.tasks import Batch, Made, Material
from isocenter.train.tasks.cases import cases_of, made_of
from isocenter.train.tasks.tensors import as_images
from isocenter.train.varying import Varying

LOSSES = ("cross_entropy", "focal")


@dataclass(frozen=True, eq=False)
class Classifying:
    """The task of telling categories apart.

    Parameters
    ----------
    cases
        Cases to learn from, of each category that there are any of.
    held_out
        Cases to validate on.
    plan
        What the network takes; its labels are the categories.
    criterion
        A loss of :mod:`isocenter.train.losses`.
    varying
        How images are augmented.
    """

    cases: Sequence[Sequence[CachedCase]] = field(repr=False)
    held_out: Sequence[CachedCase] = field(repr=False)
    plan: Plan
    criterion: Callable[[Any, Any], Any]
    varying: Varying

    def sample(self, rng: np.random.Generator) -> Batch:
        """As many images as a batch has, augmented; rare categories come as often as others."""
        chosen = [self.cases[int(rng.integers(len(self.cases)))] for _ in range(self.plan.batch)]
        cases = [some[int(rng.integers(len(some)))] for some in chosen]
        patches = [self.varying.patch(in_middle(case, self.plan.patch), rng) for case in cases]
        truth = [self.plan.labels.index(case.category) for case in cases]
        return Batch(as_images(patches, self.plan), torch.tensor(truth))

    def loss(self, network: Any, batch: Batch) -> Any:
        """The criterion on the network's outputs."""
        return self.criterion(network(batch.images), batch.truth)

    def validate(self, network: Any) -> Mapping[str, float]:
        """Balanced accuracy, then accuracy, expected calibration error and the F1 of each category, of held-out cases.

        A category that neither occurs nor is named has no F1 (NaN).
        """
        if not self.held_out:
            return {}
        runtime = running(network, self.plan)
        shares = [shares_of(case.prepared(), self.plan, runtime) for case in self.held_out]
        truth = [case.category for case in self.held_out]
        found = compared(truth, np.stack(shares), categories=self.plan.labels)
        each = {f"f1_{name}": value for name, value in found.f1.items()}
        return {"score": found.balanced_accuracy, "accuracy": found.accuracy.value, "ece": found.ece, **each}


def classification(material: Material) -> Made:
    """The task of a data set: its cases are prepared, unless they are already.

    Raises
    ------
    Refused
        If no case of a category of the plan is left.
    UsageError
        If the loss is none of categories.
    """
    name = material.settings.loss
    if name not in ("default", *LOSSES):
        raise UsageError(f"The loss of categories is {' or '.join(LOSSES)}; not {name!r}.")
    plan = material.plan
    learning, held_out = (_named(cases, plan) for cases in cases_of(material))
    if not learning.cases:
        text = "No case has one of the categories of the plan."
        raise Refused([Reason("NOTHING_TO_LEARN_FROM", text), *learning.reasons])
    by_category = [[case for case in learning.cases if case.category == label] for label in plan.labels]
    unseen = [label for label, some in zip(plan.labels, by_category, strict=True) if not some]
    said = [Reason("CATEGORY_UNSEEN", f"No case to learn from is of the category {label}.") for label in unseen]
    criterion = losses.build("cross_entropy" if name == "default" else name)
    varying = Varying.of(plan, material.settings.augmentation)
    task = Classifying([some for some in by_category if some], held_out.cases, plan, criterion, varying)
    return made_of(task, learning, held_out, said=tuple(said))


def in_middle(case: CachedCase, shape: Triple) -> Place:
    """The patch of a shape in the middle of an image, as :func:`isocenter.nets.predict.shares_of` sees it."""
    k, r, c = ((n - size) // 2 if n >= size else -((size - n) // 2) for n, size in zip(case.space, shape, strict=True))
    return Place(case, (k, r, c))


def _named(cases: Cache, plan: Plan) -> Cache:
    """The cases whose category is one of the plan; the others are left out with the reason ``CASE_LEFT_OUT``."""
    strange = [one for one in cases.cases if one.category not in plan.labels]
    said = [
        Reason("CASE_LEFT_OUT", f"The case {one.id} was left out: it is of no category of the plan.", (one.id,))
        for one in strange
    ]
    kept = tuple(one for one in cases.cases if one.category in plan.labels)
    return Cache(kept, merge(cases.reasons, said))
