"""Cases: the units of work of a run. One case is one volume to process, or one study of which nothing can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from isocenter.dicom.scan import Progress, Scan, scan
from isocenter.dicom.sorting.series import Series
from isocenter.errors import UsageError
from isocenter.pipeline.choose import choose, not_there
from isocenter.pipeline.folder import folder_name, mark_of
from isocenter.pipeline.provenance import sha256
from isocenter.pipeline.spec import Pipeline
from isocenter.reasons import Reason, counted
from isocenter.volume import Volume

_FILE_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".npz")


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
        stem = folder_name(_stem(path))
        text = f"{path.name} is not DICOM: no SEG, Structured Report or other DICOM object was made."
        return (Case(stem, pipeline.name, file=path, reasons=(Reason("NO_DICOM_OBJECTS", text),)),)
    found = scanned(path)
    patients = {series.instances[0].patient_key for series in found}
    several = f"The folder holds studies of {len(patients)} patients; each was processed by itself."
    common = (Reason("SEVERAL_PATIENTS", several),) if len(patients) > 1 else ()
    made = tuple(
        case
        for name, study in _studies(found)
        for case in _of_study(name, study, pipeline, wanted=wanted, common=common)
    )
    if wanted not in ("best", "all") and not any(case.series for case in made):
        raise not_there(found, wanted)
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
    return with_images(scan(path, progress=progress), path)


def with_images(found: Scan, path: Path) -> Scan:
    """A scan that must have found images.

    Raises
    ------
    UsageError
        If it found none.
    """
    if not found:
        codes = Counter(ignored.reason.code for ignored in found.ignored)
        counts = ", ".join(f"{count} {code}" for code, count in codes.items())
        what = [f"{counted(codes.total(), 'file was', 'files were')} left out ({counts})."] if codes else []
        if any(is_image_file(Path(item.path)) for item in found.ignored):
            what.append("NIfTI and NRRD files are taken one at a time: name one.")
        if found.findings:
            stored = counted(
                len(found.findings), f"{found.findings[0].kind} is", "segmentations or RT Structure Sets are"
            )
            what.append(f"{stored} there: `isocenter convert` reads one.")
        raise UsageError(" ".join([f"There is no DICOM image in {path}.", *(what or ["It holds no files."])]))
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
        from isocenter.dicom.reading.pixels import read_with_digests

        volume, digests = read_with_digests(case.series)
        return Input(volume, digests)
    from isocenter import formats

    if case.file is None:
        raise ValueError("A case without series and file has nothing to read.")
    return Input(formats.load(case.file), {str(case.file): sha256(case.file)})


def _stem(path: Path) -> str:
    """Name of a file without the suffix that says its format; other dots belong to the name."""
    suffix = max((end for end in _FILE_SUFFIXES if path.name.lower().endswith(end)), key=len, default="")
    return path.name[: len(path.name) - len(suffix)]


def _studies(found: Scan) -> Iterator[tuple[str, tuple[Series, ...]]]:
    """The studies, each with the name of its folder; of one study UID in several patients, each patient for itself."""

    def key(series: Series) -> tuple[str, str]:
        return series.study_uid, series.instances[0].patient_key

    studies = [tuple(study) for _, study in groupby(sorted(found, key=key), key=key)]
    times = Counter(study[0].study_uid for study in studies)
    for study in studies:
        uid = study[0].study_uid
        name = folder_name(uid) if uid else "study"
        if not uid or times[uid] > 1:
            name = f"{name}_{mark_of(min(f'{series.series_uid} {series.name}' for series in study))}"
        yield name, study


def _of_study(
    name: str, study: Sequence[Series], pipeline: Pipeline, *, wanted: str, common: tuple[Reason, ...]
) -> Iterator[Case]:
    choice = choose(study, pipeline.rule, wanted)
    if not choice.taken:
        if wanted in ("best", "all"):
            text = f"No series of the study fits the rule: {pipeline.rule.text}."
            reasons = (*common, Reason("NO_SERIES_FITS", text), *(reason for _, reason in choice.left))
            yield Case(name, pipeline.name, reasons=reasons, left=choice.left)
        return
    for case, (series, reasons) in zip(_names(choice.taken, pipeline), choice.taken, strict=True):
        yield Case(name, case, series, reasons=(*common, *reasons), left=choice.left)


def _names(taken: Sequence[tuple[Series, object]], pipeline: Pipeline) -> list[str]:
    """Folder names, each once: of several volumes with one series number all but the first get a mark of their own."""
    names: list[str] = []
    for series, _ in taken:
        name = pipeline.name if series.number is None else f"{pipeline.name}_series{series.number}"
        if name in names:
            name = f"{name}_{mark_of(f'{series.series_uid} {series.name}')}"
        names.append(name)
    return names
