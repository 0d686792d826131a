"""The store: the folder in which models are kept by name. Nothing is ever downloaded into it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from isocenter.errors import InputError, UsageError
from isocenter.nets.models.model import COARSE, Model, load_model

VARIABLE = "ISOCENTER_MODELS"


def store_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where models are kept: ``$ISOCENTER_MODELS``, else ``isocenter/models`` where the system keeps users' data."""
    if stated := environment.get(VARIABLE):
        return Path(stated).expanduser()
    if sys.platform == "win32":
        return Path(environment.get("LOCALAPPDATA", Path.home())) / "isocenter" / "models"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "isocenter" / "models"
    return Path(environment.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "isocenter" / "models"


def place_of(name: str, store: Path | None = None) -> Path:
    """Folder of a model of this name; what no folder can be called becomes ``-``."""
    plain = re.sub(r"[^A-Za-z0-9._+-]+", "-", name).strip("-.")
    if not plain:
        raise UsageError(f"A model cannot be called {name!r}: take letters and digits.")
    return (store or store_folder()) / plain


def all_models(store: Path | None = None) -> dict[str, Model | InputError]:
    """Every model kept, by its folder's name; those that are damaged as the error that says so."""
    folder = store or store_folder()
    found: dict[str, Model | InputError] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or not (path / "model.json").is_file():
            continue
        try:
            found[path.name] = load_model(path)
        except InputError as error:
            found[path.name] = error
    return found


def find_model(name: str | os.PathLike[str], store: Path | None = None) -> Model:
    """The model of a folder, or of a name in the store.

    Raises
    ------
    UsageError
        If there is none.
    InputError
        If it is damaged.
    """
    if (Path(name) / "model.json").is_file():
        return _of_store(load_model(name), store)
    text = os.fspath(name)
    if text and re.fullmatch(r"[A-Za-z0-9._+-]+", text) and (place_of(text, store) / "model.json").is_file():
        return load_model(place_of(text, store), code="trusted")
    known = ", ".join(all_models(store)) or "none"
    raise UsageError(f"There is no model {text!r}: it is no folder of one, and kept by name are: {known}.")


def model_to_run(name: str | os.PathLike[str], store: Path | None = None) -> Model:
    """As :func:`find_model`, for whoever is about to run it.

    Raises
    ------
    UsageError
        If there is none; or if its weights are a program, and it is not kept in the store, whose models were trusted.
    InputError
        If it is damaged.
    """
    model = find_model(name, store)
    expect_trusted(model)
    return model


def _of_store(model: Model, store: Path | None) -> Model:
    """A model of a folder; trusted if the folder is one of the store's, into which it came by ``--trust``."""
    is_kept = model.folder.absolute().parent.resolve() == (store or store_folder()).resolve()
    return replace(model, code="trusted") if is_kept else model


def expect_trusted(model: Model) -> None:
    """Tell whoever is about to run weights that are a program of somebody who was not said to be trusted.

    Raises
    ------
    UsageError
        If they are, be it those of the model that tells this one where to look.
    """
    if model.code != "trusted" and (told := about_programs(model)):
        raise UsageError(
            f"{told} It was not run. If you trust where it comes from, keep it by `isocenter model add "
            f'{model.folder} --trust`, and run it by its name; in Python: load_model(folder, code="trusted").'
        )


def about_programs(model: Model) -> str:
    """A sentence that says whether a model, or the one that tells it where to look, is a program; empty of neither."""
    within = model.folder / COARSE
    both = [model, *([load_model(within)] if (within / "model.json").is_file() else [])]
    if all(one.runtime != "torchscript" for one in both):
        return ""
    return (
        f"The weights of the model {model.folder.name} are TorchScript, a program that can read and write files here "
        "with your rights."
    )


def remove_model(name: str, store: Path | None = None) -> Path:
    """Remove a model from the store; gives the folder that is gone.

    Raises
    ------
    UsageError
        If none of that name is kept there.
    """
    if name not in all_models(store):
        known = ", ".join(all_models(store)) or "none"
        raise UsageError(f"No model {name!r} is kept; kept are: {known}.")
    folder = (store or store_folder()) / name
    shutil.rmtree(folder)
    return folder
