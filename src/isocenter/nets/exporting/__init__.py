"""A model for others: ONNX, OpenVINO, TorchScript, or a MONAI bundle; read back and run before it counts as written.

What goes out is the whole network, head included, an ensemble as the mean of its members, with the plan beside the
weights: in ONNX under the key ``isocenter.plan``, in OpenVINO's ``rt_info``, in TorchScript as an extra file, in a
bundle as the transforms that do what it says.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from isocenter.disk import replacing
from isocenter.errors import Bug, UsageError, expect_word
from isocenter.nets.exporting.equality import Equality, equality_of
from isocenter.nets.models.model import Model, with_facts
from isocenter.nets.runtimes import open_runtime
from isocenter.nets.runtimes.tracing import patch_shape
from isocenter.volume import Array

__all__ = ["Equality", "Exported", "Kind", "export_model"]

Kind = Literal["onnx", "openvino", "torchscript", "monai"]
_LEAST_DICE = 0.999
_FOLDERS = {"monai": "configs/metadata.json", "openvino": "model.xml"}


@dataclass(frozen=True, slots=True)
class Exported:
    """A model that was written for others.

    Parameters
    ----------
    path
        The file or folder.
    kind
        What it is.
    equality
        How its outputs, read back and run by its own runtime, compare with those of the model on torch.
    seconds
        What writing and reading back took.
    """

    path: Path
    kind: str
    equality: Equality
    seconds: float


def export_model(model: Model, out: str | os.PathLike[str], *, to: Kind) -> Exported:
    """Write a model for others, whole or not at all, and see that it gives the same. The card is told.

    Parameters
    ----------
    model
        The model.
    out
        The file of ONNX or TorchScript; the folder of a bundle, or of OpenVINO's ``model.xml`` and ``model.bin``.
    to
        What to write.

    Raises
    ------
    UsageError
        If the model cannot be written so, or the place is taken.
    MissingExtra
        If a package is not installed.
    """
    expect_word(to, Kind, "What a model is exported to")
    path = Path(out)
    _expect_free(path, to)
    start = time.perf_counter()
    ways = _ways()
    write, run = ways[to]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as place:
        write(model, place)
        equality = _compared(model, run(place))
        if equality.dice < _LEAST_DICE:
            raise Bug(f"The {to} of {model.name} gives other labels (Dice {equality.dice:.4f}): it was not kept.")
    with suppress(UsageError):  # the model may lie where nothing can be written
        with_facts(model, exports={**model.facts.get("exports", {}), to: equality.to_dict()})
    return Exported(path, to, equality, time.perf_counter() - start)


def _expect_free(path: Path, to: str) -> None:
    """Tell a caller whose place is taken by something else than an earlier export of the same kind."""
    if to not in _FOLDERS:
        if path.is_dir():
            raise UsageError(f"{path} is a folder: give a file to write.")
    elif path.exists() and not (path / _FOLDERS[to]).is_file() and not (path.is_dir() and not any(path.iterdir())):
        raise UsageError(f"{path} holds something else: give a new folder.")


def _ways() -> dict[str, tuple[Callable[[Model, Path], None], Callable[[Path], Callable[[Array], Array]]]]:
    """How each kind is written, and what runs it once it is."""
    from isocenter.nets.exporting import files, monai_bundle

    return {
        "onnx": (files.write_onnx, files.run_onnx),
        "openvino": (files.write_openvino, files.run_openvino),
        "torchscript": (files.write_torchscript, files.run_torchscript),
        "monai": (monai_bundle.write_bundle, monai_bundle.run_bundle),
    }


def _compared(model: Model, run: Callable[[Array], Array]) -> Equality:
    """The written network beside the model, on two windows of noise."""
    shape = patch_shape(model.plan, 1)
    runtime = open_runtime(model)
    rng = np.random.default_rng(1)
    pairs: list[tuple[Any, Any]] = []
    for _ in range(2):
        batch = rng.standard_normal(shape, np.float32)
        pairs.append((_outputs(runtime, batch), run(batch)))
    return equality_of(pairs)


def _outputs(runtime: Any, batch: Array) -> Array:
    from isocenter.nets.windows.heads import outputs_of

    found: Array = runtime(batch)
    return found if runtime.head is None else np.stack([outputs_of(one, runtime.head) for one in found])
