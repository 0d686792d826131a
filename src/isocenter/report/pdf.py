"""PDF: a report as pages of A4, by ReportLab: pure Python, no system package, the same bytes for the same report.

The fonts are embedded. They hold Latin, Greek and Cyrillic; a letter of another script is shown as ``�`` and the page
says so, since the HTML page shows it as it is.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any
from xml.sax.saxutils import escape

from reportlab import rl_config
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Image, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from isocenter.reasons import Reason
from isocenter.report import document
from isocenter.report.document import Listing, Report
from isocenter.report.figure import Figure
from isocenter.report.planes import Plane
from isocenter.report.standing import Level

rl_config.useA85 = 0  # pictures as they are, not blown up to text by a quarter

Look = tuple[Any, ...]
"""A command of ReportLab's table styles: name, first cell, last cell, values."""

_REGULAR, _MEDIUM = "Isocenter-Regular", "Isocenter-Medium"
_INK, _SOFT, _LINE, _BAND = HexColor(0x1B2129), HexColor(0x56606C), HexColor(0xDFE3E8), HexColor(0xF5F7F9)
_LEVELS = {
    Level.STOP: (HexColor(0xA1201F), HexColor(0xFDECEC)),
    Level.LOOK: (HexColor(0x8A4B00), HexColor(0xFFF4E0)),
    Level.NOTE: (HexColor(0x1F4F86), HexColor(0xEBF2FA)),
    Level.OK: (HexColor(0x17693F), HexColor(0xEDF7F1)),
}
_MARGIN = 15 * mm
_MOST_COLUMNS = 6  # structures side by side in a table
_WIDTH = A4[0] - 2 * _MARGIN
_FRAME_PADDING = 6  # that ReportLab gives every frame
_GAP = 3 * mm
_ACROSS = (Plane.CORONAL, Plane.SAGITTAL)
_ACROSS_HIGH = 77 * mm  # two rows of them and the histogram fill a page
_MOST_HIGH = A4[1] - 90 * mm
_UNKNOWN_LETTER = "�"
_MISSING = (
    f"{_UNKNOWN_LETTER} stands for a letter that the fonts of this PDF do not hold; the HTML page of the same report "
    "shows it."
)


def render(report: Report) -> bytes:
    """The report as a PDF file.

    The creation date in the file is :attr:`Report.made_at`; no clock is read.
    """
    _register_fonts()
    file = io.BytesIO()
    pages = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=_MARGIN - _FRAME_PADDING,
        rightMargin=_MARGIN - _FRAME_PADDING,
        topMargin=16 * mm,
        bottomMargin=20 * mm,
        title=report.title,
        author="Isocenter",
        subject=document.INTENDED_USE,
        lang="en",
        invariant=1,
        initialFontName=_REGULAR,
    )
    stamp = report.made_at.strftime("D:%Y%m%d%H%M%S%z")
    stamp = f"{stamp[:-2]}'{stamp[-2:]}'"

    def dated(canvas: Canvas, _: object) -> None:
        canvas.setDateFormatter(lambda *_: stamp)

    writer = _Writer()
    pages.build(list(_story(report, writer)), onFirstPage=dated, canvasmaker=_numbered(report, writer))
    return file.getvalue()


class _Writer:
    """Turns texts into paragraphs; remembers whether a letter was missing in the fonts."""

    def __init__(self) -> None:
        self.missed = False

    def known(self, text: str) -> str:
        """The text with a sign in place of each letter that the fonts lack."""
        plain = unicodedata.normalize("NFC", text)
        letters = pdfmetrics.getFont(_REGULAR).face.charToGlyph
        known = [(ord(c) in letters and c.isprintable()) or c in " \n\t" for c in plain]
        shown = "".join(c if is_known else _UNKNOWN_LETTER for c, is_known in zip(plain, known, strict=True))
        self.missed = self.missed or shown != plain
        return shown

    def safe(self, text: str) -> str:
        """The text, fit to stand within a paragraph's markup."""
        return escape(self.known(text))


def _style(size: float, *, font: str = _REGULAR, color: Color = _INK, **more: Any) -> ParagraphStyle:
    more = {"bulletFontName": font, "leading": size * 1.36, **more}
    return ParagraphStyle("", fontName=font, fontSize=size, textColor=color, **more)


_TITLE = _style(19, font=_MEDIUM, spaceAfter=3 * mm)
_HEADING = _style(12.5, font=_MEDIUM, spaceBefore=5 * mm, spaceAfter=2 * mm, keepWithNext=1)
_TEXT = _style(9)
_FINE = _style(7.8, color=_SOFT)
_ABOVE = _style(7.8, color=_SOFT, spaceAfter=2, keepWithNext=1)
_NAME = _style(7.5, color=_SOFT)
_HEAD = _style(8.5, font=_MEDIUM)
_HEAD_RIGHT = _style(8.5, font=_MEDIUM, alignment=TA_RIGHT)
_VALUE = _style(9, alignment=TA_RIGHT)


def _story(report: Report, writer: _Writer) -> Iterator[Flowable]:
    safe = writer.safe
    yield Paragraph(f"Isocenter report · {safe(report.time_words)}", _FINE)
    yield Paragraph(safe(report.title), _TITLE)
    yield _head_panel(report, writer)
    yield Spacer(1, 2 * mm)
    yield Paragraph(f"<font name='{_MEDIUM}'>Intended use.</font> {safe(document.INTENDED_USE)}", _FINE)
    if report.facts.pairs:
        yield Paragraph("Study", _HEADING)
        yield _pairs(report.facts.pairs, writer)
    if report.measurements:
        yield Paragraph("Measurements", _HEADING)
        for part in document.table(report.measurements, report.segments).parts(_MOST_COLUMNS):
            yield _measurements(part, writer)
    for listing in report.listings:
        yield from _listing(listing, writer)
    yield from _pictures(report, writer)
    if report.notes:
        yield Paragraph("Notes on the data", _HEADING)
        yield _notes(report, writer)
    if report.provenance:
        yield Paragraph("How this was made", _HEADING)
        yield _pairs(report.provenance, writer)
    if writer.missed:
        yield Spacer(1, 3 * mm)
        yield Paragraph(_MISSING, _FINE)


def _head_panel(report: Report, writer: _Writer) -> Table:
    standing = report.standing
    color, band = _LEVELS[standing.level]
    head = Paragraph(standing.headline, _style(11, font=_MEDIUM, color=color, spaceAfter=1 * mm))
    lines = [
        Paragraph(
            f"{writer.safe(reason.message)} {writer.safe(reason.advice)} "
            f"<font size='7.5' color='{_SOFT.hexval()}'>{reason.code}{_among(report, reason, writer)}</font>",
            _style(9, leftIndent=3 * mm, bulletIndent=0, spaceAfter=1),
            bulletText="•",
        )
        for reason in report.alarms
    ]
    return _panel([head, *lines, Paragraph(writer.safe(standing.words), _TEXT)], color, band)


def _among(report: Report, reason: Reason, writer: _Writer) -> str:
    images = writer.safe(report.concerned(reason))
    return f" · {images}" if images else ""


def _panel(content: list[Flowable], color: Color, band: Color) -> Table:
    look = [
        ("BACKGROUND", (0, 0), (-1, -1), band),
        ("LINEBEFORE", (0, 0), (0, -1), 3, color),
        *[(side, (0, 0), (-1, -1), 0.5, color) for side in ("LINEABOVE", "LINEBELOW", "LINEAFTER")],
        ("LEFTPADDING", (0, 0), (-1, -1), 9),
        ("TOPPADDING", (0, 0), (-1, -1), 5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
    ]
    return _table([[content]], [_WIDTH], look)


def _table(
    rows: Sequence[Sequence[Any]], widths: Sequence[float], look: Sequence[Look], *, repeat_rows: int = 0
) -> Table:
    """A table in the report's own font, whose rows may run over pages."""
    style = [("FONTNAME", (0, 0), (-1, -1), _REGULAR), *look]
    return Table(rows, colWidths=widths, style=style, repeatRows=repeat_rows, splitInRow=1)


def _pairs(pairs: Sequence[tuple[str, str]], writer: _Writer) -> Table:
    columns = 3
    cells = [[Paragraph(writer.safe(title), _NAME), Paragraph(writer.safe(value), _TEXT)] for title, value in pairs]
    cells += [[]] * (-len(cells) % columns)
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    look = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 1),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
    ]
    return _table(rows, [_WIDTH / columns] * columns, look)


def _measurements(table: document.Table, writer: _Writer) -> Table:
    head: list[Flowable] = [Paragraph("Quantity", _HEAD)]
    look = list(_LINES)
    for place, (title, color) in enumerate(table.columns, 1):
        head.append(Paragraph(writer.safe(title), _HEAD_RIGHT))
        if color:
            look.append(("LINEBELOW", (place, 0), (place, 0), 2.2, Color(*(part / 255 for part in color))))
    rows: list[list[Flowable]] = [head]
    for row in table.rows:
        method = (
            f"<br/><font size='7.2' color='{_SOFT.hexval()}'>{writer.safe(row.method)}</font>" if row.method else ""
        )
        line: list[Flowable] = [Paragraph(f"{writer.safe(row.title)}{method}", _TEXT)]
        for cell in row.cells:
            unit = f" <font size='7.5' color='{_SOFT.hexval()}'>{writer.safe(row.unit)}</font>" if row.unit else ""
            line.append(Paragraph(f"{writer.safe(cell.text)}{unit}" if cell.text else "", _VALUE))
        rows.append(line)
    first = max(0.34, 0.62 - 0.1 * len(table.columns)) * _WIDTH
    rest = (_WIDTH - first) / max(1, len(table.columns))
    return _table(rows, [first, *[rest] * len(table.columns)], look, repeat_rows=1)


def _listing(listing: Listing, writer: _Writer) -> Iterator[Flowable]:
    yield Paragraph(writer.safe(listing.title), _HEADING)
    if listing.words:
        yield Paragraph(writer.safe(listing.words), _ABOVE)
    first, *others = listing.columns
    rows: list[list[Flowable]] = [
        [Paragraph(writer.safe(first), _HEAD), *(Paragraph(writer.safe(head), _HEAD_RIGHT) for head in others)]
    ]
    for title, *cells in listing.rows:
        rows.append([Paragraph(writer.safe(title), _TEXT), *(Paragraph(writer.safe(cell), _VALUE) for cell in cells)])
    width = max(0.2, 0.5 - 0.06 * len(others)) * _WIDTH
    rest = (_WIDTH - width) / max(1, len(others))
    yield _table(rows, [width, *[rest] * len(others)], _LINES, repeat_rows=1)


_LINES: list[Look] = [
    ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
    ("VALIGN", (0, 1), (-1, -1), "TOP"),
    ("LINEBELOW", (0, 0), (-1, 0), 1, _INK),
    ("LINEBELOW", (0, 1), (-1, -1), 0.4, _LINE),
    ("LEFTPADDING", (0, 0), (0, -1), 0),
    ("TOPPADDING", (0, 0), (-1, -1), 3),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
]


def _notes(report: Report, writer: _Writer) -> Table:
    rows: list[list[Flowable]] = [[Paragraph(t, _HEAD) for t in ("Kind", "What was met and done", "What you can do")]]
    for note in report.notes:
        code = f"<br/><font size='6.6' color='{_SOFT.hexval()}'>{note.code}</font>"
        images = writer.safe(report.concerned(note))
        images = f"<br/><font size='7.2' color='{_SOFT.hexval()}'>{images}</font>" if images else ""
        rows.append(
            [
                Paragraph(f"{note.severity}{code}", _TEXT),
                Paragraph(writer.safe(note.message) + images, _TEXT),
                Paragraph(writer.safe(note.advice), _TEXT),
            ]
        )
    widths = [0.22 * _WIDTH, 0.48 * _WIDTH, 0.30 * _WIDTH]
    return _table(rows, widths, _LINES, repeat_rows=1)


def _pictures(report: Report, writer: _Writer) -> Iterator[Flowable]:
    for chapter in report.chapters:
        head: list[Flowable] = [Paragraph(writer.safe(chapter.title), _HEADING)]
        if chapter.words:
            head += [Paragraph(writer.safe(chapter.words), _FINE), Spacer(1, 2 * mm)]
        for row in chapter.rows:
            yield KeepTogether([*head, _strip(row, chapter.title, writer)])
            head = []


def _strip(figures: Sequence[Figure], heading: str, writer: _Writer) -> Table:
    width = (_WIDTH - _GAP * (len(figures) - 1)) / len(figures)
    cells: list[Any] = []
    for figure in figures:
        cells += [_framed(figure, width, heading, writer), ""]
    look = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 0),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2 * mm),
    ]
    return _table([cells[:-1]], ([width, _GAP] * len(figures))[:-1], look)


def _framed(figure: Figure, width: float, heading: str, writer: _Writer) -> list[Flowable]:
    height = width * figure.height / figure.width
    most = _ACROSS_HIGH if figure.name.startswith(_ACROSS) else _MOST_HIGH
    if height > most:
        width, height = width * most / height, most
    picture = Image(io.BytesIO(figure.data), width, height)
    picture.hAlign = "LEFT"
    named = f"<font name='{_MEDIUM}' color='{_INK.hexval()}'>{writer.safe(figure.title)}.</font> "
    title = named if figure.title != heading else ""
    return [picture, Spacer(1, 1 * mm), Paragraph(title + writer.safe(figure.caption), _FINE)]


def _numbered(report: Report, writer: _Writer) -> type[Canvas]:
    title = report.title
    identity = next(iter(simpleSplit(writer.known(report.identity), _MEDIUM, 8, _WIDTH)), "")

    class Numbered(Canvas):
        """A canvas whose pages say how many there are, known only at the end."""

        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **settings)
            self.finished: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802
            self.finished.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, state in enumerate(self.finished, 1):
                self.__dict__.update(state)
                self.setFont(_MEDIUM, 8)
                self.setFillColor(_INK)
                self.drawString(_MARGIN, A4[1] - 10 * mm, identity)
                self.setFont(_REGULAR, 7.5)
                self.setFillColor(_SOFT)
                self.drawString(_MARGIN, 11 * mm, f"{writer.known(title)} · {writer.known(report.time_words)}")
                self.drawString(_MARGIN, 7.5 * mm, "Not for diagnosis without review.")
                self.drawRightString(A4[0] - _MARGIN, 11 * mm, f"Page {number} of {len(self.finished)}")
                super().showPage()
            super().save()

    return Numbered


@lru_cache(maxsize=1)
def _register_fonts() -> None:
    folder = files("isocenter.report") / "fonts"
    for name, file in ((_REGULAR, "Roboto-Regular.ttf"), (_MEDIUM, "Roboto-Medium.ttf")):
        pdfmetrics.registerFont(TTFont(name, str(folder / file)))
