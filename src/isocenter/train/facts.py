"""What a model keeps of how it was taught, and by what two courses are the same one."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

import isocenter
from isocenter.datasets import Dataset
from isocenter.nets.plan import Plan
from isocenter.train.curve import thinned
from isocenter.train.settings import Settings
from isocenter.train.tasks import Material

if TYPE_CHECKING:
    from isocenter.train.course import Learned

_POINTS = 200
"""Points of the curve that a model keeps, beside those with scores."""


def identity_of(plan: Plan, settings: Settings, digests: Mapping[str, str]) -> str:
    """SHA-256 of the plan, the settings and the images by the names of their cases."""
    what = {"plan": plan.sha256, "settings": settings.essence, "images": dict(digests)}
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def facts_of(material: Material, learned: Learned, *, identity: str, processes: int) -> dict[str, Any]:
    """How a network was taught, as plain values; cases are named by the SHA-256 of their names alone."""
    import torch

    from isocenter.train.arithmetic import precision_on

    held_out = [] if material.held_out is None else hashed(material.held_out)
    device, settings = material.plan.device, material.settings
    return {
        "identity": identity,
        "dataset": material.learning.name,
        "dataset_licence": material.learning.licence or "unknown",
        "settings": settings.to_dict(),
        "step": learned.step,
        "seconds_s": round(learned.curve[-1].seconds_s, 1) if learned.curve else 0.0,
        "device": device if device == "cpu" else torch.cuda.get_device_name(),
        "precision": precision_on(device, settings.precision),
        "threads": torch.get_num_threads(),
        "processes": processes,
        "versions": {
            "isocenter": isocenter.__version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "learned_from": hashed(material.learning),
        "held_out": held_out,
        "curve": [point.to_dict() for point in thinned(learned.curve, _POINTS)],
    }


def hashed(dataset: Dataset) -> list[str]:
    """SHA-256 of the name of each case: models go to others, and names may tell who a patient is."""
    return [hashlib.sha256(case.id.encode()).hexdigest() for case in dataset.cases]
