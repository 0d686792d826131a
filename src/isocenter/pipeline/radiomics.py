"""An image and its mask from any two paths, and features as a file: what ``isocenter radiomics`` does."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from isocenter import formats
from isocenter.dicom.annotations.objects import FoundObject
from isocenter.dicom.reading.pixels import Quantity
from isocenter.dicom.scan import scan
from isocenter.disk import explained, replacing
from isocenter.errors import UsageError
from isocenter.findings import Segmentation
from isocenter.ops.copying import lattice_shift
from isocenter.ops.radiomics import Features, Processing
from isocenter.ops.resample import onto
from isocenter.pipeline import look
from isocenter.pipeline.case import is_image_file
from isocenter.reasons import Reason
from isocenter.volume import Volume

SUFFIXES = (".csv", ".json")
"""What features are written as."""


def read(
    image: Path, mask: Path, series: str = "best", *, values: Quantity = "native"
) -> tuple[Volume, Segmentation, look.Taken | None]:
    """An image, the segments of a mask on its grid, and the series that the image is of, if it is one.

    Parameters
    ----------
    image
        Folder, file or zip file of DICOM, or one volume in another format.
    mask
        A label map in a file, or DICOM SEG or RT Structure Set: a file, or a folder that holds one. It may be the
        folder of the image.
    series, values
        As for :func:`isocenter.pipeline.look.volume`.

    Raises
    ------
    UsageError
        If there is no image, or not one mask.
    Refused
        If the series is held or rejected, or no right segmentation can be made.
    """
    if not is_image_file(mask):
        stored = _stored(mask)
        volume, taken = look.under(stored, image, series, values=values)
        return volume, look.stored_on(stored, volume.grid), taken
    volume, taken = look.volume(image, series, values=values)
    found = formats.load_segmentation(mask)
    moved = onto(found, volume.grid)
    if lattice_shift(volume.grid.index_transform(found.grid), volume.grid.shape) is None:
        moved = moved.with_reasons([Reason("MASK_MOVED", "The mask lies on another lattice than the image.")])
    return volume, moved, taken


def _stored(path: Path) -> FoundObject:
    found = scan(path).findings
    if len(found) == 1:
        return found[0]
    names = ", ".join(one.path for one in found[:5])
    hint = f"name one: {names}" if found else "give a DICOM SEG or RT Structure Set, or a label map as NIfTI or NRRD"
    raise UsageError(f"{path} holds {len(found)} segmentations or RT Structure Sets; {hint}.")


def expect_suffix(path: Path) -> None:
    """Tell a caller whose file has a name that features are not written to, before they are computed.

    Raises
    ------
    UsageError
        If it ends on none of :data:`SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"Features are written as {' or '.join(SUFFIXES)}, not as {path.name!r}.")


def write(found: Features, processing: Processing, path: Path) -> None:
    """Write features as CSV (one row each), or as JSON (with the processing and the reasons too).

    Raises
    ------
    UsageError
        If the name ends on neither, or the file cannot be written.
    TryLater
        If the disk is full.
    """
    expect_suffix(path)
    text = json.dumps(facts(found, processing), indent=2) if path.suffix.lower() == ".json" else _table(found)
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise explained(error, path) from error


def _table(found: Features) -> str:
    text = io.StringIO()
    rows = found.to_dicts()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def facts(found: Features, processing: Processing) -> dict[str, Any]:
    """What is known of features, as plain values for JSON."""
    return {
        "processing": {one.name: _plain(getattr(processing, one.name)) for one in fields(processing)},
        "features": found.to_dicts(),
        "reasons": [reason.to_dict() for reason in found.reasons],
    }


def _plain(value: object) -> object:
    """A setting as JSON knows it: bins by their kind and values, an open end as null."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if hasattr(value, "__dataclass_fields__"):
        kept: Mapping[str, object] = {name: getattr(value, name) for name in value.__dataclass_fields__}
        return {"kind": type(value).__name__, **kept}
    return value
