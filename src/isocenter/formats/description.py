"""An image without its values as plain JSON, and back: what NIfTI and NRRD have no field for, all of NPZ and Zarr."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from isocenter.codes import Code
from isocenter.errors import InputError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.reasons import Reason
from isocenter.volume import Array, Source, Volume

MAKER = "isocenter"
"""Key under which a description lies in a file."""

_CHECK = "crc32"


def meaning(image: Volume | Segmentation) -> dict[str, Any]:
    """What the values mean: unit, modality and axes of a volume, segments and algorithm of a segmentation.

    The grid comes with it where it lies in no patient: files of other makers' formats have no word for that. Reasons
    come without the instances that they concern.
    """
    further: dict[str, Any] = {} if image.grid.space is Space.PATIENT else {"grid": image.grid.to_dict()}
    if image.reasons:
        further["reasons"] = [[reason.code, reason.message, []] for reason in image.reasons]
    if isinstance(image, Segmentation):
        return {
            "kind": "segmentation",
            "segments": [asdict(segment) for segment in image.segments],
            "algorithm": asdict(image.algorithm),
            **further,
        }
    if image.time_step_s is not None:
        further["time_step_s"] = image.time_step_s
    unit = asdict(image.unit)
    return {"kind": "volume", "unit": unit, "modality": image.modality, "axes": list(image.axes), **further}


def everything(image: Volume | Segmentation) -> dict[str, Any]:
    """All but the values: the meaning, grid, sources and reasons."""
    sources = [None if source is None else [source.sop_instance_uid, source.frame] for source in image.sources]
    return {
        **meaning(image),
        "grid": image.grid.to_dict(),
        "sources": sources,
        "reasons": [[reason.code, reason.message, list(reason.instances)] for reason in image.reasons],
    }


def text(values: dict[str, Any]) -> str:
    """JSON of a description with its checksum, the same for the same values."""
    return json.dumps({MAKER: values, _CHECK: _checksum(values)}, sort_keys=True, separators=(",", ":"))


def parsed(written: str) -> dict[str, Any] | None:
    """The description in a JSON text; None if it is none of ours.

    Raises
    ------
    InputError
        If its checksum says that it is not as it was written.
    """
    try:
        said = json.loads(written)
        values = said[MAKER]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(values, dict):
        return None
    if said.get(_CHECK, _checksum(values)) != _checksum(values):
        raise InputError("The description in the file is damaged: its checksum is another.")
    return values


def _checksum(values: dict[str, Any]) -> str:
    plain = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return f"{zlib.crc32(plain.encode()):08x}"


def image_of(
    values: dict[str, Any], arrays: Sequence[Array], grid: Grid, *, reasons: Sequence[Reason] = ()
) -> Volume | Segmentation:
    """The image that a description and its arrays (one; of a segmentation its layers) tell of.

    Raises
    ------
    InputError
        If the description is damaged or does not fit the arrays.
    """
    try:
        sources = tuple(None if source is None else Source(*source) for source in values.get("sources", ()))
        said = tuple(Reason(code, message, tuple(ids)) for code, message, ids in values.get("reasons", ()))
        if values["kind"] == "segmentation":
            segments = tuple(_segment(row) for row in values["segments"])
            algorithm = _algorithm(values["algorithm"])
            return Segmentation(tuple(arrays), grid, segments, algorithm, sources, (*said, *reasons))
        (array,) = arrays
        unit, axes = Code(**values["unit"]), tuple(values["axes"])
        step = values.get("time_step_s")
        seconds = None if step is None else float(step)
        return Volume(array, grid, unit, axes, values["modality"], sources, (*said, *reasons), seconds)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"The description in the file is damaged or does not fit its values: {error}") from error


def grid_of(values: dict[str, Any]) -> Grid:
    """The grid in a description."""
    try:
        return Grid.from_dict(values["grid"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"The file's grid is damaged: {error}") from error


def segments_of(labels: Volume, named: Mapping[int, Segment] | None = None) -> Segmentation:
    """Segmentation of a label map of others: one segment per label that it holds, as it is named, or ``label_7``."""
    array = labels.array
    if labels.axes or (array.dtype.kind == "f" and not np.array_equal(array, np.rint(array))):
        raise InputError("The file is no label map: it has further axes or values that are not whole.")
    low, high = array.min(), array.max()
    if low < 0 or high >= 2**16:
        raise InputError(f"The file is no label map: its values reach from {low} to {high}.")
    whole = array if array.dtype.kind == "u" else array.astype(np.uint8 if high < 256 else np.uint16)
    found = [int(label) for label in np.unique(whole) if label]
    known = named or {}
    segments = [known.get(label) or Segment.named(f"label_{label}", label) for label in found]
    return Segmentation.of(whole, labels, segments, Algorithm("unknown", ""))


def _segment(row: dict[str, Any]) -> Segment:
    property_type, category = Code(**row["property_type"]), Code(**row["property_category"])
    red, green, blue = row["color"]
    modifier, region = (Code(**row[name]) if row.get(name) else None for name in ("modifier", "region"))
    return Segment(
        row["name"], row["label"], row["title"], property_type, category, (red, green, blue), row.get("layer", 0),
        modifier, region,
    )  # fmt: skip


def _algorithm(row: dict[str, Any]) -> Algorithm:
    settings = tuple((key, value) for key, value in row["settings"])
    family = {"family": Code(**row["family"])} if row.get("family") else {}
    return Algorithm(row["name"], row["version"], settings, **family)
