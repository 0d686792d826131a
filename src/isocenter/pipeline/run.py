"""Running a pipeline: every study of a folder, from its files to a folder of results with a record.

A case is written under a temporary name and renamed when all of it is there, so nothing half-written is ever seen. What
the steps do lives in ``steps`` and below; the order of steps is decided here.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from isocenter.errors import InputError, Refused, TryLater, UsageError
from isocenter.findings import Measurement, Segment
from isocenter.pipeline import spec
from isocenter.pipeline.case import Case, cases
from isocenter.pipeline.earlier import make_way
from isocenter.pipeline.folder import staged, writable
from isocenter.pipeline.outputs import write_outputs
from isocenter.pipeline.provenance import Journal, Observer
from isocenter.pipeline.record import write_record
from isocenter.pipeline.spec import Job, Pipeline, Settings
from isocenter.pipeline.steps import Findings, find
from isocenter.reasons import Reason, Verdict, merge


@dataclass(frozen=True)
class Result:
    """What a run made of one case. It holds no voxels (they are in the outputs), so a large cohort fits into memory.

    Parameters
    ----------
    case
        The input, and what the choice had to say.
    pipeline
        What was run.
    verdict
        What the result is worth.
    reasons
        Everything there was to say, each once: those of the series, the volume, the segmentation and the objects.
    segments, measurements
        What was found; empty where the case was held or rejected.
    folder
        Where the outputs lie.
    outputs
        Path of each output by its kind: ``"seg"``, ``"sr"``, ``"html"``, ``"pdf"``, ``"masks"``, ``"record"``, ...
    """

    case: Case = field(repr=False)
    pipeline: Pipeline = field(repr=False)
    verdict: Verdict
    reasons: tuple[Reason, ...]
    segments: tuple[Segment, ...] = field(repr=False)
    measurements: tuple[Measurement, ...] = field(repr=False)
    folder: Path
    outputs: Mapping[str, Path] = field(repr=False)

    @property
    def series_uid(self) -> str:
        """Series Instance UID of the input; empty if it was no DICOM."""
        return self.case.series.series_uid if self.case.series else ""

    @property
    def study_uid(self) -> str:
        """Study Instance UID of the input, or the name of the file."""
        return self.case.series.study_uid if self.case.series else self.case.study

    @property
    def title(self) -> str:
        """One line for people."""
        return f"{self.pipeline.title}: {self.case.title}"

    def value(self, name: str, *segments: str) -> float:
        """Value of a measurement over the named segments.

        Raises
        ------
        KeyError
            If it was not measured.
        """
        for measurement in self.measurements:
            if measurement.name == name and set(measurement.segments) == set(segments):
                return measurement.value
        raise KeyError(f"{name!r} was not measured over {', '.join(segments)}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "pipeline": self.pipeline.name,
            "study_uid": self.study_uid,
            "series_uid": self.series_uid,
            "verdict": str(self.verdict),
            "reasons": [reason.to_dict() for reason in self.reasons],
            "measurements": [measurement.to_dict() for measurement in self.measurements],
            "folder": str(self.folder),
            "outputs": {kind: str(path) for kind, path in self.outputs.items()},
        }


def run(
    pipeline: str,
    path: str | os.PathLike[str],
    out: str | os.PathLike[str] = "isocenter-results",
    *,
    settings: Settings | None = None,
    observer: Observer | None = None,
) -> tuple[Result, ...]:
    """Run a pipeline on each study of a folder.

    Parameters
    ----------
    pipeline
        Its name, such as ``"lungs"``.
    path
        Folder, file or zip file of DICOM, or a NIfTI or NRRD file.
    out
        Folder for the results; each study gets a folder in it, each case one in that.
    settings
        What the user may choose.
    observer
        Called with a short text as each step begins.

    Returns
    -------
    One result per case. A case that is held or rejected is a result with its reasons, not an error.

    Raises
    ------
    UsageError
        If there is no image, no such pipeline or series, or ``out`` cannot be written.
    TryLater
        If the disk is full; nothing half-written is left.
    """
    settings = settings or Settings()
    job = Job(spec.pipeline(pipeline), settings, settings.time or datetime.now().astimezone())
    if observer is not None:
        observer("Reading headers")
    todo = cases(Path(path), job.pipeline, settings.series)
    root = writable(Path(out))
    return tuple(
        _run_case(case, job, root, observer=_numbered(observer, f"Case {number} of {len(todo)}"))
        for number, case in enumerate(todo, start=1)
    )


def _numbered(observer: Observer | None, prefix: str) -> Observer | None:
    return None if observer is None else lambda step: observer(f"{prefix}: {step}")


def _run_case(case: Case, job: Job, root: Path, *, observer: Observer | None) -> Result:
    journal = Journal(observer)
    target = root / case.study / case.name
    try:
        return _leave(_findings(case, job.pipeline, journal), job, target, journal=journal)
    except (UsageError, TryLater):
        raise
    except Exception as error:  # noqa: BLE001 - one case shall not cost the others
        failed = Findings(case, reasons=merge(case.reasons, [failure(error)]))
        return _leave(failed, job, target, journal=journal)


def _findings(case: Case, pipeline: Pipeline, journal: Journal) -> Findings:
    try:
        return find(case, pipeline, journal)
    except Refused as refused:
        return Findings(case, reasons=merge(case.reasons, refused.reasons))
    except InputError as error:
        return Findings(case, reasons=merge(case.reasons, [Reason("INPUT_DAMAGED", str(error))]))


def _leave(findings: Findings, job: Job, target: Path, *, journal: Journal) -> Result:
    """Write what the case leaves behind; an earlier, better result is kept aside."""
    with staged(target) as folder:
        outputs = () if findings.has("CASE_FAILED") else write_outputs(findings, job, folder, journal=journal)
        about_earlier = make_way(target, findings.verdict, findings.input_sha256)
        kept = write_record(findings.said(about_earlier), job, folder, outputs=outputs, journal=journal)
    return Result(
        findings.case,
        job.pipeline,
        findings.verdict,
        merge(findings.reasons, about_earlier),
        findings.segmentation.segments if findings.segmentation else (),
        findings.measurements,
        target,
        MappingProxyType({output.kind: target / output.path.name for output in (*outputs, kept)}),
    )


def failure(error: Exception) -> Reason:
    """What failed and where, without the error's own words, which may quote the patient."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).stem}:{place.lineno}"
    return Reason("CASE_FAILED", f"{type(error).__name__} in {place.name} ({where}).")
