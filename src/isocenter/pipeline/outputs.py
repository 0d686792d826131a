"""What a case leaves behind: page, masks and DICOM objects, each written, read back and given its SHA-256."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import Dataset

from isocenter import formats
from isocenter.dicom.derived import capture, pdf, seg, sr
from isocenter.dicom.derived.headers import Headers
from isocenter.dicom.derived.making import Making
from isocenter.dicom.derived.writing import Written, write
from isocenter.findings import Segmentation
from isocenter.ops.resample import onto
from isocenter.pipeline import page
from isocenter.pipeline.provenance import Journal, sha256, versions
from isocenter.pipeline.spec import Job
from isocenter.pipeline.steps import Findings
from isocenter.report import html
from isocenter.report import pdf as report_pdf
from isocenter.report.document import Report

_KEY_IMAGES = ("axial", "coronal", "sagittal", "surface")


@dataclass(frozen=True, slots=True)
class Output:
    """A file that was written and read back: its kind, place and SHA-256."""

    kind: str
    path: Path
    sha256: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"kind": self.kind, "file": self.path.name, "sha256": self.sha256, "bytes": self.path.stat().st_size}


def write_outputs(findings: Findings, job: Job, folder: Path, *, journal: Journal) -> tuple[Output, ...]:
    """Write all that a case leaves behind into a folder: of a case that was refused, only the page that says why."""
    with journal.step("pictures"):
        report = page.report(findings, job)
    with journal.step("page"):
        document = report_pdf.render(report)
        outputs = [
            _keep("html", folder / "report.html", html.render(report).encode("utf-8", "backslashreplace")),
            _keep("pdf", folder / "report.pdf", document),
        ]
    if findings.segmentation is None:
        return tuple(outputs)
    with journal.step("masks"):
        formats.save(findings.segmentation, folder / "masks.nii.gz")
        outputs.append(Output("masks", folder / "masks.nii.gz", sha256(folder / "masks.nii.gz")))
    if findings.headers and not findings.has("NETWORK_FOUND_NOTHING"):
        with journal.step("objects"):
            outputs += _objects(findings, job, folder, report=report, document=document)
    return tuple(outputs)


def _keep(kind: str, path: Path, data: bytes) -> Output:
    path.write_bytes(data)
    return Output(kind, path, sha256(path))


def _objects(findings: Findings, job: Job, folder: Path, *, report: Report, document: bytes) -> Iterator[Output]:
    headers, making = findings.headers, _making(findings, job)
    native = _native(findings)
    segmentation = seg.make(native, headers, making, encoding=seg.Encoding(job.settings.seg))
    yield _output("seg", write(segmentation, folder / "seg.dcm", check=lambda back: seg.check(back, native)))
    values = findings.measurements
    document_sr = sr.make(values, headers, making, segmentation=native, seg=segmentation)
    yield _output("sr", write(document_sr, folder / "sr.dcm", check=lambda back: sr.check(back, values)))
    wrapped = pdf.make(document, headers, making, title=report.title)
    yield _output("pdf_dicom", write(wrapped, folder / "report.dcm", check=lambda back: pdf.check(back, document)))
    yield from _key_images(report, headers, making, folder)


def _key_images(report: Report, headers: Headers, making: Making, folder: Path) -> Iterator[Output]:
    figures = [figure for figure in report.figures if figure.name.startswith(_KEY_IMAGES)]
    captures = [capture.Capture(figure.image, figure.title) for figure in figures]
    for number, (image, made) in enumerate(zip(captures, capture.make(captures, headers, making), strict=True), 1):
        name = f"key_image_{number}"
        yield _output(name, write(made, folder / f"{name}.dcm", check=_same_picture(image)))


def _same_picture(image: capture.Capture) -> Any:
    def check(back: Dataset) -> None:
        capture.check(back, image)

    return check


def _native(findings: Findings) -> Segmentation:
    """The segmentation on the grid of the source frames, which a tilted gantry shears."""
    segmentation, series = findings.segmentation, findings.case.series
    if segmentation is None or series is None or series.grid is None:
        raise ValueError("Only what was found in a DICOM series has source frames.")
    return segmentation if segmentation.grid.coincides(series.grid) else onto(segmentation, series.grid)


def _making(findings: Findings, job: Job) -> Making:
    """UIDs follow from the bytes of the source files, the settings, the versions and the time of the run."""
    if findings.source is None or findings.segmentation is None:
        raise ValueError("Nothing was found, so nothing is made.")
    algorithm = findings.segmentation.algorithm
    settings = json.dumps([job.pipeline.name, job.settings.seg, algorithm.settings], default=str)
    seed = (findings.input_sha256, settings, f"{algorithm.name} {algorithm.version}")
    return Making(job.time, seed=(*seed, json.dumps(dict(versions()), sort_keys=True)))


def _output(kind: str, written: Written) -> Output:
    return Output(kind, written.path, written.sha256)
