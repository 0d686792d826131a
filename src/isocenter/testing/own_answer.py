"""What Isocenter itself makes of a folder, as an answer to the conformance suite."""

from __future__ import annotations

from pathlib import Path

from isocenter.dicom.pixels import read
from isocenter.dicom.scan import scan
from isocenter.errors import Refused
from isocenter.reasons import Reason, Severity
from isocenter.testing.truth import Answer, Picture, Refusal


def own_answer(folder: Path) -> Answer:
    """Every series that the scan finds, read; its reasons as refusals, warnings and codes."""
    found = scan(folder)
    pictures: list[Picture] = []
    reasons: list[Reason] = []
    refusals = [_refusal(one.reason) for one in found.ignored]
    for series in found:
        try:
            volume = read(series)
        except Refused as refused:
            refusals += [_refusal(reason) for reason in refused.reasons]
            continue
        pictures.append(Picture(volume.array, volume.grid.affine, str(volume.grid.space)))
        reasons += volume.reasons
    warnings = [str(reason) for reason in reasons if reason.severity is not Severity.INFO]
    return Answer(pictures, refusals, warnings, [reason.code for reason in reasons])


def _refusal(reason: Reason) -> Refusal:
    return Refusal(reason.message, reason.code)
