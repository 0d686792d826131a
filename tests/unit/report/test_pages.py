from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser

import pytest
from pypdf import PdfReader

from isocenter import codes
from isocenter.findings import Measurement, Segment
from isocenter.reasons import Reason, Verdict
from isocenter.report import html, pdf
from isocenter.report.document import number, table
from isocenter.report.standing import Level, concerned, counted, standing

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Outline(HTMLParser):
    """Collects what the tests ask for and checks that every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(report) -> str:
    return html.render(report)


@pytest.fixture(scope="module")
def printed(report) -> bytes:
    return pdf.render(report)


def text_of(data: bytes) -> str:
    return " ".join(" ".join(sheet.extract_text().split()) for sheet in PdfReader(io.BytesIO(data)).pages)


def test_the_page_is_well_formed_and_says_its_language(page):
    outline = Outline(page)
    assert page.lstrip().startswith("<!DOCTYPE html>")
    assert outline.all("html") == [{"lang": "en"}]
    assert len(outline.all("h1")) == len(outline.all("main")) == len(outline.all("title")) == 1


def test_the_page_asks_for_nothing_from_outside(page):
    outline = Outline(page)
    assert not outline.all("script")
    assert not outline.all("link")
    assert all(image["src"].startswith("data:image/") for image in outline.all("img"))
    assert not re.search(r"(?:https?:)?//\w", re.sub(r"base64,[^\"]*", "", page))


def test_every_picture_has_an_alternative_text_and_a_size(page, report):
    images = Outline(page).all("img")
    assert len(images) == len(report.figures) == 11
    assert all(image["alt"] and int(image["width"]) and int(image["height"]) for image in images)


def test_every_table_has_column_and_line_headings(page):
    scopes = [attrs.get("scope") for attrs in Outline(page).all("th")]
    assert None not in scopes
    assert {"col", "row"} == set(scopes)


def test_text_from_outside_is_escaped(page, printed):
    assert "<script>" not in page
    assert "<i>was</i>" not in page
    assert '<script>alert(1)</script> & "5"' in Outline(page).text
    assert '<script>alert(1)</script> & "5"' in text_of(printed)
    assert "<i>was</i>" in text_of(printed)


def test_what_is_to_be_reviewed_stands_before_everything_else(page, printed):
    for text in (Outline(page).text, text_of(printed)):
        assert text.index("Review needed before") < text.index("Verdict on the data: ") < text.index("Measurements")
        assert "The right lung reaches the lowest slice." in text
        assert text.index("Dense lung") > text.index("Contact sheet")


def test_values_stand_with_their_units_in_both(page, printed):
    for text in (" ".join(Outline(page).text.split()), text_of(printed)):
        flat = text.replace(" ", "")
        assert "64.5ml" in flat
        assert "129ml" in flat
        assert "−850HU" in flat
        assert "12.3%" in flat
        assert "Right lung" in text
        assert "Both lungs" in text


def test_the_intended_use_is_stated(page, printed):
    assert "Not for diagnosis without review" in Outline(page).text
    assert all("Not for diagnosis" in sheet.extract_text() for sheet in PdfReader(io.BytesIO(printed)).pages)


def test_the_same_report_gives_the_same_bytes(report, page, printed):
    again = replace(report)
    assert html.render(again) == page
    assert pdf.render(again) == printed


def test_the_pdf_carries_the_time_of_the_report_and_no_clock(printed):
    meta = PdfReader(io.BytesIO(printed)).metadata
    assert meta["/CreationDate"] == "D:20261121023000+00'00'"
    assert meta.title == "Lungs on CT"


def test_fonts_are_embedded(printed):
    fonts = {}
    for sheet in PdfReader(io.BytesIO(printed)).pages:
        for font in sheet["/Resources"]["/Font"].values():
            fonts[font["/BaseFont"]] = font
    assert len(fonts) == 2
    for font in fonts.values():
        inner = font["/DescendantFonts"][0] if "/DescendantFonts" in font else font
        assert "/FontFile2" in inner["/FontDescriptor"]


def test_names_of_other_scripts_are_whole_in_html_and_marked_in_pdf(page, printed):
    assert "Łukasz Ωμέγα Иван 山田" in Outline(page).text
    text = text_of(printed)
    assert "Łukasz Ωμέγα Иван \ufffd\ufffd" in text
    assert "stands for a letter that the fonts of this PDF do not hold" in text


def test_nothing_is_said_of_missing_letters_where_none_is_missing(report):
    assert "stands for a letter" not in text_of(pdf.render(replace(report, facts=type(report.facts)())))


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_report_without_findings_is_made_whatever_the_verdict(report, verdict):
    bare = replace(
        report,
        verdict=verdict,
        reasons=(Reason("SLICE_GAP", "Slices 4 to 6 are missing."),),
        segments=(),
        measurements=(),
        figures=(),
        provenance=(),
    )
    outline = Outline(html.render(bare))
    headline = "Review needed before" if verdict.usable else "No result"
    assert headline in outline.text
    assert "Fetch the missing slices" in text_of(pdf.render(bare))


def test_a_time_without_zone_is_refused(report):
    with pytest.raises(ValueError, match="time zone"):
        replace(report, made_at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_long_table_runs_over_pages(report):
    many = tuple(replace(m, name=f"n{i}") for i in range(60) for m in report.measurements[:1])
    data = pdf.render(replace(report, measurements=many, figures=()))
    assert len(PdfReader(io.BytesIO(data)).pages) >= 2


def test_a_table_has_a_column_for_each_set_of_segments(report):
    found = table(report.measurements, report.segments)
    assert [title for title, _ in found.columns] == ["Right lung", "Left lung", "Both lungs"]
    assert [row.title for row in found.rows] == ["Volume", "Mean density", "Emphysema index"]
    assert [cell.text for cell in found.rows[1].cells] == ["−850", "", ""]
    assert [cell.text for cell in found.rows[2].cells] == ["", "", "12.3"]


def test_numbers_are_written_for_people():
    assert number(-850.4, codes.HU) == "−850"
    assert number(-0.04, codes.PERCENT) == "0.0"
    assert number(float("nan"), codes.PERCENT) == "–"
    assert number(3049.1, codes.ML) == "3049"
    assert number(37.24, codes.ML) == "37.2"
    assert number(0.012345, codes.ML) == "0.012"
    assert number(0.0, codes.ML) == "0"


def test_texts_longer_than_a_page_are_laid_out(report):
    long = "word " * 6000
    data = pdf.render(
        replace(
            report,
            facts=type(report.facts)((("Long", long), ("Unbroken", "x" * 3000))),
            reasons=tuple(Reason("LUNG_CUT", f"Slice {n} is cut.") for n in range(200)),
            provenance=(("Settings", long),),
            figures=(),
        )
    )
    text = text_of(data)
    assert "Slice 199 is cut." in text
    assert text.count("word") == 12000


def test_control_characters_and_broken_text_do_no_harm(report):
    hostile = replace(report, facts=type(report.facts)((("Name", "a\x00b\x1bc\ud800d"),)), figures=())
    assert "a\ufffdb\ufffdc\ufffdd" in html.render(hostile).encode("utf-8").decode("utf-8")
    assert "a\ufffdb\ufffdc\ufffdd" in text_of(pdf.render(hostile))


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_texts_have_the_contrast_of_wcag_aa_by_day_and_night(page):
    blocks = re.findall(r":root {(.*?)}", page, re.DOTALL)
    schemes = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in blocks]
    assert len(schemes) == 3  # light, dark, print
    for scheme in schemes:
        for ink, paper in (
            *((name, "paper") for name in ("ink", "soft", "ok", "note", "look", "stop")),
            *((name, f"{level}-band") for level in Level for name in ("ink", "soft", level)),
        ):
            low, high = sorted((luminance(scheme[ink]), luminance(scheme[paper])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, paper)


REVIEW, GUESS, REPAIR = Reason("LUNG_CUT", "a"), Reason("RESCALE_MISSING", "b"), Reason("TILT", "c")
HEADER, HELD = Reason("SOURCE_HEADER_REPAIRED", "d"), Reason("SLICE_GAP", "e")


@pytest.mark.parametrize(
    ("verdict", "reasons", "level", "words"),
    [
        (Verdict.OK, (), Level.OK, "no repair and no guess"),
        (Verdict.REPAIRED, (HEADER,), Level.OK, "administrative entries"),
        (Verdict.REPAIRED, (HEADER, REPAIR), Level.NOTE, "1 repair concerning the image"),
        (Verdict.REPAIRED, (GUESS, REPAIR, GUESS), Level.NOTE, "1 repair and 2 guesses concerning the image"),
        (Verdict.REPAIRED, (HEADER, REVIEW), Level.LOOK, "administrative entries"),
        (Verdict.OK, (REVIEW,), Level.LOOK, "no repair and no guess"),
        (Verdict.HELD, (HELD, REVIEW), Level.STOP, "a person has to decide"),
        (Verdict.REJECTED, (), Level.STOP, "No right result"),
    ],
)
def test_the_head_says_one_state_that_the_gravest_reason_decides(report, verdict, reasons, level, words):
    found = standing(verdict, reasons)
    assert found.level is level
    assert words in found.words
    page = html.render(replace(report, verdict=verdict, reasons=reasons, figures=()))
    panels = [attrs["class"] for attrs in Outline(page).all("section")]
    assert panels == [f"panel {level}"]


def test_reasons_name_the_images_they_concern():
    reason = Reason("LUNG_CUT", "Cut.", tuple("abcdef"))
    assert concerned(reason, {}) == "6 images: a, b, c, d, …"
    assert concerned(reason, dict(zip("abcdef", "123456", strict=True))) == "6 images: Instance Numbers 1, 2, 3, 4, …"
    assert concerned(replace(reason, instances=("a",)), {"a": "9"}) == "1 image: Instance Number 9"
    assert concerned(replace(reason, instances=("a", "b")), {"a": "9"}) == "2 images: a, b"
    assert concerned(Reason("LUNG_CUT", "Cut."), {}) == ""
    assert counted(1, "slice", "slices") == "1 slice"


def test_the_images_of_a_reason_stand_beside_it_in_both(report):
    named = replace(report, instance_numbers={"1.2.3": "41", "1.2.4": "42"}, figures=())
    for text in (Outline(html.render(named)).text, text_of(pdf.render(named))):
        assert "2 images: Instance Numbers 41, 42" in text


def test_every_printed_page_says_whose_images_these_are(report):
    long = "DOE <JANE> · ID 4711 · " + "very long " * 40
    for identity in ("DOE <JANE> · ID 4711", long):
        sheets = PdfReader(io.BytesIO(pdf.render(replace(report, identity=identity)))).pages
        assert len(sheets) > 2
        assert all("DOE <JANE> · ID 4711" in sheet.extract_text() for sheet in sheets)
    assert "DOE &lt;JANE&gt; · ID 4711" in html.render(replace(report, identity="DOE <JANE> · ID 4711"))


def test_many_structures_are_told_in_several_tables_of_the_pdf() -> None:
    segments = tuple(Segment.named(f"structure_{n}", n) for n in range(1, 105))
    measurements = tuple(
        Measurement("volume", "Volume", float(one.label), codes.ML, codes.VOLUME, (one.name,)) for one in segments
    )
    found = table(measurements, segments)
    parts = found.parts(6)
    assert [len(part.columns) for part in parts] == [6] * 17 + [2]
    assert [cell for part in parts for cell in part.rows[0].cells] == list(found.rows[0].cells)
