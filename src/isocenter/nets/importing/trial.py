"""The trial of a model: one window of noise through it, to see that it runs and gives what its plan says."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from isocenter.errors import InputError, UsageError
from isocenter.nets.models.model import Model
from isocenter.nets.runtimes import open_runtime
from isocenter.nets.runtimes.tracing import patch_shape


def tried(model: Model) -> dict[str, Any]:
    """What one window took: its shape, seconds, and by how much the memory grew at most.

    Raises
    ------
    InputError
        If it does not run, or gives other channels, another shape, or values that are no finite numbers.
    """
    before = peak_bytes()
    runtime = open_runtime(model)
    shape = patch_shape(model.plan, 1)
    batch = np.random.default_rng(0).standard_normal(shape, np.float32)
    start = time.perf_counter()
    try:
        given = np.asarray(runtime(batch))
    except UsageError as error:
        raise InputError(f"The model {model.name} does not take what its plan says: {error}") from error
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        text = f"The model {model.name} does not run on a window of {_told(shape)}: {type(error).__name__}: {first}"
        raise InputError(text) from error
    seconds = time.perf_counter() - start
    _expect_right(given, model, runtime.head.weight.shape[1] if runtime.head else model.plan.output_channels)
    grown = max(0, peak_bytes() - before)
    return {"window": _told(shape[2:]), "seconds": round(seconds, 3), "memory_mib": round(grown / 2**20)}


def _expect_right(given: Any, model: Model, channels: int) -> None:
    shape = patch_shape(model.plan, 1)
    wanted = (1, channels) if model.plan.task == "classification" else (1, channels, *shape[2:])
    if model.plan.task in ("segmentation", "classification") and given.shape != wanted:
        text = f"The model {model.name} gives {_told(given.shape)} where its plan says {_told(wanted)}."
        raise InputError(f"{text} Do its labels and window fit?")
    if not np.isfinite(given).all():
        raise InputError(f"The model {model.name} gives values that are no finite numbers: its weights are damaged.")


def _told(shape: Any) -> str:
    return " x ".join(str(n) for n in shape)


def peak_bytes() -> int:
    """The most memory that this process has held; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
