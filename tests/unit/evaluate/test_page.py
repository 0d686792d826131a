"""The report of a study."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from isocenter.evaluate import Criterion, Pair, judged, study
from isocenter.evaluate.page import Results, report
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.report import html, pdf
from isocenter.report.standing import Level


def cube(origin_mm: float = 0.0) -> Segmentation:
    grid = Grid.from_vectors((6, 8, 8), origin_mm=(origin_mm, 0, 0))
    array = np.zeros(grid.shape, np.uint8)
    array[1:4, 1:5, 1:5] = 1
    return Segmentation((array,), grid, (Segment.named("organ"),), Algorithm("t", "1"))


def page(found: Results):
    return report(found, title="Test", facts=[("Model", "<none>")], made_at=datetime(2026, 1, 1, tzinfo=UTC))


def test_a_case_that_is_refused_does_not_undo_the_others() -> None:
    found = study([Pair("good", cube(), cube()), Pair("apart", cube(900), cube())])
    made = page(Results(found))
    assert made.standing.level is Level.LOOK
    assert "2 cases were evaluated" in made.standing.words
    assert [reason.code for reason in made.alarms] == ["GRIDS_APART"]
    text = html.render(made)
    assert "No result" not in text
    assert "&lt;none&gt;" in text
    assert pdf.render(made).startswith(b"%PDF")


def test_criteria_decide_what_the_report_opens_with() -> None:
    found = study([Pair("a", cube(), cube()), Pair("b", cube(), cube())])
    met, not_met = (Results(found, judgements=judged(found, [Criterion(at_least=limit)])) for limit in (0.9, 1.1))
    assert page(Results(found)).standing.level is Level.OK
    assert page(met).standing.headline == "All acceptance criteria are met"
    assert page(not_met).standing.level is Level.STOP
    assert [reason.code for reason in not_met.every_reason] == ["CRITERION_FAILED"]
