"""The record of a case, ``run.json``: all that is needed to explain its result and to replay it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isocenter import __version__
from isocenter.pipeline.outputs import Output
from isocenter.pipeline.provenance import Journal, sha256, versions
from isocenter.pipeline.spec import Job
from isocenter.pipeline.steps import Findings

_FORMAT = 1


def write_record(findings: Findings, job: Job, folder: Path, *, outputs: Sequence[Output], journal: Journal) -> Output:
    """Write ``run.json`` into a folder."""
    values = {
        "record": _FORMAT,
        "isocenter": __version__,
        "pipeline": job.pipeline.name,
        "time": job.time.isoformat(),
        "verdict": str(findings.verdict),
        "reasons": [reason.to_dict() for reason in findings.reasons],
        "input": _input(findings),
        "settings": {"series": job.settings.series, "seg": job.settings.seg, "rule": job.pipeline.rule.text},
        "algorithm": _algorithm(findings),
        "versions": dict(versions()),
        "steps": journal.to_list(),
        "measurements": [measurement.to_dict() for measurement in findings.measurements],
        "not_chosen": [{"series": series.name, **reason.to_dict()} for series, reason in findings.case.left],
        "outputs": [output.to_dict() for output in outputs],
    }
    path = folder / "run.json"
    text = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", errors="backslashreplace")  # names of files need not be text
    return Output("record", path, sha256(path))


def _input(findings: Findings) -> dict[str, Any]:
    digests = findings.source.digests if findings.source else {}
    series = findings.case.series
    return {
        "study_uid": series.study_uid if series else findings.case.study,
        "series_uid": series.series_uid if series else "",
        "series_verdict": str(series.verdict) if series else "",
        "sha256": findings.input_sha256,
        "files": [{"file": path, "sha256": digest} for path, digest in digests.items()],
    }


def _algorithm(findings: Findings) -> dict[str, Any]:
    if findings.segmentation is None:
        return {}
    algorithm = findings.segmentation.algorithm
    return {"name": algorithm.name, "version": algorithm.version, "settings": dict(algorithm.settings)}
