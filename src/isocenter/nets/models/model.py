"""A model: weights with everything that is needed to use them rightly, as one folder. Importing others lives beside.

==========================  ============================================================================================
``model.json``              name, version, plan, licence, source, digests, what was measured
``weights_0.safetensors``   tensors by name (no pickle: loading runs no code); one file for each member of an ensemble.
                            ``.onnx`` or ``.ts`` of an imported model that is kept as it came
``card.md``                 the same for people
``coarse``                  folder of the model that finds where this one is to look, if there is one
==========================  ============================================================================================
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from isocenter.disk import replacing, write_synced
from isocenter.errors import InputError, UsageError, expect_word
from isocenter.extras import needed
from isocenter.nets.models.card import card
from isocenter.nets.models.facts import faults
from isocenter.nets.models.proof import about_model
from isocenter.nets.plan import Plan
from isocenter.reasons import Reason

Code = Literal["refused", "trusted"]
"""Whether code that comes with a model may run here."""

FORMAT = 1
COARSE = "coarse"
_FILE = "model.json"
_SUFFIX = {"safetensors": ".safetensors", "onnx": ".onnx", "torchscript": ".ts"}


@dataclass(frozen=True)
class Model:
    """What a network is, where its weights lie, and what is known of it.

    Parameters
    ----------
    name, version
        What it is called.
    plan
        What it takes and gives.
    folder
        Where it lies.
    weights
        SHA-256 of each weights file by its name, in order; several are an ensemble.
    runtime
        What the weights are: ``"safetensors"``, or ``"onnx"``, ``"torchscript"``, ... of an imported model.
    licence
        Licence of the weights; ``"unknown"`` where nothing states it.
    source
        Where it comes from: ``"trained here"``, or of what it was imported.
    facts
        What was measured and recorded: training, held-out results, calibration. Plain values.
    code
        Whether weights that are a program (TorchScript) may run. It is what a caller says, and is never read from or
        written into the folder: those of the store are ``"trusted"``, as they were added by ``--trust``.
    """

    name: str
    version: str
    plan: Plan
    folder: Path
    weights: Mapping[str, str]
    runtime: str = "safetensors"
    licence: str = "unknown"
    source: str = "trained here"
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    code: Code = field(default="refused", compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "runtime": self.runtime,
            "licence": self.licence,
            "source": self.source,
            "weights": dict(self.weights),
            "plan": self.plan.to_dict(),
            "facts": dict(self.facts),
        }

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """What was guessed when it was imported, what its own software does otherwise, and how right it is."""
        said = (Reason(one["code"], one["message"]) for one in self.facts.get("reasons", ()))
        return (*said, *about_model(self))

    @property
    def sha256(self) -> str:
        """One SHA-256 for the plan and all weights: two models with the same one give the same results."""
        return hashlib.sha256("".join([self.plan.sha256, *self.weights.values()]).encode()).hexdigest()


def save_model(model: Model, members: Sequence[Mapping[str, Any] | bytes]) -> Model:
    """Write a model into its folder, whole or not at all.

    Parameters
    ----------
    model
        What is known of it; ``weights`` is filled here.
    members
        State of each network (tensors by name); or what the file of each holds, if ``runtime`` is ONNX or TorchScript.

    Returns
    -------
    The model as :func:`load_model` gives it.

    Raises
    ------
    TryLater
        If the disk is full.
    UsageError
        If the folder cannot be written.
    """
    with replacing(model.folder) as folder:
        folder.mkdir(parents=True)
        digests = {}
        for number, member in enumerate(members):
            name = f"weights_{number}{_SUFFIX[model.runtime]}"
            data = member if isinstance(member, bytes) else _packed(member)
            write_synced(folder / name, data)
            digests[name] = hashlib.sha256(data).hexdigest()
        _describe(replace(model, weights=digests), folder)
    return load_model(model.folder, code=model.code)


def copied(model: Model, folder: Path) -> Model:
    """A copy of a model: its weights, each compared with its digest, and what describes it; nothing else of its folder.

    A link in a folder of others can therefore bring no file with it that is not of the model.

    Raises
    ------
    InputError
        If weights are missing or changed.
    """
    folder.mkdir(parents=True)
    for name, data in zip(model.weights, files_of(model), strict=True):
        write_synced(folder / name, data)
    made = replace(model, folder=folder)
    _describe(made, folder)
    return made


def with_facts(model: Model, **facts: Any) -> Model:
    """The model with further facts, kept in its folder and told on its card; its weights stay as they are."""
    told = replace(model, facts={**model.facts, **facts})
    _describe(told, model.folder)
    return told


def _describe(model: Model, folder: Path) -> None:
    for name, text in ((_FILE, json.dumps(model.to_dict(), indent=1)), ("card.md", card(model))):
        with replacing(folder / name) as place:
            write_synced(place, text.encode())


def _packed(state: Mapping[str, Any]) -> bytes:
    save = needed("safetensors.torch", "nets").save
    packed: bytes = save({key: value.detach().cpu().contiguous().clone() for key, value in state.items()})
    return packed


def load_model(path: str | os.PathLike[str], *, code: Code = "refused") -> Model:
    """The model of a folder; its weights are read when it is run.

    Parameters
    ----------
    path
        Its folder.
    code
        ``"trusted"`` lets weights run that are a program (TorchScript): say so if you know who made them.

    Raises
    ------
    UsageError
        If there is no model there, or no such word.
    InputError
        If it is damaged, or of a later format.
    """
    expect_word(code, Code, "Code")
    folder = Path(path)
    if not (folder / _FILE).is_file():
        raise UsageError(f"{folder} is no model: it holds no {_FILE}. `isocenter model add` makes one of others'.")
    try:
        values = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        if values.pop("format") != FORMAT:
            raise InputError(f"The model {folder.name} was written by a later version of Isocenter: update it.")
        plan = Plan.from_dict(values.pop("plan"))
        return _sound(Model(**values, plan=plan, folder=folder, code=code))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"The file {_FILE} of the model {folder.name} is damaged: {error}.") from error


def _sound(model: Model) -> Model:
    """The model, once what was read has the right types, and its weights are files of its own folder."""
    texts = (model.name, model.version, model.runtime, model.licence, model.source)
    weights = model.weights
    if not all(isinstance(one, str) for one in texts):
        raise TypeError("its name, version, runtime, licence and source are to be texts")
    if not isinstance(weights, dict) or not weights or not all(isinstance(one, str) for one in weights.values()):
        raise TypeError("it lists no weights with their digests")
    if any(Path(name).name != name or "\\" in name for name in weights):
        raise ValueError("its weights are to lie in its own folder")
    if wrong := list(faults(model.facts)):
        raise TypeError(" ".join(wrong).removesuffix("."))
    return model


def weights_of(model: Model) -> tuple[dict[str, Any], ...]:
    """State of each member (tensors by name), checked against its digest.

    Raises
    ------
    InputError
        If a file is missing or is not the one that was written.
    """
    load = needed("safetensors.torch", "nets").load
    return tuple(load(data) for data in files_of(model))


def files_of(model: Model) -> Iterator[bytes]:
    """What each weights file holds, one after the other, checked against its digest.

    Raises
    ------
    InputError
        If a file is missing or is not the one that was written.
    """
    for name, digest in model.weights.items():
        path = model.folder / name
        data = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(data).hexdigest() != digest:
            raise InputError(
                f"The weights {name} of the model {model.name} are missing, or not those it was made with."
            )
        yield data
