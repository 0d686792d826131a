"""Models of others: what a path holds is recognised, read without running its code, tried, and kept as one of ours.

=====================================  =================================================================================
MONAI bundle (folder or zip)           ``configs/metadata.json``, ``configs/inference.json``, ``models/model.pt``
nnU-Net v2 results                     ``plans.json``, ``dataset.json``, ``fold_*``; TotalSegmentator's weights are such
ONNX, TorchScript                      a file, with a plan as JSON beside it or in it
a model of ours                        ``model.json``
=====================================  =================================================================================

Nothing is downloaded.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from isocenter.disk import replacing
from isocenter.errors import InputError, UsageError
from isocenter.nets.importing.found import Found, Wishes, refused
from isocenter.nets.models.model import Code, Model, copied, load_model, save_model, with_facts
from isocenter.nets.models.store import about_programs, place_of
from isocenter.nets.plan import Plan
from isocenter.reasons import Reason

__all__ = ["Code", "Wishes", "import_model"]

_AS_FOUND = Wishes()


def import_model(path: str | os.PathLike[str], *, wishes: Wishes = _AS_FOUND, store: Path | None = None) -> Model:
    """Read a foreign model, try it on one window, and keep it.

    Parameters
    ----------
    path
        See the table above.
    wishes
        What its files leave open.
    store
        Where it is kept; by default :func:`isocenter.nets.models.store.store_folder`. A model of the same name is
        replaced.

    Raises
    ------
    UsageError
        If nothing known lies there, or something has to be told.
    InputError
        If it is damaged, or does not run.
    Refused
        If no right use of it can be made, with the reasons.
    """
    source = Path(path)
    if not source.exists():
        raise UsageError(f"There is nothing at {source}.")
    if (source / "model.json").is_file():
        model = load_model(source, code=wishes.code)
        if wishes.code != "trusted" and (told := about_programs(model)):
            raise refused("MODEL_FOREIGN_CODE", f"{told} If you trust where it comes from, say so by --trust.")
        licence = wishes.licence or model.licence
        return _kept_copy(replace(model, name=wishes.name or model.name, licence=licence), store)
    found = _read(source, wishes)
    if wishes.licence:
        found = replace(found, licence=wishes.licence)
    return _kept(found, place_of(wishes.name or found.name, store), wishes)


def _read(path: Path, wishes: Wishes) -> Found:
    """What a path holds, by the first reader that knows it."""
    from isocenter.nets.importing import files, monai_bundle, nnunet

    for knows, read in (
        (monai_bundle.is_bundle, monai_bundle.read_bundle),
        (nnunet.is_nnunet, nnunet.read_nnunet),
        (files.is_onnx, files.read_onnx),
        (files.is_torchscript, files.read_torchscript),
    ):
        if knows(path):
            return read(path, wishes)
    raise UsageError(
        f"{path.name} is no model that is known here: a MONAI bundle (configs/metadata.json), results of nnU-Net v2 "
        "(plans.json), an .onnx or .ts file, or a folder with model.json."
    )


def _kept(found: Found, place: Path, wishes: Wishes) -> Model:
    """The model in the store, once it has been tried."""
    from isocenter.nets.importing.trial import tried

    _expect_whole(found.plan)
    reasons = [{"code": one.code, "message": one.message} for one in (*found.reasons, *_about_licence(found))]
    facts = {key: value for key, value in found.facts.items() if value not in (None, "")}
    with replacing(place) as temporary:
        model = Model(
            wishes.name or found.name,
            found.version,
            found.plan,
            temporary,
            {},
            found.runtime,
            found.licence or "unknown",
            found.source,
            {**facts, "reasons": reasons},
            wishes.code,
        )
        saved = save_model(model, found.members)
        with_facts(saved, trial=tried(saved))
    return load_model(place, code=wishes.code)


def _kept_copy(model: Model, store: Path | None) -> Model:
    """A model of ours, copied into the store under its name and tried there."""
    from isocenter.nets.importing.trial import tried
    from isocenter.nets.region import coarse_of, with_coarse

    place = place_of(model.name, store)
    coarse = coarse_of(model)
    with replacing(place) as temporary:
        made = copied(model, temporary)
        if coarse is not None:
            with_coarse(made, coarse)
        with_facts(made, trial=tried(made))
    return load_model(place, code=model.code)


def _about_licence(found: Found) -> tuple[Reason, ...]:
    text = "Nothing states the licence of these weights: ask who made them before you use them."
    return () if found.licence else (Reason("MODEL_LICENCE_UNKNOWN", text),)


def _expect_whole(plan: Plan) -> None:
    """Tell of a plan whose channels and normalisations do not go together."""
    if len(plan.channels) != len(plan.normalisation):
        raise InputError(f"The plan has {len(plan.channels)} channels and {len(plan.normalisation)} normalisations.")
