"""Learning: from a data set and a plan to a model. What a network is and how it runs lives in :mod:`isocenter.nets`.

=====================  ============================================================================================
:func:`train`          cases and a plan to a model; broken off, the same call goes on
:func:`train_folds`    a network for each fold, all of them one model
:func:`train_on_ray`   the same by the workers of a Ray cluster
:class:`Settings`      how a network is taught
=====================  ============================================================================================

They are loaded when they are asked for: settings are plain values that need no data sets.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isocenter.train.folds import Ensemble, train_folds
    from isocenter.train.on_ray import train_on_ray
    from isocenter.train.progress import Progress
    from isocenter.train.settings import Settings
    from isocenter.train.training import Trained, train

_PUBLIC = {
    "Ensemble": "folds",
    "Progress": "progress",
    "Settings": "settings",
    "Trained": "training",
    "train": "training",
    "train_folds": "folds",
    "train_on_ray": "on_ray",
}

__all__ = ["Ensemble", "Progress", "Settings", "Trained", "train", "train_folds", "train_on_ray"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'isocenter.train' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"isocenter.train.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value
