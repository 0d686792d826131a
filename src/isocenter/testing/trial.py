"""Trial: damaged files are scanned and read as if they were sound, and what came of it is told.

The promise that is put to the test: right, or refused, or right but for what a reason says; never wrong in silence, and
never a crash. Time and memory are watched from outside (``tests/soak``).
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from isocenter.dicom.file.elements import EXPLICIT_BIG, WANTED, DamagedHeaderError, NotDicomError
from isocenter.dicom.file.files import MemoryBytes
from isocenter.dicom.file.header import read_header
from isocenter.dicom.frames.instance import instance_from
from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.dicom.sorting.series import Series
from isocenter.errors import InputError, Refused, TryLater
from isocenter.reasons import CODES, Severity
from isocenter.testing.reference import NoReferenceError, differences, header_of
from isocenter.volume import Volume


class Kind(StrEnum):
    """What came of a trial, best first."""

    REFUSED = "refused"
    """Nothing was read, and a reason says why."""
    EQUAL = "equal"
    """What was read equals the slow reading."""
    TOLD = "told"
    """It does not, or there is no slow reading; a reason that sound files do not have says what is wrong."""
    UNJUDGED = "unjudged"
    """The slow reading does not know this kind of image."""
    ALONE = "alone"
    """It was read without a reason, where the slow reading fails."""
    HEADER = "header"
    """The fast header is not that of pydicom, though what was read is not wrong."""
    SILENT = "silent"
    """It was read without a reason, and differs from the slow reading."""
    CRASH = "crash"
    """An error that is none of the documented ones."""


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Parameters
    ----------
    kind
        The worst of all that was read.
    detail
        What differed, or what was raised.
    codes
        All reason codes that were met.
    voxels
        Number of voxels of the largest volume that was read.
    """

    kind: Kind
    detail: str = ""
    codes: frozenset[str] = frozenset()
    voxels: int = 0


def read_all(folder: Path) -> tuple[list[tuple[Series, Volume]], frozenset[str]]:
    """All volumes under a folder that can be had, and the codes of all reasons that were met.

    Raises
    ------
    Exception
        Whatever the reader raises that is not documented.
    """
    volumes: list[tuple[Series, Volume]] = []
    codes: set[str] = set()
    try:
        found = scan(folder)
    except (InputError, TryLater) as error:
        return [], frozenset({type(error).__name__})
    codes.update(one.reason.code for one in found.ignored)
    for series in found:
        codes.update(reason.code for reason in series.reasons)
        try:
            volume = read(series)
        except Refused as refused:
            codes.update(reason.code for reason in refused.reasons)
        except (InputError, TryLater) as error:
            codes.add(type(error).__name__)
        else:
            codes.update(reason.code for reason in volume.reasons)
            volumes.append((series, volume))
    return volumes, frozenset(codes)


def judged(
    read_files: tuple[list[tuple[Series, Volume]], frozenset[str]], contents: Mapping[str, bytes], usual: frozenset[str]
) -> Outcome:
    """What is to be said of what was read.

    Parameters
    ----------
    read_files
        What :func:`read_all` gave.
    contents
        Path of each file -> its bytes.
    usual
        Codes of the reasons that the sound files give: they excuse nothing.
    """
    volumes, codes = read_files
    is_told = any(_excuses(code) for code in codes - (usual - {"HEADER_IRREGULAR"}))
    outcomes = [_outcome(series, volume, contents, is_told=is_told) for series, volume in volumes]
    outcomes += [_same_instances(series, contents) for series, _ in volumes]
    outcomes += [_header_outcome(content, is_told=is_told) for content in contents.values()]
    ranks = list(Kind)
    worst = max(outcomes, key=lambda one: ranks.index(one.kind), default=Outcome(Kind.REFUSED))
    largest = max((volume.array.size for _, volume in volumes), default=0)
    return Outcome(worst.kind, worst.detail, codes, largest)


def crashed(error: BaseException) -> Outcome:
    """The outcome of a trial in which an undocumented error was raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return Outcome(
        Kind.CRASH, f"{type(error).__name__}: {str(error)[:200]} at {Path(last.filename).name}:{last.lineno}"
    )


def _excuses(code: str) -> bool:
    """Whether a reason may explain a difference: it says more than what is worth knowing."""
    return code != "OUTSIDE_SCAN_CIRCLE" and code in CODES and CODES[code].severity is not Severity.INFO


def _outcome(series: Series, volume: Volume, contents: Mapping[str, bytes], *, is_told: bool) -> Outcome:
    if series.grid is None or series.grid.is_sheared:
        return Outcome(Kind.UNJUDGED, f"{series.modality} of {volume.array.shape}")
    try:
        found = differences(series, volume, contents)
    except NoReferenceError as error:
        is_beyond = "NotImplementedError: Unable to decode" in str(error)  # pydicom has no decoder
        return Outcome(Kind.TOLD if is_told else Kind.UNJUDGED if is_beyond else Kind.ALONE, str(error))
    if not found:
        return Outcome(Kind.EQUAL)
    return Outcome(Kind.TOLD if is_told else Kind.SILENT, "; ".join(found))


def _header_outcome(content: bytes, *, is_told: bool) -> Outcome:
    """Whether the header, where one is found, is the one that pydicom finds."""
    try:
        header = read_header(MemoryBytes(content))
    except (NotDicomError, DamagedHeaderError):
        return Outcome(Kind.REFUSED)
    try:
        expected = header_of(content)
    except NoReferenceError as error:
        return Outcome(Kind.TOLD if is_told else Kind.HEADER, f"pydicom fails: {error}")
    if header.transfer_syntax == EXPLICIT_BIG:  # its values are turned round, and by pydicom in any case
        return Outcome(Kind.REFUSED)
    found = {tag: value for tag, value in header.values.items() if tag != WANTED["SpecificCharacterSet"]}
    odd = [f"{tag:08X}" for tag in {*found, *expected} if _bare(found.get(tag)) != _bare(expected.get(tag))]
    if not odd:
        return Outcome(Kind.REFUSED)
    return Outcome(Kind.TOLD if is_told or header.is_irregular else Kind.HEADER, " ".join(sorted(odd)))


def _bare(value: bytes | None) -> bytes | None:
    return value if value is None else value.rstrip(b"\0 ")


def _same_instances(series: Series, contents: Mapping[str, bytes]) -> Outcome:
    """Whether each instance, read in company, is the one that its file gives by itself."""
    for instance in series.instances:
        alone = instance_from(
            instance.file, read_header(MemoryBytes(contents[instance.path])), stamp=instance.file_stamp
        )
        if alone != instance:
            return Outcome(Kind.HEADER, f"in company {instance} for {alone}")
    return Outcome(Kind.REFUSED)
