from __future__ import annotations

import warnings

import pytest
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from isocenter.pipeline import page


def header(keyword: str, vr: str, value: bytes) -> Dataset:
    """A header with one value as it stands in a file."""
    dataset = Dataset()
    tag = Tag(tag_for_keyword(keyword))
    dataset[tag] = RawDataElement(tag, vr, len(value), value, 0, is_implicit_VR=False, is_little_endian=True)
    return dataset


@pytest.mark.parametrize(
    ("keyword", "vr", "value", "told"),
    [
        ("PatientID", "LO", b"A-1\\B-2", "A-1 / B-2"),
        ("PatientName", "PN", b"Phantom^Anna\\Ghost^B", "Phantom Anna / Ghost B"),
        ("StudyDescription", "LO", b"CHEST " * 20, " ".join(["CHEST"] * 20)),
        ("KVP", "FD", b"abc", ""),
        ("PatientID", "LO", b"", ""),
    ],
)
def test_what_breaks_the_standard_is_told_as_it_stands_and_stops_no_report(
    keyword: str, vr: str, value: bytes, told: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert page._text(header(keyword, vr, value), keyword) == told
