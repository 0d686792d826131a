"""Folders of results: whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from isocenter.errors import TryLater, UsageError
from isocenter.pipeline.folder import staged, writable


def test_a_filled_folder_gets_its_name_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "study" / "case"
    with staged(target) as folder:
        (folder / "file").write_text("whole")
        assert not target.exists()
    assert (target / "file").read_text() == "whole"
    assert [path.name for path in target.parent.iterdir()] == ["case"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), staged(tmp_path / "study" / "case") as folder:
        (folder / "file").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_older_result_stays_when_the_new_one_fails(tmp_path: Path) -> None:
    target = tmp_path / "study" / "case"
    with staged(target) as folder:
        (folder / "file").write_text("old")
    with pytest.raises(RuntimeError), staged(target) as folder:
        (folder / "file").write_text("new")
        raise RuntimeError
    assert (target / "file").read_text() == "old"


def test_a_full_disk_means_try_later(tmp_path: Path) -> None:
    with pytest.raises(TryLater, match="disk is full"), staged(tmp_path / "case"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_folder_in_place_of_which_a_file_lies_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(UsageError, match="cannot be written"):
        writable(tmp_path / "out")
