"""ONNX and TorchScript files, with the plan that says what they take: beside them, or in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isocenter.errors import InputError, UsageError
from isocenter.extras import needed
from isocenter.nets.importing.found import Found, Wishes, refused
from isocenter.nets.plan import Plan

PLAN_KEY = "isocenter.plan"
_NEEDED = ("channels", "labels", "patch", "normalisation")


def is_onnx(path: Path) -> bool:
    """Whether its name says that this is an ONNX file."""
    return path.is_file() and path.suffix == ".onnx"


def is_torchscript(path: Path) -> bool:
    """Whether its name says that this is a TorchScript file."""
    return path.is_file() and path.suffix in (".ts", ".torchscript", ".jit")


def read_onnx(path: Path, wishes: Wishes) -> Found:
    """The model of an ONNX file; its plan may lie in its metadata, beside it, or be told.

    Raises
    ------
    InputError
        If it is damaged, or keeps its weights in other files.
    UsageError
        If nothing says what it takes.
    """
    onnx = needed("onnx", "runtimes")
    data = path.read_bytes()
    try:
        read = onnx.load_model_from_string(data)
        onnx.checker.check_model(read)
    except Exception as error:
        raise InputError(f"{path.name} is damaged, or no ONNX file: {str(error).splitlines()[0]}") from error
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in read.graph.initializer):
        raise InputError(f"{path.name} keeps its weights in other files: save it as one file.")
    if (len(read.graph.input), len(read.graph.output)) != (1, 1):
        raise InputError(f"{path.name} has several inputs or outputs; a network here has one of each.")
    held = {one.key: one.value for one in read.metadata_props}
    plan = _plan(path, wishes, held.get(PLAN_KEY, ""), "onnx")
    return Found(path.stem, plan, (data,), "onnx", licence=held.get("licence", ""), source=f"ONNX file {path.name}")


def read_torchscript(path: Path, wishes: Wishes) -> Found:
    """The model of a TorchScript file; its plan may lie in it, beside it, or be told.

    Raises
    ------
    Refused
        With ``MODEL_FOREIGN_CODE`` unless code is trusted: TorchScript is a program.
    InputError
        If it is damaged.
    UsageError
        If nothing says what it takes.
    """
    from isocenter.nets.runtimes.members import scripted

    if wishes.code != "trusted":
        text = f"{path.name} is TorchScript, a program that can read and write files here with your rights."
        raise refused("MODEL_FOREIGN_CODE", text + " If you trust where it comes from, say so by --trust.")
    extra: dict[str, Any] = {PLAN_KEY: ""}
    data = path.read_bytes()
    scripted(data, path.name, extra)
    held = extra[PLAN_KEY]
    plan = _plan(path, wishes, held.decode() if isinstance(held, bytes) else held, "torchscript")
    return Found(path.stem, plan, (data,), "torchscript", source=f"TorchScript file {path.name}")


def _plan(path: Path, wishes: Wishes, held: str, kind: str) -> Plan:
    """The plan that is told, lies beside the file, or in it, in this order."""
    beside = path.with_suffix(".json")
    values: dict[str, Any] = _values(held, path.name) if held else {}
    if beside.is_file():
        values |= _values(beside.read_text(encoding="utf-8"), beside.name)
    values |= wishes.plan
    missing = [name for name in _NEEDED if name not in values]
    if missing:
        text = f"Nothing says what {path.name} takes: give a plan with {', '.join(missing)}"
        raise UsageError(f"{text} as {beside.name} beside it, or by --plan.")
    return Plan.from_dict({"task": "segmentation", **values, "network": {"name": kind}})


def _values(text: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The plan in {name} is no JSON: {error}.") from error
    if not isinstance(found, Mapping):
        raise InputError(f"The plan in {name} is no table.")
    return dict(found)
