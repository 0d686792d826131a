"""Cases: the units of work of a run. One case is one volume to process, or one study of which nothing can be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from isocenter.dicom.scan import Progress, Scan, scan
from isocenter.dicom.series import Series
from isocenter.errors import UsageError
from isocenter.pipeline.choose import choose
from isocenter.pipeline.provenance import sha256
from isocenter.pipeline.spec import Pipeline
from isocenter.reasons import Reason
from isocenter.volume import Volume

_FILE_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".npz")


@dataclass(frozen=True)
class Case:
    """One volume to process.

    Parameters
    ----------
    study
        Name of the study's folder: its Study Instance UID, or the stem of a file that is not DICOM.
    name
        Name of the case's folder within.
    series
        The DICOM series, if the input is one.
    file
        The file, if the input is not DICOM.
    reasons
        What the choice had to say.
    left
        The other series of the study, each with the reason it was left.
    """

    study: str
    name: str
    series: Series | None = None
    file: Path | None = None
    reasons: tuple[Reason, ...] = ()
    left: tuple[tuple[Series, Reason], ...] = field(default=(), repr=False)

    @property
    def title(self) -> str:
        """What was looked at, in a few words."""
        if self.series is not None:
            return self.series.name
        return self.file.name if self.file is not None else "no series fits"


@dataclass(frozen=True)
class Input:
    """What a case was read from: the volume and the SHA-256 of each file behind it."""

    volume: Volume
    digests: Mapping[str, str]


def is_image_file(path: Path) -> bool:
    """Whether a path names a file that :func:`isocenter.load` reads."""
    return path.is_file() and path.name.lower().endswith(_FILE_SUFFIXES)


def cases(path: Path, pipeline: Pipeline, wanted: str) -> tuple[Case, ...]:
    """The cases of a folder, file or zip file, study by study.

    Raises
    ------
    UsageError
        If it holds no image, or the wanted series is not there.
    """
    if is_image_file(path):
        stem = path.name.split(".")[0]
        text = f"{path.name} is not DICOM: no SEG, Structured Report or other DICOM object was made."
        return (Case(stem, pipeline.name, file=path, reasons=(Reason("NO_DICOM_OBJECTS", text),)),)
    found = scanned(path)
    patients = {series.instances[0].patient_key for series in found}
    several = f"The folder holds studies of {len(patients)} patients; each was processed by itself."
    common = (Reason("SEVERAL_PATIENTS", several),) if len(patients) > 1 else ()
    made = tuple(case for study in _studies(found) for case in _of_study(study, pipeline, wanted, common))
    if wanted not in ("best", "all") and not any(case.series for case in made):
        raise UsageError(f"No series has the number or UID {wanted}; `isocenter index` lists them.")
    return made


def scanned(path: Path, *, progress: Progress | None = None) -> Scan:
    """Scan a path that must hold DICOM images.

    Parameters
    ----------
    path
        Folder, file or zip file.
    progress
        Called with the number of files done, and of all files where it is known.

    Raises
    ------
    UsageError
        If it holds none.
    """
    found = scan(path, progress=progress)
    if not found:
        count = len(found.ignored)
        what = f"none of its {count} files is a DICOM image" if count else "it has no files"
        others = any(is_image_file(Path(item.path)) for item in found.ignored)
        hint = " NIfTI and NRRD files are taken one at a time: name one." if others else ""
        raise UsageError(f"There is no DICOM image in {path}: {what}.{hint}")
    return found


def read(case: Case) -> Input:
    """Read the voxels of a case.

    Raises
    ------
    Refused
        If the series is held or rejected.
    InputError
        If the file is damaged.
    """
    if case.series is not None:
        from isocenter.dicom.pixels import read_with_digests

        volume, digests = read_with_digests(case.series)
        return Input(volume, digests)
    from isocenter import formats

    if case.file is None:
        raise ValueError("A case without series and file has nothing to read.")
    return Input(formats.load(case.file), {str(case.file): sha256(case.file)})


def _studies(found: Scan) -> Iterator[tuple[Series, ...]]:
    ordered = sorted(found, key=lambda series: series.study_uid)
    for _, study in groupby(ordered, key=lambda series: series.study_uid):
        yield tuple(study)


def _of_study(study: Sequence[Series], pipeline: Pipeline, wanted: str, common: tuple[Reason, ...]) -> Iterator[Case]:
    uid = study[0].study_uid or "study"
    choice = choose(study, pipeline.rule, wanted)
    if not choice.taken:
        if wanted in ("best", "all"):
            text = f"No series of the study fits the rule: {pipeline.rule.text}."
            reasons = (*common, Reason("NO_SERIES_FITS", text), *(reason for _, reason in choice.left))
            yield Case(uid, pipeline.name, reasons=reasons, left=choice.left)
        return
    for name, (series, reasons) in zip(_names(choice.taken, pipeline), choice.taken, strict=True):
        yield Case(uid, name, series, reasons=(*common, *reasons), left=choice.left)


def _names(taken: Sequence[tuple[Series, object]], pipeline: Pipeline) -> list[str]:
    """Folder names, each once: of several volumes with one series number all but the first get a mark of their own."""
    names: list[str] = []
    for series, _ in taken:
        name = pipeline.name if series.number is None else f"{pipeline.name}_series{series.number}"
        if name in names:
            mark = hashlib.sha256(f"{series.series_uid} {series.name}".encode()).hexdigest()[:8]
            name = f"{name}_{mark}"
        names.append(name)
    return names
