"""Writing whole or not at all, while others write to the same place and processes are killed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isocenter.disk import replacing
from isocenter.errors import TryLater, UsageError

HOST = socket.gethostname()


def folder(path: Path, text: str) -> Path:
    path.mkdir(parents=True)
    (path / "file").write_text(text)
    return path


@pytest.fixture
def dead_process() -> int:
    """Number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_an_older_folder_gets_its_name_back_when_the_new_one_cannot_take_it(tmp_path: Path) -> None:
    target = folder(tmp_path / "case", "old")
    with pytest.raises(UsageError), replacing(target):
        pass  # nothing was written under the temporary name
    assert (target / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path, dead_process: int) -> None:
    folder(tmp_path / f".case.{HOST}.{dead_process}.part", "half")
    folder(tmp_path / f".case.{HOST}.{dead_process}.old", "older")
    others = {f".case.{HOST}.{os.getppid()}.part", f".case.elsewhere.{dead_process}.part", ".case.txt"}
    for name in others:
        folder(tmp_path / name, "not ours")
    with replacing(tmp_path / "case") as temporary:
        folder(temporary, "new")
    assert (tmp_path / "case" / "file").read_text() == "new"
    assert {path.name for path in tmp_path.iterdir()} == {"case", *others}


def test_a_folder_whose_replacement_was_killed_is_put_back_first(tmp_path: Path, dead_process: int) -> None:
    folder(tmp_path / f".case.{HOST}.{dead_process}.old", "old")
    with pytest.raises(RuntimeError), replacing(tmp_path / "case"):
        raise RuntimeError
    assert (tmp_path / "case" / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_a_folder_that_another_run_puts_in_the_way_is_replaced(tmp_path: Path) -> None:
    """The other run's folder appears between looking and renaming."""
    target = folder(tmp_path / "case", "old")
    program = (
        "import sys\nfrom pathlib import Path\nfrom isocenter.disk import replacing\n"
        "for number in range(150):\n"
        "    with replacing(Path(sys.argv[1])) as temporary:\n"
        "        temporary.mkdir()\n"
        "        (temporary / 'file').write_text('whole')\n"
    )
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(subprocess.run, [sys.executable, "-c", program, str(target)], check=True) for _ in range(3)]
    for run in runs:
        run.result()
    assert (target / "file").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_an_array_that_was_written_in_part_is_told_as_a_full_disk(tmp_path: Path) -> None:
    """NumPy tells of it without the number of the system's error."""
    with pytest.raises(TryLater, match="disk is full"), replacing(tmp_path / "array.npy"):
        raise OSError("4096 requested and 512 written")
