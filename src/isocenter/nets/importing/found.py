"""What was found of a foreign model before it is kept; and how others' weights are read without running their code."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter.errors import InputError, Refused, UsageError
from isocenter.nets.models.model import Code
from isocenter.nets.plan import Plan
from isocenter.reasons import Reason


@dataclass(frozen=True)
class Wishes:
    """What the user says of a model that its files leave open.

    Parameters
    ----------
    name
        What to call it; by default as its folder or file.
    plan
        Entries of a plan, which count before those found.
    licence
        Licence of the weights.
    code
        Whether code that comes with it may run: of a bundle once, a TorchScript whenever the model does.
    """

    name: str = ""
    plan: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""
    code: Code = "refused"


@dataclass(frozen=True, eq=False)
class Found:
    """A foreign model, read.

    Parameters
    ----------
    name, version, licence, source
        As in :class:`isocenter.nets.models.model.Model`.
    plan
        What it takes and gives.
    members
        State of each network by name of its tensors; or what each file holds, of ONNX or TorchScript.
    runtime
        What the members are: ``"safetensors"``, ``"onnx"`` or ``"torchscript"``.
    reasons
        What was guessed, and what its own software does differently.
    facts
        What it says of itself.
    """

    name: str
    plan: Plan
    members: tuple[Any, ...] = field(repr=False)
    runtime: str = "safetensors"
    version: str = "1"
    licence: str = ""
    source: str = ""
    reasons: tuple[Reason, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)


def refused(code: str, message: str) -> Refused:
    """A refusal for one reason."""
    return Refused([Reason(code, message)])


def tensors_of(path: Path) -> Any:
    """What a checkpoint of torch holds, as far as it is tensors and plain values: no code in it is run.

    Raises
    ------
    InputError
        If the file is damaged.
    Refused
        With ``MODEL_FOREIGN_CODE`` if it holds objects, whose code would run on loading.
    """
    import torch

    if not path.is_file():
        raise UsageError(f"There are no weights {path.name} in {path.parent.name}.")
    try:
        with _plain_numbers(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles of other protocols, which are read or refused all the same
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        what = _named(str(error))
        if not what:
            raise InputError(f"The weights {path.name} are damaged.") from error
        text = f"The weights {path.name} hold {what}, whose code would run on loading: save its state_dict alone."
        raise refused("MODEL_FOREIGN_CODE", text) from error
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise InputError(f"The weights {path.name} are damaged, or no checkpoint of torch.") from error


def _plain_numbers() -> AbstractContextManager[None]:
    """Let numbers and types of NumPy through, under their old and new names: nnU-Net logs with them."""
    import numpy as np
    import torch

    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]  # noqa: SLF001 - how NumPy pickles a number
    kinds = [type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?")]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    manager: AbstractContextManager[None] = torch.serialization.safe_globals(
        [*((scalar, name) for name in names), np.dtype, *kinds]
    )
    return manager


def _named(message: str) -> str:
    """The first object that torch would not load, as its message names it."""
    for word in ("GLOBAL ", "Unsupported global: GLOBAL "):
        _, found, rest = message.partition(word)
        if found:
            return rest.split()[0].strip(".,")
    return ""
