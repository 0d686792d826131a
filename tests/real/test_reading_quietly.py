"""Warnings about other people's files quote what stands in them: none gets out. Every warning is an error here."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from isocenter.dicom.derived import pdf, slice_headers
from isocenter.dicom.derived.making import Making, encode
from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.errors import InputError, Refused

pytestmark = pytest.mark.real


def test_no_warning_about_a_file_gets_out(
    shared_data: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    making = Making(datetime(2026, 3, 1, 12, 30, tzinfo=UTC), ("job",))
    counts: Counter[str] = Counter()
    for series in scan(shared_data / "pydicom_data"):
        try:
            mended = slice_headers.of_series(series)
            encode(pdf.make(b"%PDF-1.4", mended, making, title="Lungs"))
            counts["mended"] += 1
        except (InputError, Refused):
            counts["refused"] += 1
        try:
            read(series)
            counts["read"] += 1
        except Refused:
            counts["not read"] += 1
    assert min(counts["mended"], counts["refused"], counts["read"]) > 0, counts
    assert caplog.messages == []
    assert capfd.readouterr().err == ""
