"""What is learned: one task for each kind of plan, the seam between the loop and everything that knows what a batch is.

The loop knows steps, weights and checkpoints; a task knows cases, patches, losses and scores. Neither knows the other
but for the three calls of :class:`Task`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, cast

import numpy as np

from isocenter.datasets.dataset import Dataset
from isocenter.errors import UsageError
from isocenter.extras import needed
from isocenter.nets.plan import Plan
from isocenter.reasons import Reason
from isocenter.train.settings import Settings

TASKS: Mapping[str, str] = MappingProxyType(
    {
        "segmentation": "isocenter.train.tasks.segmentation:segmentation",
        "pretraining": "isocenter.train.tasks.pretraining:pretraining",
        "denoising": "isocenter.train.tasks.restoring:denoising",
        "super_resolution": "isocenter.train.tasks.restoring:super_resolution",
        "registration": "isocenter.train.tasks.registration:registration",
        "classification": "isocenter.train.tasks.classification:classification",
        "detection": "isocenter.train.tasks.detection:detection",
    }
)
"""Where the builder of each task is (``"module:function"``), by the plan's task: ``function(material) -> Made``."""


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step learns from: tensors, on the CPU as they are drawn.

    Parameters
    ----------
    images
        float32 (batch, channel, *space).
    truth
        What is true of them: labels int64 (batch, *space), categories int64 (batch,), an image as ``images``; None
        where the task makes it of the images.
    weight
        What else the loss takes, such as float32 (batch, 1, *space); None without.
    """

    images: Any
    truth: Any = None
    weight: Any = None

    def to(self, device: str) -> Batch:
        """The same on a device."""
        here = (self.images, self.truth, self.weight)
        return Batch(*(None if one is None else one.to(device, non_blocking=True) for one in here))


class Task(Protocol):
    """What a network is to learn.

    A task keeps nothing that changes with the steps: all chance is in the generator that a step hands over, so that a
    course which was broken off goes on as if it had not been, and several threads may draw batches ahead.
    """

    def sample(self, rng: np.random.Generator) -> Batch:
        """What one step learns from, on the CPU. Called from several threads at once."""
        ...

    def loss(self, network: Any, batch: Batch) -> Any:
        """How wrong the network is on a batch: a scalar tensor on the network's device.

        Called under autocast: outputs may be bfloat16, and are to be taken as ``.float()`` before they are summed.
        """
        ...

    def validate(self, network: Any) -> Mapping[str, float]:
        """How right the network is on held-out cases, by name; empty where nothing was held out.

        ``"score"`` comes first, of which more is better; then what is worth plotting beside it. The network is in
        evaluation mode, and no gradients are kept.
        """
        ...


@dataclass(frozen=True)
class Material:
    """What a task is made of.

    Parameters
    ----------
    learning
        Cases to learn from.
    held_out
        Cases to validate on; None without any.
    plan
        What the network takes and gives.
    settings
        Which loss, which augmentation.
    cache
        Folder for prepared cases.
    progress
        Called with the number of cases prepared and of all.
    """

    learning: Dataset
    held_out: Dataset | None
    plan: Plan
    settings: Settings
    cache: Path
    progress: Callable[[int, int], None] | None = None


@dataclass(frozen=True)
class Made:
    """A task that is ready, and what was found to be said while it was made.

    Parameters
    ----------
    task
        The task.
    reasons
        Such as cases that were left out.
    domain
        What the images to learn from are like (:func:`isocenter.nets.certainty.checks.domain_of`).
    """

    task: Task
    reasons: tuple[Reason, ...] = ()
    domain: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)


def build(material: Material) -> Made:
    """The task of a plan.

    Raises
    ------
    UsageError
        If there is no such task.
    MissingExtra
        If torch is not installed.
    """
    needed("torch", "nets")
    try:
        module, _, function = TASKS[material.plan.task].partition(":")
    except KeyError:
        known = ", ".join(TASKS)
        raise UsageError(f"Nothing is taught for the task {material.plan.task!r}; there are: {known}.") from None
    return cast("Made", getattr(importlib.import_module(module), function)(material))
