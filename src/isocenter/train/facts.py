"""What a model keeps of how it was taught, and by what two courses are the same one."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

import isocenter
from isocenter.datasets import Dataset
from isocenter.nets.models.model import Model
from isocenter.nets.plan import Plan
from isocenter.train.curve import thinned
from isocenter.train.settings import Settings
from isocenter.train.tasks import Material

if TYPE_CHECKING:
    from isocenter.train.course import Learned

_POINTS = 200
"""Points of the curve that a model keeps, beside those with scores."""


def identity_of(plan: Plan, settings: Settings, digests: Mapping[str, str], *, held_out: Iterable[str] = ()) -> str:
    """SHA-256 of the plan, the settings, the images by the names of their cases, and which of these are held out."""
    what = {"plan": plan.sha256, "settings": settings.essence, "images": dict(digests), "held_out": sorted(held_out)}
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def differing(model: Model, plan: Plan, settings: Settings) -> str:
    """In what a model was taught otherwise, in words: settings first, then the plan; if in neither, the images."""
    before = model.facts.get("training", {}).get("settings", {})
    said = [
        f"{name} {before[name]} there, {value} now"
        for name, value in settings.essence.items()
        if name in before and before[name] != value
    ]
    if model.plan.sha256 != plan.sha256:
        there, here = model.plan.to_dict(), plan.to_dict()
        said.append(f"a plan of other {', '.join(name for name in here if here[name] != there.get(name)) or 'values'}")
    return "; ".join(said) or "other images or cases"


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
