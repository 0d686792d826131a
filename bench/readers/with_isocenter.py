"""Isocenter: every series that the scan finds, read; reasons as refusals and warnings."""

from __future__ import annotations

from pathlib import Path

from isocenter import __version__
from isocenter.dicom.pixels import read as read_series
from isocenter.dicom.scan import scan
from isocenter.errors import Refused
from isocenter.reasons import Reason, Severity
from isocenter.testing.conformance import Answer, Picture, Refusal

VERSIONS = {"isocenter": __version__}


def read(folder: Path) -> Answer:
    found = scan(folder)
    pictures, refusals, reasons = [], [_refusal(one.reason) for one in found.ignored], []
    for series in found:
        try:
            volume = read_series(series)
        except Refused as refused:
            refusals += [_refusal(reason) for reason in refused.reasons]
            continue
        pictures.append(Picture(volume.array, volume.grid.affine, str(volume.grid.space)))
        reasons += volume.reasons
    warnings = [str(reason) for reason in reasons if reason.severity is not Severity.INFO]
    return Answer(pictures, refusals, warnings, [reason.code for reason in reasons])


def _refusal(reason: Reason) -> Refusal:
    return Refusal(reason.message, reason.code)
