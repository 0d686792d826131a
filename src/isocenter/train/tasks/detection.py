"""Detection: centres of labelled things as heat maps, learned from patches; FROC of held-out cases.

What is true is a label map: each connected piece of a label is one thing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from isocenter.errors import UsageError
from isocenter.evaluate.froc import Scan, froc, judge
from isocenter.evaluate.ranking import auroc
from isocenter.nets.detecting import Detection, aims, detections, things
from isocenter.nets.plan import Plan
from isocenter.train.cache import CachedCase
from isocenter.train.patches import draw
from isocenter.train.serving import running
from isocenter.train.tasks import Batch, Made, Material
from isocenter.train.tasks.cases import cases_of, made_of
from isocenter.train.tasks.tensors import as_images
from isocenter.train.varying import Varying

_FOREGROUND = 0.6
_SIZES, _PLACES = 0.5, 0.5  # shares of the loss beside that of the heat maps


@dataclass(frozen=True, eq=False)
class Detecting:
    """The task of finding where things are.

    Parameters
    ----------
    cases
        Labelled cases to learn from.
    held_out
        Labelled cases to validate on.
    plan
        What the network takes; its labels are the kinds of things.
    varying
        How patches are cut and augmented.
    """

    cases: Sequence[CachedCase] = field(repr=False)
    held_out: Sequence[CachedCase] = field(repr=False)
    plan: Plan
    varying: Varying

    def sample(self, rng: np.random.Generator) -> Batch:
        """As many patches as a batch has, augmented, six of ten around a thing."""
        places = draw(self.cases, self.varying.sampling, rng, count=self.plan.batch)
        patches = [self.varying.patch(one, rng) for one in places]
        found = [aims(np.asarray(one.labels), self.plan) for one in patches]
        truth, weight = (torch.from_numpy(np.stack(part)) for part in zip(*found, strict=True))
        return Batch(as_images(patches, self.plan), truth, weight)

    def loss(self, network: Any, batch: Batch) -> Any:
        """Focal loss of the heat maps, and how far sizes and places are off at the middles."""
        return detection_loss(network(batch.images), batch.truth, batch.weight)

    def validate(self, network: Any) -> Mapping[str, float]:
        """Mean sensitivity of the FROC (CPM) over the held-out cases, the sensitivity at one false alarm, and others.

        ``kind`` is the AUROC by which the last label is told from the others on what was found (NaN where it cannot be
        said).
        """
        if not self.held_out:
            return {}
        runtime = running(network, self.plan)
        cases = [(case, detections(case.prepared(), self.plan, runtime)) for case in self.held_out]
        scans = [scan_of(case, found, len(self.plan.labels)) for case, found in cases]
        result = froc(scans, rounds=1)
        return {
            "score": result.cpm.value,
            "sensitivity_at_1": result.at(1.0),
            "found": result.found,
            "kind": self._kind(cases, scans),
        }

    def _kind(self, cases: Sequence[tuple[CachedCase, tuple[Detection, ...]]], scans: Sequence[Scan]) -> float:
        truth: list[bool] = []
        shares: list[float] = []
        for (case, found), scan in zip(cases, scans, strict=True):
            real = things(case.truth(), len(self.plan.labels))
            for thing, number in zip(real, judge(scan).which.tolist(), strict=True):
                if number >= 0:
                    truth.append(thing.label == len(self.plan.labels))
                    shares.append(found[number].shares[-1] / sum(found[number].shares))
        return auroc(truth, shares) if any(truth) else math.nan


def detection(material: Material) -> Made:
    """The task of a data set: its cases are prepared, unless they are already.

    Raises
    ------
    Refused
        If no labelled case is left.
    UsageError
        If a loss is asked for by name: detection has one of its own.
    """
    plan = material.plan
    if material.settings.loss != "default":
        raise UsageError(f"Detection has a loss of its own: leave the loss at default, not {material.settings.loss!r}.")
    learning, held_out = cases_of(material)
    learning = learning.labelled()
    if held_out.cases:
        held_out = held_out.labelled()
    varying = Varying.of(plan, material.settings.augmentation)
    varying = replace(varying, sampling=replace(varying.sampling, foreground=_FOREGROUND))
    return made_of(Detecting(learning.cases, held_out.cases, plan, varying), learning, held_out)


def scan_of(case: CachedCase, found: Sequence[Detection], labels: int) -> Scan:
    """What is true of a case on the grid of its source, and what was found, for the FROC."""
    real = things(case.truth(), labels)
    middles = [case.source.to_world(thing.middle) for thing in real]
    radii = [math.prod(thing.size) ** (1 / 3) * case.source.voxel_volume_mm3 ** (1 / 3) / 2 for thing in real]
    return Scan.of(middles, radii, [one.center_mm for one in found], [one.score for one in found])


def detection_loss(outputs: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Focal loss of heat maps (Law 2018: alpha 2, beta 4) per thing, and L1 of sizes and places (Zhou 2019).

    Parameters
    ----------
    outputs
        (batch, label + 2 * axes, *coarse), as of :mod:`isocenter.nets.networks.heatmap`.
    truth, weight
        As :func:`isocenter.nets.detecting.aims` gives them, with a batch axis.
    """
    count = weight.shape[1] - 1
    axes = (outputs.shape[1] - count) // 2
    maps = outputs.float()
    logits, aim = maps[:, :count], truth[:, :count]
    sure, unsure = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    at_middle = (aim == 1).to(aim)
    hits = at_middle * unsure.exp() ** 2 * sure
    alarms = (1 - at_middle) * (1 - aim) ** 4 * sure.exp() ** 2 * unsure
    number = at_middle.sum().clamp(min=1)
    heat = -((hits + alarms) * weight[:, :count]).sum() / number
    middles = weight[:, count:]
    off = (maps[:, count:] - truth[:, count:]).abs() * middles
    sizes, places = off[:, :axes].sum() / (number * axes), off[:, axes:].sum() / (number * axes)
    return heat + _SIZES * sizes + _PLACES * places
