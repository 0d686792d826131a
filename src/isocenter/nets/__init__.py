"""Networks: what they are planned to be, how an image is prepared for them, how they run, and what they are kept as.

======================  ===========================================================================================
:func:`plan_for`        a data set to the plan of a network, with a sentence for each decision
:class:`Plan`           what a network is, and what its input is; :func:`load_plan`, :func:`save_plan`
:func:`load_model`      a model's folder; :func:`find_model` by the name it is kept under
:func:`import_model`    a model of MONAI, nnU-Net, ONNX or TorchScript, kept as one of ours
:func:`export_model`    one of ours as ONNX, OpenVINO, TorchScript or MONAI bundle, compared
:class:`Inference`      how ``isocenter.predict`` runs a model: what a model finds in images, as fits its task
:func:`denoised`        an image with less noise, by what it shows itself
======================  ===========================================================================================

Learning lives in :mod:`isocenter.train`, proof in :mod:`isocenter.evaluate`. All is loaded when it is asked for; torch
when a network is built or run: plans and models are plain values without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isocenter.nets.denoising.denoise import denoised
    from isocenter.nets.exporting import export_model
    from isocenter.nets.importing import import_model
    from isocenter.nets.models.model import Model, load_model
    from isocenter.nets.models.store import find_model
    from isocenter.nets.plan import Plan, load_plan, save_plan
    from isocenter.nets.planning.planner import plan_for
    from isocenter.nets.predict import Inference

_PUBLIC = {
    "Inference": "predict",
    "Model": "models.model",
    "Plan": "plan",
    "denoised": "denoising.denoise",
    "export_model": "exporting",
    "find_model": "models.store",
    "import_model": "importing",
    "load_model": "models.model",
    "load_plan": "plan",
    "plan_for": "planning.planner",
    "save_plan": "plan",
}

__all__ = [
    "Inference",
    "Model",
    "Plan",
    "denoised",
    "export_model",
    "find_model",
    "import_model",
    "load_model",
    "load_plan",
    "plan_for",
    "save_plan",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'isocenter.nets' has no attribute {name!r}")
    return getattr(importlib.import_module(f"isocenter.nets.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
