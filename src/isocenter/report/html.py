"""HTML: a report as one page that needs nothing but itself: no script, no request, pictures within."""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from isocenter.report import document
from isocenter.report.document import Report
from isocenter.report.figure import Figure

if TYPE_CHECKING:
    from jinja2 import Template

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def render(report: Report) -> str:
    """The report as a self-contained HTML page in English; every text from outside is escaped.

    Control characters, which HTML forbids, and halves of surrogate pairs become U+FFFD.
    """
    page = _template().render(
        report=report,
        table=document.table(report.measurements, report.segments),
        intended_use=document.INTENDED_USE,
    )
    return _FORBIDDEN.sub("\ufffd", page)


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("isocenter.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    return environment.get_template("report.html.j2")


def _data_uri(figure: Figure) -> str:
    return f"data:{figure.media_type};base64,{base64.b64encode(figure.data).decode('ascii')}"
