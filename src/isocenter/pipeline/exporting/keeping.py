"""Cases that are done, on the disk; and all of them as one array and a table.

Each case is kept in a folder of its own that is there whole or not at all, under a key of its input, the settings and
the software: a run that was killed goes on after the last of them. When all are done they are put together, one case in
memory at a time, and the table is written last: without ``manifest.json`` an export is not done.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isocenter import __version__, formats
from isocenter.codes import Code
from isocenter.disk import explained, replacing, write_synced
from isocenter.errors import InputError, UsageError
from isocenter.extras import needed
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.formats.numpy import reserved
from isocenter.geometry import Grid
from isocenter.pipeline.exporting.settings import ExportSettings
from isocenter.pipeline.exporting.shaping import Shaped
from isocenter.pipeline.provenance import versions
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

Row = dict[str, Any]

MANIFEST, TABLE, PARTS = "manifest.json", "manifest.csv", "parts"
_SETTINGS = "export.json"
_CHUNK = 64  # slices of one case in a chunk of Zarr


def claim(folder: Path, settings: ExportSettings) -> None:
    """Make a folder that of an export with these settings.

    Raises
    ------
    UsageError
        If it holds something else, an export with other settings too.
    """
    said = json.dumps(settings.to_dict(), sort_keys=True) + "\n"
    note = folder / _SETTINGS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not note.exists():
            if any(folder.iterdir()):
                raise UsageError(f"{folder} holds other things: name an empty folder, or a new one.")
            with replacing(note) as temporary:
                write_synced(temporary, said.encode())
        elif note.read_text(encoding="utf-8") != said:
            raise UsageError(f"{folder} holds an export with other settings: name another folder, or remove it.")
        (folder / PARTS).mkdir(exist_ok=True)
    except OSError as error:
        raise explained(error, folder) from error


def kept(folder: Path, name: str, key: str) -> Row | None:
    """The row of a case that was done under this key; None if it has to be done."""
    try:
        row: Row = json.loads((folder / PARTS / name / "row.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return row if row.get("key") == key else None


def keep(folder: Path, name: str, row: Row, made: Shaped | None) -> None:
    """Keep a case that is done; of one that failed, its row alone."""
    with replacing(folder / PARTS / name) as part:
        part.mkdir()
        if made is not None:
            _write(part / "image.npy", made.image.array)
            if made.labels is not None:
                _write(part / "mask.npy", made.labels.array)
        write_synced(part / "row.json", json.dumps(row).encode())


def _write(path: Path, array: Array) -> None:
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)


def put_together(folder: Path, rows: Sequence[Row], settings: ExportSettings) -> None:
    """Write the array of all cases that could be used, their masks, and the table of all; then let go of the parts."""
    usable = [row for row in rows if row["index"] is not None]
    for name in (MANIFEST, TABLE):
        (folder / name).unlink(missing_ok=True)
    kinds = ["image", *(["mask"] if any(row["segmenter"] for row in usable) else [])]
    for kind in kinds if usable else ():
        if settings.format == "npz":
            _each(folder, usable, kind)
        else:
            _one_array(folder, usable, kind, settings)
    _write_table(folder, rows, settings)
    shutil.rmtree(folder / PARTS, ignore_errors=True)


def array_path(folder: Path, kind: str, settings_format: str) -> Path:
    """Where the array of all images or masks lies."""
    return folder / f"{kind}s.{settings_format}"


def case_path(folder: Path, name: str, kind: str) -> Path:
    """Where the file of one case lies, in the format npz."""
    return folder / f"{kind}s" / f"{name}.npz"


def _one_array(folder: Path, rows: Sequence[Row], kind: str, settings: ExportSettings) -> None:
    first = _part(folder, rows[0], kind)
    dtype = first.dtype if kind == "image" else np.result_type(*(_part(folder, row, kind).dtype for row in rows))
    shape = (len(rows), *first.shape)
    with replacing(array_path(folder, kind, settings.format)) as temporary:
        place = _zarr(temporary, shape, dtype) if settings.format == "zarr" else reserved(temporary, shape, dtype)
        for row in rows:
            place[row["index"]] = _part(folder, row, kind)
        if settings.format == "npy":
            place.flush()


def _each(folder: Path, rows: Sequence[Row], kind: str) -> None:
    (folder / f"{kind}s").mkdir(exist_ok=True)
    for row in rows:
        array = np.array(_part(folder, row, kind))
        formats.save(image_of(row, array, kind), case_path(folder, row["case"], kind))


def image_of(row: Mapping[str, Any], array: Array, kind: str) -> Volume | Segmentation:
    """The image or the labels of a case, at their place."""
    grid = Grid.from_dict(row["grid"])
    reasons = tuple(Reason(one["code"], one["message"]) for one in row["reasons"])
    if kind == "image":
        return Volume(array, grid, Code(**row["unit"]), modality=row["modality"], reasons=reasons)
    segments = tuple(Segment.named(name, label) for name, label in row["segments"].items())
    return Segmentation((array,), grid, segments, Algorithm(row["segmenter"], __version__), reasons=reasons)


def _part(folder: Path, row: Row, kind: str) -> Array:
    """What is kept of a case, from the disk as it is needed."""
    path = folder / PARTS / row["case"] / f"{kind}.npy"
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"What was kept of the case {row['case']} is damaged: remove {path.parent}.") from error
    return array


def _zarr(path: Path, shape: Sequence[int], dtype: np.dtype[Any]) -> Any:
    """An array of which each case is chunks of its own."""
    chunks = (1, min(_CHUNK, shape[1]), *shape[2:])
    options = {"write_empty_chunks": True}  # one that is missing is damage then
    names = ("case", "slice", "row", "column")
    return needed("zarr", "zarr").create_array(
        str(path), shape=tuple(shape), dtype=dtype, chunks=chunks, dimension_names=names, config=options
    )


def _write_table(folder: Path, rows: Sequence[Row], settings: ExportSettings) -> None:
    whole = {"isocenter": __version__, "settings": settings.to_dict(), "versions": dict(versions()), "cases": rows}
    text = io.StringIO()
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    for name, content in ((TABLE, text.getvalue()), (MANIFEST, json.dumps(whole, indent=1) + "\n")):
        with replacing(folder / name) as temporary:
            write_synced(temporary, content.encode("utf-8", "backslashreplace"))


def _flat(row: Row) -> dict[str, Any]:
    """A row for people and data frames; what has a structure is JSON."""
    flat = {name: value for name, value in row.items() if name not in ("key", "facts", "reasons")}
    flat["reasons"] = ";".join(dict.fromkeys(reason["code"] for reason in row["reasons"]))
    flat["unit"] = row["unit"]["value"] if row["unit"] else ""
    structured = {name: json.dumps(value) for name, value in flat.items() if isinstance(value, dict | list)}
    return {**flat, **structured, **row["facts"]}
