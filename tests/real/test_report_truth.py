"""The report of real chest CT: anatomy lies where a radiologist expects it, and the files stay small."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.ops import anatomy
from isocenter.ops.measure import measure
from isocenter.reasons import verdict_of
from isocenter.report import figures, html, pdf
from isocenter.report.document import Report, StudyFacts
from isocenter.report.planes import Plane, stack

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=["chest_ct_covid_P001", "chest_ct_normal001_every3"])
def chest(request, shared_data: Path):
    series = max(scan(shared_data / request.param), key=len)
    volume = read(series)
    return volume, anatomy.segment(volume, "lungs")


def test_the_liver_is_on_the_left_of_the_picture(chest):
    volume, lungs = chest
    seen = stack(volume.array, volume.grid, Plane.AXIAL)
    labels = stack(lungs.array, lungs.grid, Plane.AXIAL).array
    lowest = int(np.flatnonzero(labels.any(axis=(1, 2)))[-1]) - max(1, round(30 / seen.grid.spacing_mm[0]))
    body = np.flatnonzero((seen.array[lowest] > -300).any(axis=0))
    third = (body[-1] - body[0]) // 3
    solid = (seen.array[lowest] > 0) & (seen.array[lowest] < 200)
    at_left, at_right = solid[:, body[0] : body[0] + third], solid[:, body[-1] - third : body[-1]]
    assert at_left.sum() > 1.1 * at_right.sum()


def test_the_heart_takes_its_room_from_the_lung_on_the_right_of_the_picture(chest):
    _, lungs = chest
    labels = stack(lungs.array, lungs.grid, Plane.AXIAL).array
    rows = np.flatnonzero((labels > 0).any(axis=(1, 2)))
    heart = int(rows[0] + 0.6 * len(rows))
    columns = labels.shape[2]
    lung = np.isin(labels[heart], [lungs.segment("lung_right").label, lungs.segment("lung_left").label])
    assert lung[:, : columns // 2].sum() > 1.05 * lung[:, columns // 2 :].sum()


def test_a_whole_report_is_small_and_says_what_was_measured(chest):
    volume, lungs = chest
    values = measure(volume, lungs)
    report = Report(
        title="Lungs",
        facts=StudyFacts((("Modality", volume.modality),)),
        verdict=verdict_of(lungs.reasons),
        reasons=lungs.reasons,
        segments=lungs.segments,
        measurements=values,
        figures=figures.draw(volume, lungs),
        provenance=(),
        made_at=datetime(2026, 11, 21, tzinfo=UTC),
    )
    page, data = html.render(report), pdf.render(report)
    assert [figure.name for figure in report.figures] == [
        *(f"axial_{n}" for n in (1, 2, 3, 4)),
        *(f"{plane}_{n}" for plane in ("coronal", "sagittal") for n in (1, 2)),
        "histogram",
        "surface",
        "contact_sheet",
    ]
    assert len(page) < 3_000_000
    assert len(data) < 2_500_000
    assert all(reason.message in page or "&" in reason.message or "'" in reason.message for reason in lungs.reasons)
