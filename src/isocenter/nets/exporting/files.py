"""A model as one file of ONNX, OpenVINO or TorchScript, with its plan inside; and what runs each, to compare."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from isocenter.errors import UsageError
from isocenter.extras import needed
from isocenter.nets.importing.files import PLAN_KEY
from isocenter.nets.models.model import Model, files_of
from isocenter.nets.runtimes.members import scripted, whole
from isocenter.nets.runtimes.tracing import as_onnx, as_torchscript, patch_shape
from isocenter.volume import Array

Run = Callable[[Array], Array]


def onnx_with_plan(model: Model) -> bytes:
    """The model as ONNX, with plan, name and licence in its metadata."""
    onnx = needed("onnx", "runtimes")
    data = next(files_of(model)) if model.runtime == "onnx" else as_onnx(whole(model), patch_shape(model.plan, 2))
    read = onnx.load_model_from_string(data)
    told = {PLAN_KEY: json.dumps(model.plan.to_dict()), "name": model.name, "licence": model.licence}
    for key, value in told.items():
        for one in [one for one in read.metadata_props if one.key == key]:
            read.metadata_props.remove(one)
        read.metadata_props.add(key=key, value=value)
    written: bytes = read.SerializeToString()
    return written


def write_onnx(model: Model, path: Path) -> None:
    """Write the model as an ONNX file."""
    path.write_bytes(onnx_with_plan(model))


def run_onnx(path: Path) -> Run:
    """What ONNX Runtime gives for a batch."""
    from isocenter.nets.runtimes.onnx_runtime import session_of

    session = session_of(path.read_bytes())
    name = session.get_inputs()[0].name
    return lambda batch: np.asarray(session.run(None, {name: batch})[0])


def write_openvino(model: Model, path: Path) -> None:
    """Write the model as OpenVINO's ``.xml`` with the weights beside it (``.bin``), in float32."""
    openvino = needed("openvino", "runtimes")
    read = openvino.Core().read_model(onnx_with_plan(model))
    read.set_rt_info(json.dumps(model.plan.to_dict()), PLAN_KEY.split("."))
    path.mkdir()
    openvino.save_model(read, str(path / "model.xml"), compress_to_fp16=False)


def run_openvino(path: Path) -> Run:
    """What OpenVINO gives for a batch."""
    core = needed("openvino", "runtimes").Core()
    network = core.compile_model(str(path / "model.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda batch: np.asarray(network(batch)[0])


def torchscript_of(model: Model) -> bytes:
    """The model as TorchScript, traced for its window, with its plan as an extra file."""
    if model.runtime == "onnx":
        raise UsageError(f"{model.name} is ONNX, which does not become TorchScript: export it to onnx or openvino.")
    return as_torchscript(whole(model), patch_shape(model.plan, 1), {PLAN_KEY: json.dumps(model.plan.to_dict())})


def write_torchscript(model: Model, path: Path) -> None:
    """Write the model as a TorchScript file."""
    path.write_bytes(torchscript_of(model))


def run_torchscript(path: Path) -> Run:
    """What torch gives for a batch through the file."""
    import torch

    module = scripted(path.read_bytes(), path.name)

    def run(batch: Array) -> Array:
        with torch.inference_mode():
            found: Array = module(torch.from_numpy(batch)).numpy()
        return found

    return run
