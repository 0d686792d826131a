"""A reference and a stream of cases from any paths, and whether the stream drifted: what ``isocenter drift`` does."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter import evaluate
from isocenter.datasets import open_dataset
from isocenter.disk import explained, replacing
from isocenter.errors import InputError, IsocenterError, UsageError
from isocenter.evaluate.drift import REFERENCE, STRETCH, Part
from isocenter.nets.models.model import load_model, with_facts
from isocenter.nets.models.store import find_model
from isocenter.pipeline import look
from isocenter.pipeline.evaluating.places import by_name
from isocenter.pipeline.evaluating.reading import labels_of
from isocenter.reasons import Reason, counted

Observer = Callable[[str], None]


@dataclass(frozen=True)
class Watched:
    """What was found out of a stream.

    Parameters
    ----------
    drift
        Whether it drifted, and where.
    reference
        The profile that it was compared with.
    reasons
        Those of the drift, and of cases that could not be read.
    """

    drift: evaluate.Drift
    reference: evaluate.Profile
    reasons: tuple[Reason, ...]


def run(
    reference: Path,
    stream: Path,
    *,
    outputs: tuple[Path | None, Path | None] = (None, None),
    size: int = STRETCH,
    observer: Observer = lambda _: None,
) -> Watched:
    """Compare a stream with a reference.

    Parameters
    ----------
    reference
        A profile (``.json``), a model that keeps one, or a folder or data set of images.
    stream
        A folder or data set of images, in the order of the names of their cases.
    outputs
        Folders of the segmentations of reference and stream; None without.
    size
        Cases in a stretch.
    observer
        Is told which case is looked at.

    Raises
    ------
    UsageError
        If there are no cases, or too few in the reference.
    """
    known, told = _profile(reference, outputs[0], observer)
    cases, about = traits_of(stream, outputs[1], observer)
    if not cases:
        raise UsageError(f"No image of {stream} can be read: {about[0].message}")
    found = evaluate.drift(known, cases, size=size)
    return Watched(found, known, (*told, *about, *found.reasons))


def _profile(path: Path, outputs: Path | None, observer: Observer) -> tuple[evaluate.Profile, tuple[Reason, ...]]:
    if path.suffix.lower() == ".json":
        return evaluate.Profile.from_dict(_json(path)), ()
    if (path / "model.json").is_file() or not path.exists():
        kept = find_model(path).facts.get(REFERENCE)
        if kept is None:
            raise UsageError(f"The model {path} keeps no profile: keep one by --keep, from the cases that prove it.")
        return evaluate.Profile.from_dict(kept), ()
    cases, about = traits_of(path, outputs, observer)
    return evaluate.profile(cases), about


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path.name} is no JSON.") from error


def keep(profile: evaluate.Profile, target: Path) -> None:
    """Keep a profile: in the facts of a model, or as a file of JSON.

    Raises
    ------
    UsageError
        If it is neither.
    """
    if (target / "model.json").is_file():
        with_facts(load_model(target), **{REFERENCE: profile.to_dict()})
        return
    if target.suffix.lower() != ".json":
        raise UsageError(
            f"A profile is kept in a model's folder, or in a file that ends in .json; not {target.name!r}."
        )
    try:
        with replacing(target) as temporary:
            temporary.write_text(json.dumps(profile.to_dict()), encoding="utf-8")
    except OSError as error:
        raise explained(error, target) from error


def traits_of(path: Path, outputs: Path | None, observer: Observer) -> tuple[list[evaluate.Traits], tuple[Reason, ...]]:
    """Traits of every case of a folder or data set; a reason for those that cannot be read."""
    images = _images(path)
    results = by_name(outputs) if outputs is not None else {}
    found: list[tuple[str, dict[str, float], dict[str, float] | None]] = []
    unread: list[tuple[str, str]] = []
    for name, image in images.items():
        observer(f"Looking at {name}")
        try:
            inputs = evaluate.input_traits(look.volume(image)[0])
            given = evaluate.output_traits(labels_of(results[name], image)) if name in results else None
            found.append((name, inputs, given))
        except IsocenterError as error:
            unread.append((name, str(error)))
    nothing = dict.fromkeys((trait for _, _, given in found for trait in given or {}), 0.0)
    made = [
        evaluate.Traits(name, inputs, {} if given is None else {**nothing, **given}) for name, inputs, given in found
    ]
    if not unread:
        return made, ()
    text = f"{counted(len(unread), 'case', 'cases')} cannot be read, as {unread[0][0]}: {unread[0][1]}"
    return made, (Reason("CASES_UNREAD", text, tuple(name for name, _ in unread)),)


def _images(path: Path) -> dict[str, Path]:
    if not path.exists():
        raise UsageError(f"There is no {path}.")
    found = by_name(path) if path.is_dir() else {}
    if found:
        return found
    return {case.id: case.images[0] for case in open_dataset(path).cases}


def facts(found: Watched) -> dict[str, Any]:
    """What was found out, as plain values; what is not known is None."""
    return {
        "drifted": found.drift.has_drifted,
        "reference_cases": found.reference.count,
        "stretches": [
            {"cases": list(one.cases), "inputs": _part(one.inputs), "outputs": _part(one.outputs)}
            for one in found.drift.stretches
        ],
        "reasons": [reason.to_dict() for reason in found.reasons],
    }


def _part(part: Part | None) -> dict[str, Any] | None:
    if part is None:
        return None
    rows: Sequence[dict[str, Any]] = [
        {
            "trait": one.name,
            "reference": one.reference if math.isfinite(one.reference) else None,
            "now": one.now if math.isfinite(one.now) else None,
            "psi": one.psi,
            "ks": one.ks,
            "p": one.p,
        }
        for one in part.shifts
    ]
    return {"drifted": part.has_drifted, "discrepancy_p": part.discrepancy_p, "traits": rows}
