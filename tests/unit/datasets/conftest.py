"""A small labelled data set, written once; and one of its own for tests that spoil it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from isocenter.testing.labelled import write_labelled


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_labelled(tmp_path_factory.mktemp("labelled") / "set", 6)


@pytest.fixture
def own(written: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(written, tmp_path / "own"))
