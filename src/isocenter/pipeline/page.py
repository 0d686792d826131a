"""What the report of a case says: the facts of its study, its pictures and where it comes from, as one Report value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydicom import Dataset

from isocenter import __version__
from isocenter.pipeline.provenance import combined
from isocenter.pipeline.spec import Job
from isocenter.pipeline.steps import Findings
from isocenter.report import figures
from isocenter.report.document import Report, StudyFacts
from isocenter.report.figure import Figure

_FACTS = (
    ("Patient", "PatientName"),
    ("Patient ID", "PatientID"),
    ("Born", "PatientBirthDate"),
    ("Sex", "PatientSex"),
    ("Study", "StudyDescription"),
    ("Study date", "StudyDate"),
    ("Accession number", "AccessionNumber"),
    ("Institution", "InstitutionName"),
)
_SCANNER = ("Manufacturer", "ManufacturerModelName")


def report(findings: Findings, job: Job) -> Report:
    """The report of a case.

    Parameters
    ----------
    findings
        What was found.
    job
        What was run, and when.
    """
    segments = findings.segmentation.segments if findings.segmentation else ()
    return Report(
        title=job.pipeline.title,
        facts=StudyFacts(tuple(_facts(findings))),
        verdict=findings.verdict,
        reasons=findings.reasons,
        segments=segments,
        measurements=findings.measurements,
        figures=_figures(findings),
        provenance=tuple(_provenance(findings, job)),
        made_at=job.time,
    )


def _figures(findings: Findings) -> tuple[Figure, ...]:
    if findings.source is None:
        return ()
    volume, segmentation = findings.source.volume, findings.segmentation
    return figures.draw_volume(volume) if segmentation is None else figures.draw(volume, segmentation)


def _facts(findings: Findings) -> Iterator[tuple[str, str]]:
    series = findings.case.series
    if series is not None:
        yield from _header_facts(series.instances[0].dataset())
        yield "Series", series.name
        if series.kernel:
            yield "Kernel", series.kernel
        if series.contrast_agent:
            yield "Contrast agent", series.contrast_agent
    if findings.case.file is not None:
        yield "File", findings.case.file.name
    if findings.source is not None:
        grid = findings.source.volume.grid
        k, r, c = grid.shape
        yield "Image", f"{k} slices of {r} × {c}"
        yield "Voxel (slice, row, column)", " × ".join(f"{s:.4g}" for s in grid.spacing_mm) + " mm"


def _header_facts(header: Dataset) -> Iterator[tuple[str, str]]:
    for title, keyword in _FACTS:
        value = _text(header, keyword)
        if value:
            yield title, value
    scanner = " ".join(_text(header, keyword) for keyword in _SCANNER).strip()
    if scanner:
        yield "Scanner", scanner


def _text(header: Dataset, keyword: str) -> str:
    value = str(header.get(keyword) or "").strip()
    if keyword == "PatientName":
        value = value.split("=")[0]
    if keyword in ("PatientName", "StudyDescription"):
        return " ".join(value.replace("^", " ").split())
    if keyword.endswith("Date") and len(value) == 8 and value.isdigit():
        return f"{value[:4]}-{value[4:6]}-{value[6:]}"
    return value


def _provenance(findings: Findings, job: Job) -> Iterator[tuple[str, str]]:
    yield "Software", f"Isocenter {__version__}"
    yield "Pipeline", f"{job.pipeline.name} at {job.time.isoformat(timespec='seconds')}"
    if findings.segmentation is not None:
        algorithm = findings.segmentation.algorithm
        yield "Algorithm", f"{algorithm.name} {algorithm.version}"
        yield "Settings of the algorithm", _listed(dict(algorithm.settings)) or "none"
    yield "Series chosen by", job.pipeline.rule.text
    for series, reason in findings.case.left:
        yield "Left out", f"{series.name}: {reason.code}"
    if findings.source is not None:
        digests = findings.source.digests
        yield "Input", f"{len(digests)} files, SHA-256 over all of theirs {combined(digests)}"
    yield "Study Instance UID" if findings.case.series else "Source", findings.case.study
    if findings.case.series is not None:
        yield "Series Instance UID", findings.case.series.series_uid


def _listed(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in settings.items())
