"""What Isocenter itself makes of a folder, as an answer to the conformance suite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from isocenter.dicom.annotations.segmentation import read_segmentation
from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import Scan, scan
from isocenter.errors import InputError, Refused, UsageError
from isocenter.findings import Segmentation
from isocenter.reasons import Reason, Severity
from isocenter.testing.truth import Answer, Picture, Refusal
from isocenter.volume import Volume


def own_answer(folder: Path) -> Answer:
    """Every series and segmentation that the scan finds, read; its reasons as refusals, warnings and codes."""
    found = scan(folder)
    pictures: list[Picture] = []
    reasons: list[Reason] = []
    refusals = _refusals(one.reason for one in found.ignored)
    for one in _read(found):
        if isinstance(one, Exception):
            refusals += _refusals(one.reasons) if isinstance(one, Refused) else [Refusal(str(one))]
        else:
            pictures += _pictures(one)
            reasons += one.reasons
    warnings = [str(reason) for reason in reasons if reason.severity is not Severity.INFO]
    return Answer(pictures, refusals, warnings, [reason.code for reason in reasons])


def _read(found: Scan) -> Iterator[Volume | Segmentation | Exception]:
    for series in found:
        try:
            yield read(series)
        except Refused as refused:
            yield refused
    for finding in found.findings:
        try:
            yield read_segmentation(finding)
        except (InputError, Refused, UsageError) as refused:
            yield refused


def _pictures(one: Volume | Segmentation) -> list[Picture]:
    space = str(one.grid.space)
    if isinstance(one, Volume):
        return [Picture(one.array, one.grid.affine, space)]
    return [Picture(one.mask(name), one.grid.affine, space) for name in one.names]


def _refusals(reasons: Iterable[Reason]) -> list[Refusal]:
    return [Refusal(reason.message, reason.code) for reason in reasons]
