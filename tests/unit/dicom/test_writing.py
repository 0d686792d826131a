from __future__ import annotations

import errno
import hashlib
import os
import tracemalloc
from pathlib import Path

import pytest
from pydicom import DataElement, Dataset
from pydicom.tag import Tag

from isocenter.dicom.derived import pdf, writing
from isocenter.dicom.derived.making import Making
from isocenter.dicom.derived.writing import differs, write
from isocenter.errors import Bug, TryLater, UsageError


@pytest.fixture
def made(sources: list[Dataset], making: Making) -> Dataset:
    return pdf.make(b"%PDF-1.4", sources, making, title="Lungs")


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_what_is_written_is_told_with_its_digest(made: Dataset, tmp_path: Path) -> None:
    seen: list[Dataset] = []
    written = write(made, tmp_path / "a.dcm", check=seen.append)
    data = (tmp_path / "a.dcm").read_bytes()
    assert (written.sha256, written.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert seen[0].SOPInstanceUID == made.SOPInstanceUID
    assert names_in(tmp_path) == ["a.dcm"]


def test_what_fails_its_check_leaves_no_file_and_the_old_one_stays(made: Dataset, tmp_path: Path) -> None:
    def fail(_: Dataset) -> None:
        raise differs("something")

    (tmp_path / "a.dcm").write_bytes(b"old")
    with pytest.raises(Bug, match="something"):
        write(made, tmp_path / "a.dcm", check=fail)
    assert (tmp_path / "a.dcm").read_bytes() == b"old"
    assert names_in(tmp_path) == ["a.dcm"]


def test_large_pixels_are_written_without_a_copy_in_memory(
    made: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = bytes(range(256)) * 2**14
    made[Tag("PixelData")] = DataElement("PixelData", "OB", pixels)
    whole = write(made, tmp_path / "whole.dcm", check=lambda _: None)
    monkeypatch.setattr(writing, "_LARGE_BYTES", 2**20)
    tracemalloc.start()
    try:
        streamed = write(made, tmp_path / "streamed.dcm", check=lambda _: None)
        assert tracemalloc.get_traced_memory()[1] < len(pixels) / 2
    finally:
        tracemalloc.stop()
    assert streamed.sha256 == whole.sha256
    assert made.PixelData is pixels


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, TryLater), (errno.EACCES, UsageError), (errno.EROFS, UsageError), (errno.EINTR, TryLater)],
)
def test_what_the_system_refuses_says_what_to_do(
    made: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(writing.os, "fsync", refuse)
    with pytest.raises(kind):
        write(made, tmp_path / "a.dcm", check=lambda _: None)
    assert names_in(tmp_path) == []


def test_a_missing_folder_is_wrong_use(made: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write(made, tmp_path / "nowhere" / "a.dcm", check=lambda _: None)
