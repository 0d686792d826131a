"""What the report of a case says: the facts of its study, its pictures and where it comes from, as one Report value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from pydicom import Dataset
from pydicom.multival import MultiValue

from isocenter import __version__
from isocenter.dicom.file.quiet import quietly
from isocenter.dicom.frames.instance import Instance
from isocenter.errors import InputError
from isocenter.pipeline.spec import Job
from isocenter.pipeline.steps import Findings
from isocenter.reasons import counted
from isocenter.report import figures
from isocenter.report.document import Report, StudyFacts
from isocenter.report.figure import Figure
from isocenter.volume import Source

_FACTS = (
    ("Patient", "PatientName"),
    ("Patient ID", "PatientID"),
    ("Born", "PatientBirthDate"),
    ("Age", "PatientAge"),
    ("Sex", "PatientSex"),
    ("Study", "StudyDescription"),
    ("Accession number", "AccessionNumber"),
    ("Institution", "InstitutionName"),
)
_AGE_UNITS = {"D": ("day", "days"), "W": ("week", "weeks"), "M": ("month", "months"), "Y": ("year", "years")}
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
    header = _header(findings)
    segments = findings.segmentation.segments if findings.segmentation else ()
    return Report(
        title=job.pipeline.title,
        facts=StudyFacts(tuple(_facts(findings, header))),
        verdict=findings.verdict,
        reasons=findings.reasons,
        segments=segments,
        measurements=findings.measurements,
        figures=_figures(findings),
        provenance=tuple(_provenance(findings, job)),
        made_at=job.time,
        identity=_identity(findings, header),
        instance_numbers=_instance_numbers(findings),
    )


def _figures(findings: Findings) -> tuple[Figure, ...]:
    if findings.source is None:
        return ()
    volume, segmentation = findings.source.volume, findings.segmentation
    if segmentation is None:
        return figures.draw_volume(volume)
    instances = {i.sop_instance_uid: i for i in findings.case.series.instances} if findings.case.series else {}
    labels = [_label(source, instances.get(source.sop_instance_uid)) if source else "" for source in volume.sources]
    return figures.draw(volume, segmentation, labels=labels if any(labels) else ())


def _label(source: Source, instance: Instance | None) -> str:
    """The Instance Number of the image that a slice was read from, and of a multi-frame image the Frame Number."""
    if instance is None or instance.instance_number is None:
        return ""
    frame = f", frame {source.frame}" if instance.format.frames > 1 else ""
    return f"{instance.instance_number}{frame}"


def _instance_numbers(findings: Findings) -> dict[str, str]:
    instances = findings.case.series.instances if findings.case.series else ()
    return {i.sop_instance_uid: str(i.instance_number) for i in instances if i.instance_number is not None}


def _header(findings: Findings) -> Dataset | None:
    """Header of the first image; None if there is none, or its file is gone or damaged."""
    if findings.case.series is None:
        return None
    with suppress(InputError):
        return findings.case.series.instances[0].dataset()
    return None


def _identity(findings: Findings, header: Dataset | None) -> str:
    """Whose images these are and of when, as far as their header tells, in one line."""
    if header is None:
        return findings.case.file.name if findings.case.file else ""
    patient, born = _text(header, "PatientID"), _text(header, "PatientBirthDate")
    parts = (
        _text(header, "PatientName") or "Patient's name not in the images",
        f"ID {patient}" if patient else "no patient ID",
        f"born {born}" if born else "",
        f"study of {_study_time(header)}" if _study_time(header) else "no study date",
    )
    return " · ".join(part for part in parts if part)


def _facts(findings: Findings, header: Dataset | None) -> Iterator[tuple[str, str]]:
    series = findings.case.series
    if header is not None:
        yield from _header_facts(header)
    if series is not None:
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
        yield "Image", f"{counted(k, 'slice', 'slices')} of {r} × {c}"
        yield "Voxel (slice, row, column)", " × ".join(f"{s:.4g}" for s in grid.spacing_mm) + " mm"
    if series is not None and series.slice_thickness_mm:
        yield "Slice thickness", f"{series.slice_thickness_mm:.4g} mm"


def _header_facts(header: Dataset) -> Iterator[tuple[str, str]]:
    for title, keyword in _FACTS:
        value = _text(header, keyword)
        if value:
            yield title, value
    if _study_time(header):
        yield "Study date and time", _study_time(header)
    scanner = " ".join(_text(header, keyword) for keyword in _SCANNER).strip()
    if scanner:
        yield "Scanner", scanner
    voltage = _text(header, "KVP")
    if voltage:
        yield "Tube voltage", f"{voltage} kV"


def _study_time(header: Dataset) -> str:
    return f"{_text(header, 'StudyDate')} {_text(header, 'StudyTime')}".strip()


def _text(header: Dataset, keyword: str) -> str:
    value = _stated(header, keyword)
    if keyword == "PatientName":
        value = value.split("=")[0]
    if keyword in ("PatientName", "StudyDescription"):
        return " ".join(value.replace("^", " ").split())
    if keyword.endswith("Date") and len(value) == 8 and value.isdigit():
        return f"{value[:4]}-{value[4:6]}-{value[6:]}"
    if keyword.endswith("Time") and value[:4].isdigit() and len(value) >= 4:
        return f"{value[:2]}:{value[2:4]}"
    if keyword == "PatientAge":
        return _age(value)
    return value


@quietly()
def _stated(header: Dataset, keyword: str) -> str:
    """What the header says, several values divided by slashes; nothing where it cannot be read."""
    try:
        value = header.get(keyword)
    except Exception:  # noqa: BLE001 - a malformed value may fail anywhere in pydicom
        return ""
    values = value if isinstance(value, MultiValue) else [value]
    return " / ".join(str(one).strip() for one in values if one not in (None, ""))


def _age(value: str) -> str:
    """An Age String (PS3.5 6.2: ``"018M"``) for people."""
    number, unit = value[:-1], _AGE_UNITS.get(value[-1:])
    return counted(int(number), *unit) if number.isdigit() and unit else value


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
        yield "Input", f"{counted(len(digests), 'file', 'files')}, SHA-256 over all of theirs {findings.input_sha256}"
    yield "Study Instance UID" if findings.case.series else "Source", findings.case.study
    if findings.case.series is not None:
        yield "Series Instance UID", findings.case.series.series_uid


def _listed(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in settings.items())
