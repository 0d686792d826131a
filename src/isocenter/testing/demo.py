"""The demonstration study: a chest CT phantom of known truth, written as DICOM. No patient is in it."""

from __future__ import annotations

import json
from pathlib import Path

from isocenter.disk import explained, replacing
from isocenter.errors import UsageError
from isocenter.testing.dicom import Style, write_series
from isocenter.testing.phantom import CONSOLIDATION, GROUND_GLASS, PLEURAL_CONSOLIDATION, ChestOptions, chest_phantom

_HEADER = {
    "PatientName": "Phantom^Chest",
    "PatientID": "PHANTOM",
    "ReferringPhysicianName": "",
    "PositionReferenceIndicator": "",
    "StudyDescription": "Chest CT phantom",
    "SeriesDescription": "Chest 2.5 mm, soft kernel",
    "BodyPartExamined": "CHEST",
    "ConvolutionKernel": "STANDARD",
    "Manufacturer": "Isocenter",
    "ManufacturerModelName": "Chest phantom",
}


def write_study(folder: Path) -> tuple[Path, float]:
    """Write the study, in place of an older one of its own, with its truth in ``truth.json`` beside it.

    Returns
    -------
    The study's folder, and the volume of both lungs by construction in ml.

    Raises
    ------
    UsageError
        If a folder is there that this function did not write, or it cannot be written.
    """
    truth_file = folder.parent / "truth.json"
    if folder.exists() and not truth_file.exists():
        raise UsageError(f"{folder} is there already and is no demonstration study: name another folder with --out.")
    patches = (CONSOLIDATION, GROUND_GLASS, PLEURAL_CONSOLIDATION)
    phantom = chest_phantom(options=ChestOptions(patches=patches))
    truth = dict(phantom.volumes_ml)
    style = Style(seed="demo", attributes=_HEADER)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        truth_file.write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
        with replacing(folder) as written:
            write_series(phantom.volume.array, phantom.volume.grid, written, style=style)
    except OSError as error:
        raise explained(error, folder) from error
    return folder, truth["lung_right"] + truth["lung_left"]
