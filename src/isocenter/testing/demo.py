"""The demonstration study: a chest CT phantom of known truth, written as DICOM. No patient is in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

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
    """Write the study, in place of an older one, with its truth in ``truth.json`` beside it.

    Returns
    -------
    The study's folder, and the volume of both lungs by construction in ml.
    """
    patches = (CONSOLIDATION, GROUND_GLASS, PLEURAL_CONSOLIDATION)
    phantom = chest_phantom(options=ChestOptions(patches=patches))
    shutil.rmtree(folder, ignore_errors=True)
    write_series(phantom.volume.array, phantom.volume.grid, folder, style=Style(seed="demo", attributes=_HEADER))
    truth = dict(phantom.volumes_ml)
    (folder.parent / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return folder, truth["lung_right"] + truth["lung_left"]
