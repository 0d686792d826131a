"""Label tables in NIfTI headers: names and colours of labels, as Caret and Workbench and TotalSegmentator write them.

Source: the XML extension of Caret (NIFTI_ECODE_CARET), whose ``LabelTable`` is that of GIFTI 1.0.
"""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

from isocenter.findings import Segment

_NUMBERED = re.compile(r"label_\d+")


def label_table(extension: bytes) -> dict[int, Segment]:
    """The segments that the text of a header extension names, by their labels; none where it is no whole label table.

    A name that was given to another label before does not count, since it would not tell the two apart, nor does one
    of the form of ``label_7``, which is that of labels without a name.
    """
    if b"<LabelTable" not in extension or b"<!DOCTYPE" in extension or b"<!ENTITY" in extension:
        return {}
    try:
        root = ET.fromstring(extension.strip(b"\0 \t\r\n"))  # noqa: S314 - without entities
        rows = [(int(row.get("Key", "")), (row.text or "").strip(), _color(row)) for row in root.iter("Label")]
    except (ET.ParseError, ValueError):
        return {}
    found: dict[str, Segment] = {}
    for label, name, color in rows:
        if label > 0 and name and name not in found and not _NUMBERED.fullmatch(name):
            title = (name[0].upper() + name[1:]).replace("_", " ")  # "Vertebrae L5" keeps its L
            found[name] = replace(Segment.named(name, label), title=title, color=color)
    return {segment.label: segment for segment in found.values()}


def _color(row: ET.Element) -> tuple[int, int, int]:
    red, green, blue = (round(255 * min(max(float(row.get(key, "")), 0.0), 1.0)) for key in ("Red", "Green", "Blue"))
    return red, green, blue
