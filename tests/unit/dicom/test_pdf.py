from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from isocenter.dicom.derived import pdf
from isocenter.dicom.derived.making import Making, encode
from isocenter.dicom.derived.writing import write
from isocenter.errors import Bug

DOCUMENT = b"%PDF-1.4\n%%EOF"


@pytest.mark.parametrize("document", [DOCUMENT, DOCUMENT + b"\n"])
def test_every_byte_comes_back(
    sources: list[Dataset],
    making: Making,
    tmp_path: Path,
    document: bytes,
    complaints: Callable[[Path], list[str]],
) -> None:
    path = tmp_path / "pdf.dcm"
    write(pdf.make(document, sources, making, title="Lungs"), path, check=partial(pdf.check, document=document))
    back = dcmread(path)
    assert back.EncapsulatedDocument[: back.EncapsulatedDocumentLength] == document
    assert complaints(path) == []


def test_the_same_arguments_give_the_same_bytes(sources: list[Dataset], making: Making) -> None:
    once, again = (encode(pdf.make(DOCUMENT, sources, making, title="Lungs")) for _ in range(2))
    assert once == again
    other = pdf.make(DOCUMENT + b" ", sources, making, title="Lungs")
    assert other.SOPInstanceUID.encode() not in once


def test_a_changed_byte_is_noticed(sources: list[Dataset], making: Making) -> None:
    with pytest.raises(Bug, match="read back"):
        pdf.check(pdf.make(DOCUMENT, sources, making, title="Lungs"), DOCUMENT[:-1] + b"f")


def test_what_is_no_pdf_is_refused(sources: list[Dataset], making: Making) -> None:
    with pytest.raises(ValueError, match="no PDF"):
        pdf.make(b"<html>", sources, making, title="Lungs")


def test_times_are_in_the_zone_of_the_source(sources: list[Dataset], making: Making) -> None:
    made = pdf.make(DOCUMENT, sources, making, title="Lungs")
    assert (made.ContentDate, made.ContentTime) == ("20261121", "020003.250000")
    assert "TimezoneOffsetFromUTC" not in made
    sources[0].TimezoneOffsetFromUTC = "-0530"
    made = pdf.make(DOCUMENT, sources, making, title="Lungs")
    assert (made.ContentDate, made.ContentTime) == ("20261120", "203003.250000")
    assert made.TimezoneOffsetFromUTC == "-0530"
    with pytest.raises(ValueError, match="time zone"):
        Making(making.time.replace(tzinfo=None))
    elsewhere = Making(making.time.astimezone(timezone(timedelta(hours=9))), making.seed)
    again = pdf.make(DOCUMENT, sources, elsewhere, title="Lungs")
    assert again.SOPInstanceUID == made.SOPInstanceUID
