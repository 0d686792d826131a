"""Export for learning: many studies to one array of equal shapes and a table. One case never costs the others."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from isocenter import formats
from isocenter.errors import InputError, Refused, TryLater, UsageError
from isocenter.extras import needed
from isocenter.findings import Segmentation
from isocenter.nets.by_name import segment
from isocenter.pipeline import case as reading
from isocenter.pipeline.exporting import keeping
from isocenter.pipeline.exporting.exported import Exported, exported
from isocenter.pipeline.exporting.settings import ExportSettings
from isocenter.pipeline.exporting.shaping import Shaped, shaped
from isocenter.pipeline.exporting.sources import Source, sources
from isocenter.pipeline.provenance import Observer, combined, sha256, versions
from isocenter.pipeline.run import failure
from isocenter.reasons import Reason, Verdict, merge, verdict_of
from isocenter.volume import Volume

__all__ = ["ExportSettings", "Exported", "export", "exported"]

_EXPECTED = ("SEVERAL_PATIENTS",)  # what every export has
_SAME_MM = 0.02  # NIfTI rounds places to single precision
_DECIDES = ("isocenter", "isocenter sources", "numpy", "numba", "scipy")  # versions that can change a value


def export(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    settings: ExportSettings,
    masks: str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
) -> Exported:
    """Export many studies to one array of equal shapes, and a table that leads back to each.

    ``out`` then holds ``images`` and ``masks`` (``.zarr``, ``.npy``, or a folder of ``.npz``), ``manifest.csv`` and
    ``manifest.json``. Interrupted, even killed, it goes on with the next case when it is called again. It holds one
    case in memory at a time, and needs twice the room of the array on the disk until it is done.

    Parameters
    ----------
    paths
        Folders, files or zip archives of DICOM; NIfTI, NRRD or MetaImage files or folders of them; CSV files with a
        column ``path`` (and ``case``, ``series``, ``mask``; others go into the table).
    out
        An empty or new folder, or that of the same export.
    settings
        How cases are made alike.
    masks
        A folder of label files named as the image files are.
    observer
        Called with a short text as each case begins.

    Returns
    -------
    The export. A case that fails is a row with its reasons and without a place in the array.

    Raises
    ------
    UsageError
        If there is no image, or ``out`` holds something else or cannot be written.
    TryLater
        If the disk is full; what was done is kept.
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    folder = Path(out)
    todo = sources([Path(path) for path in given], settings, None if masks is None else Path(masks))
    if settings.format == "zarr":
        needed("zarr", "zarr")
    has_masks = any(one.mask is not None for one in todo)
    keys = [_key(one, settings) for one in todo]
    if _is_done(folder, keys):
        return exported(folder)
    keeping.claim(folder, settings)
    rows: list[keeping.Row] = []
    for number, (source, key) in enumerate(zip(todo, keys, strict=True), 1):
        if observer is not None:
            observer(f"Case {number} of {len(todo)}: {source.name}")
        row = keeping.kept(folder, source.name, key)
        if row is None:
            row, made = _done(source, settings, must_have_mask=has_masks)
            keeping.keep(folder, source.name, row | {"key": key}, made)
        rows.append(row | {"key": key})
    keeping.put_together(folder, _numbered(rows, settings), settings)
    return exported(folder)


def _key(source: Source, settings: ExportSettings) -> str:
    """What changes when a case has to be done anew: its input, the settings or the software."""
    software = [versions().get(name) for name in _DECIDES]
    said = [source.name, source.stamps, dict(source.facts), settings.to_dict(), software]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _is_done(folder: Path, keys: Sequence[str]) -> bool:
    try:
        made = exported(folder)
        is_there = made.settings["format"] == "npz" or not made.usable or made.images is not None
        return is_there and [row["key"] for row in made.rows] == list(keys)
    except (UsageError, InputError):
        return False


def _numbered(rows: Sequence[keeping.Row], settings: ExportSettings) -> list[keeping.Row]:
    """The rows with the place of each in the array: those that can be used and mean what the first of them means."""
    numbered, count = [], 0
    unit: dict[str, str] | None = None
    names: dict[str | int, str | int] = {}  # of each label its name, of each name its label
    for row in rows:
        told = row
        if settings.format != "npz" and Verdict(row["verdict"]).usable:
            unit = unit or row["unit"]
            told = _unlike(row, unit, names)
        is_usable = Verdict(told["verdict"]).usable
        numbered.append({**told, "index": count if is_usable else None})
        count += is_usable
    return numbered


def _unlike(row: keeping.Row, unit: dict[str, str], names: dict[str | int, str | int]) -> keeping.Row:
    """The row; as one that failed if its values or labels mean something else than those of the cases before it."""
    problem = ""
    if row["unit"] != unit:
        problem = f"Its values are in {row['unit']['value']!r}, those of the cases before it in {unit['value']!r}."
    named = {name: label for name, label in row["segments"].items() if name != f"label_{label}"}
    for name, label in named.items():
        if names.get(label, name) != name:
            problem = f"Its label {label} is {name}; in the cases before it, it is {names[label]}."
        if names.get(name, label) != label:
            problem = f"Its {name} is the label {label}; in the cases before it, it is {names[name]}."
    if not problem:
        names |= named | {label: name for name, label in named.items()}
        return row
    said = [*row["reasons"], {"code": "CASE_UNFIT", "message": Reason("CASE_UNFIT", problem).message}]
    return {**row, "verdict": str(Verdict.REJECTED), "reasons": said}


def _done(source: Source, settings: ExportSettings, *, must_have_mask: bool) -> tuple[keeping.Row, Shaped | None]:
    """A case with its row; one that fails has nothing but the row."""
    row = _row(source)
    try:
        digests, volume, mask = _read(source, settings, must_have_mask=must_have_mask)
        made = shaped(volume, mask, settings)
    except TryLater:
        raise
    except Exception as error:  # noqa: BLE001 - one case shall not cost the others
        return _with_reasons(row, merge(source.case.reasons, _why(error)), Verdict.REJECTED), None
    reasons = merge(source.case.reasons, made.image.reasons, made.labels.reasons if made.labels else ())
    return {**_with_reasons(row, reasons), **_facts(volume, made, settings), "input_sha256": combined(digests)}, made


def _read(
    source: Source, settings: ExportSettings, *, must_have_mask: bool
) -> tuple[Mapping[str, str], Volume, Segmentation | None]:
    if source.case.series is None and source.case.file is None:
        raise Refused(source.case.reasons)
    found = reading.read(source.case)
    digests = dict(found.digests)
    mask = None
    if source.mask is not None:
        mask = _told_apart(formats.load_segmentation(source.mask), found.volume)
        digests[str(source.mask)] = sha256(source.mask)
    elif settings.segment:
        mask = segment(found.volume, settings.segment)
    elif must_have_mask:
        raise UsageError("Other cases have a mask; this one has none.")
    reasons = merge(source.case.reasons, found.volume.reasons, mask.reasons if mask else ())
    if not verdict_of(reasons).usable:
        raise Refused(reasons)
    return digests, found.volume, mask


def _told_apart(mask: Segmentation, volume: Volume) -> Segmentation:
    """The mask, with a reason if its file puts it on another grid than that of the image."""
    if mask.grid.coincides(volume.grid, _SAME_MM):
        return mask
    text = "The labels lie on another grid than the image, and were brought to where their file says that they lie."
    if mask.grid.shape == volume.grid.shape:
        ends = np.array(list(product(*((0, n - 1) for n in mask.grid.shape))))
        apart = np.linalg.norm(mask.grid.to_world(ends) - volume.grid.to_world(ends), axis=1).max()
        text = f"{text[:-1]}; voxels of one index lie up to {apart:.3g} mm apart."
    return mask.with_reasons([Reason("MASK_ON_OTHER_GRID", text)])


def _why(error: Exception) -> tuple[Reason, ...]:
    if isinstance(error, Refused):
        return error.reasons
    if isinstance(error, InputError):
        return (Reason("INPUT_DAMAGED", str(error)),)
    if isinstance(error, UsageError):
        return (Reason("CASE_UNFIT", str(error)),)
    return (failure(error),)


def _row(source: Source) -> keeping.Row:
    series = source.case.series
    return {
        "case": source.name,
        "index": None,
        "verdict": "",
        "reasons": [],
        "path": source.path,
        "study_uid": series.study_uid if series else "",
        "series_uid": series.series_uid if series else "",
        "part": series.part if series else "",
        "modality": series.modality if series else "",
        "unit": None,
        **dict.fromkeys(("shape_before", "spacing_before_mm", "shape", "spacing_mm", "source_grid", "grid"), None),
        "segments": {},
        "segmenter": "",
        "input_sha256": "",
        "image_sha256": "",
        "facts": dict(source.facts),
    }


def _with_reasons(row: keeping.Row, reasons: Sequence[Reason], otherwise: Verdict = Verdict.OK) -> keeping.Row:
    verdict = verdict_of(reasons)
    said = [{"code": reason.code, "message": reason.message} for reason in reasons if reason.code not in _EXPECTED]
    return {**row, "verdict": str(otherwise if verdict.usable and not otherwise.usable else verdict), "reasons": said}


def _facts(volume: Volume, made: Shaped, settings: ExportSettings) -> dict[str, Any]:
    image, labels = made.image, made.labels
    return {
        "modality": volume.modality,
        "unit": {"value": image.unit.value, "scheme": image.unit.scheme, "meaning": image.unit.meaning},
        "shape_before": list(volume.grid.shape),
        "spacing_before_mm": list(volume.grid.spacing_mm),
        "shape": list(image.grid.shape),
        "spacing_mm": list(image.grid.spacing_mm),
        "source_grid": volume.grid.to_dict(),
        "grid": image.grid.to_dict(),
        "segments": {segment.name: segment.label for segment in labels.segments} if labels else {},
        "segmenter": settings.segment or ("file" if labels else ""),
        "image_sha256": hashlib.sha256(np.ascontiguousarray(image.array).data).hexdigest(),
    }
