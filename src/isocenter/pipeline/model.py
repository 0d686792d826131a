"""The check of a model on cases: learning, evaluation and serving see the same, and runtimes give the same."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from isocenter.datasets.dataset import Case, Dataset
from isocenter.datasets.loading import load_images
from isocenter.errors import InputError, MissingExtra, UsageError
from isocenter.nets.exporting.equality import least_dice
from isocenter.nets.importing.trial import peak_bytes
from isocenter.nets.models.model import Model, files_of
from isocenter.nets.plan import Plan
from isocenter.nets.predict import labels_of
from isocenter.nets.prepare import Prepared, prepared
from isocenter.nets.runtimes import open_runtime
from isocenter.pipeline import look
from isocenter.pipeline.provenance import Observer
from isocenter.reasons import Reason
from isocenter.train.cache import cached
from isocenter.volume import Array, Volume

LEAST_DICE = 0.999
_RUNTIMES = ("torch", "onnx", "openvino")


@dataclass(frozen=True)
class Ran:
    """One runtime on a case.

    Parameters
    ----------
    dice
        The least Dice of a label beside the first runtime's label map
        (:func:`isocenter.nets.exporting.equality.least_dice`).
    seconds
        For the whole image, opened before; the first window's set-up counts.
    memory_mib
        By how much the most memory that this process held grew.
    left_out
        Why it was not run; empty if it was.
    """

    dice: float = 1.0
    seconds: float = 0.0
    memory_mib: int = 0
    left_out: str = ""


@dataclass(frozen=True)
class Checked:
    """A model on one case.

    Parameters
    ----------
    case
        Name of the case.
    digests
        SHA-256 of the array that the network sees, by the way it came: learning, evaluation, serving.
    runtimes
        By name; empty if the model does not segment.
    reasons
        What was said of the image on the way.
    """

    case: str
    digests: Mapping[str, str]
    runtimes: Mapping[str, Ran] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether all three ways give the same bits."""
        return len(set(self.digests.values())) == 1

    @property
    def is_passed(self) -> bool:
        """Whether they do, and all runtimes give the same labels."""
        return self.is_same and all(one.left_out or one.dice >= LEAST_DICE for one in self.runtimes.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "case": self.case,
            "passed": self.is_passed,
            "digests": dict(self.digests),
            "runtimes": {name: vars(one) for name, one in self.runtimes.items()},
            "reasons": [reason.to_dict() for reason in self.reasons],
        }


def check(
    model: Model,
    cases: Sequence[str | os.PathLike[str]],
    *,
    runtimes: Sequence[str] = (),
    observer: Observer | None = None,
) -> tuple[Checked, ...]:
    """Check the weights of a model, and the model on cases.

    Parameters
    ----------
    model
        The model.
    cases
        For each a file or folder of images; for several channels their paths in order, parted by commas.
    runtimes
        Which to compare; by default all that a model of its kind runs on without a GPU. The first is the measure.
    observer
        Called with a short text as each case begins.

    Raises
    ------
    InputError
        If weights are missing or changed.
    UsageError
        If a case has not as many images as the model has channels.
    """
    for _ in files_of(model):  # each is read and compared with its digest
        pass
    chosen = runtimes or tuple(name for name in _RUNTIMES if (name, model.runtime) != ("torch", "onnx"))
    found = []
    for number, case in enumerate(cases, 1):
        paths = [Path(one) for one in os.fspath(case).split(",")]
        if observer is not None:
            observer(f"Case {number} of {len(cases)}: {paths[0].name}")
        found.append(_one(model, paths, chosen))
    return tuple(found)


def _one(model: Model, paths: Sequence[Path], runtimes: Sequence[str]) -> Checked:
    for path in paths:
        if not path.exists():
            raise UsageError(f"There is nothing at {path}.")
    if len(paths) != len(model.plan.channels):
        channels = ", ".join(model.plan.channels)
        raise UsageError(f"{model.name} takes {len(model.plan.channels)} images ({channels}), not {len(paths)}.")
    served = prepared(served_images(paths), model.plan)
    digests = {**_as_learned(model.plan, paths), "serving": _digest(served.array)}
    ran = _compared(model, served, runtimes) if model.plan.task == "segmentation" else {}
    return Checked(paths[0].name, digests, ran, served.reasons)


def served_images(paths: Sequence[Path]) -> list[Volume]:
    """The images as the commands and the node read them."""
    return [look.volume(path)[0] for path in paths]


def _as_learned(plan: Plan, paths: Sequence[Path]) -> dict[str, str]:
    """Digests of what learning reads from its cache, and of what evaluation prepares of a case of a data set."""
    case = Case("case", tuple(path.resolve() for path in paths))
    dataset = Dataset("check", (case,), plan.channels)
    with TemporaryDirectory() as folder:
        learned = cached(dataset, plan, Path(folder)).cases
        if not learned:
            raise InputError(f"Learning would leave out {paths[0].name}.")
        first = _digest(learned[0].image())
    return {"learning": first, "evaluation": _digest(prepared(load_images(case, dataset).images, plan).array)}


def _digest(array: Array) -> str:
    """SHA-256 of shape, type and bits."""
    head = f"{array.shape} {array.dtype}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


def _compared(model: Model, case: Prepared, runtimes: Sequence[str]) -> dict[str, Ran]:
    """Each runtime's label map beside that of the first which is there."""
    found: dict[str, Ran] = {}
    first: Array | None = None
    for name in runtimes:
        before = peak_bytes()
        try:
            runtime = open_runtime(model, name)
        except MissingExtra as error:
            found[name] = Ran(left_out=str(error))
            continue
        start = time.perf_counter()
        labels = labels_of(case, model.plan, runtime)
        seconds = time.perf_counter() - start
        first = labels if first is None else first
        found[name] = Ran(least_dice(first, labels), round(seconds, 3), (peak_bytes() - before) >> 20)
    return found
