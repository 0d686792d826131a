"""Time and memory of listing and reading DICOM, beside other readers on the same files in the same run.

Run as ``python -m bench reading [--slices 300] [--encodings ...] [--readers ...] [--peers PYTHON]``; it prints the
tables of docs/performance.md. Every reader works in a process of its own (:mod:`bench.peers`); the readers take turns,
and the shortest of several rounds counts: in process without imports, and as a whole process with all of them. Readers
that are not installed are left out; PYTHON is an interpreter that has them, where it is not this one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import numpy as np
from bench.peers import JOBS
from pydicom import Dataset, Sequence

from isocenter.geometry import Grid
from isocenter.testing.dicom import DEFAULT, Style, slice_data_set, write_series

ROOT = Path(__file__).parent.parent
SIZE = 512
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Python as it is installed: compiled modules are kept, so that a whole process does not compile them."""
ENCODINGS = ("explicit", "RLE", "JPEG lossless SV1", "JPEG-LS", "JPEG 2000 lossless", "HTJ2K lossless")
OWN = "Isocenter"
ROUNDS, SLOW_S = 7, 3.0
"""Whoever has worked for longer than SLOW_S drops out of the further rounds."""
VERSIONS = (
    "numpy", "imagecodecs", "pydicom", "fastdicom", "dicomsdl", "python-gdcm", "SimpleITK", "highdicom", "dicom2nifti",
    "torchio", "monai",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--encodings", nargs="*", default=ENCODINGS, choices=ENCODINGS)
    parser.add_argument("--readers", nargs="*", default=[])
    parser.add_argument("--peers", default=sys.executable, metavar="PYTHON")
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} CPUs; Python {sys.version.split()[0]}; {', '.join(versions(chosen.peers))}")
    with tempfile.TemporaryDirectory() as root:
        for headers in ("short", "long"):
            folder, first = make_index(Path(root) / headers, headers)
            print_index(headers, compare("list", folder, first, chosen))
        for encoding in chosen.encodings:
            folder = Path(root) / encoding.replace(" ", "_")
            make_volume(folder, encoding, chosen.slices)
            warm = folder.with_name(f"{folder.name}_warm")
            make_volume(warm, encoding, 3)
            print_volume(encoding, chosen.slices, compare("read", folder, warm, chosen))
            for path in folder.iterdir():
                path.unlink()


def versions(python: str) -> list[str]:
    code = f"import importlib.metadata as m\nfor n in {VERSIONS}:\n  try: print(n, m.version(n))\n  except Exception: 0"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    return [*found, subprocess.run(["dcm2niix", "-v"], capture_output=True, text=True, check=False).stdout.split()[-1]]


# --- files -----------------------------------------------------------------------------------------------------------


def make_index(folder: Path, headers: str) -> tuple[Path, Path]:
    """1,200 files in 20 series, and as a small one the first of them."""
    grid = Grid.from_vectors((60, 64, 64))
    for number in range(20):
        name = f"{number}/{{}}.dcm".format
        edit = like_a_scanner if headers == "long" else DEFAULT.edit
        write_series(np.zeros(grid.shape), grid, folder, style=Style(seed=name(""), file_name=name, edit=edit))
    return folder, folder / "0"


def like_a_scanner(index: int, data_set: Dataset) -> None:
    """What a scanner's header has besides: times and doses of each slice, sequences, a hundred words of its own."""
    data_set.AcquisitionTime = data_set.ContentTime = f"1012{index:02d}.{index * 7919 % 1000000:06d}"
    data_set.SliceLocation, data_set.XRayTubeCurrent = f"{index * 1.25:g}", 200 + index * 7 % 90
    data_set.Exposure, data_set.WindowCenter, data_set.WindowWidth = 100 + index * 3 % 40, 40, 400
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "CT", "99LOCAL", "Computed tomography"
    data_set.ProcedureCodeSequence = data_set.RequestAttributesSequence = Sequence([code])
    block = data_set.private_block(0x0019, "A SCANNER", create=True)
    for number in range(100):
        block.add_new(number, "LO", f"word {number}")


def make_volume(folder: Path, encoding: str, slices: int) -> None:
    """A chest-like CT with noise: body, lungs, 12 bits."""
    folder.mkdir()
    grid = Grid.from_vectors((slices, SIZE, SIZE), spacing_mm=(1.0, 0.7, 0.7))
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    body = np.hypot(columns / 200, rows / 150) < 1
    lungs = np.hypot((abs(columns) - 80) / 60, rows / 90) < 1
    clean = np.where(body, np.where(lungs, -880.0, 40.0), -1000.0)
    style = Style(syntax=encoding, bits_stored=12, is_signed=False)
    for k in range(slices):
        hu = np.clip(np.rint(clean + rng.normal(0, 12, clean.shape)), -1024, 3000)
        slice_data_set(hu, grid, k, style=style).save_as(folder / f"{k:04d}.dcm", enforce_file_format=True)


# --- measuring -------------------------------------------------------------------------------------------------------


@dataclass
class Row:
    """What a reader came to: the shortest times in seconds, the peak of memory in bytes, what it found."""

    seconds: float = float("inf")
    whole_s: float = float("inf")
    peak: int = 0
    found: object = None
    fault: str = ""
    spent_s: float = field(default=0.0, repr=False)


class Peer:
    """A reader in its process."""

    def __init__(self, python: str, job: str, name: str, warm: Path) -> None:
        self.command = [python, "-m", "bench.peers", job, name]
        self.row = Row()
        self.process = subprocess.Popen(
            [*self.command, str(warm)], stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True, cwd=ROOT, env=ENVIRONMENT
        )
        self.answer("")

    def answer(self, folder: str) -> dict[str, Any]:
        """Its answer to a folder; to none, whether it is there."""
        if folder:
            print(folder, file=self.process.stdin, flush=True)
        for line in self.process.stdout or ():
            if line.startswith("{"):  # some readers print words of their own
                return json.loads(line)  # type: ignore[no-any-return]
        self.row.fault = "not installed"
        return {}

    def take_turn(self, folder: Path) -> None:
        """Do the job on a folder once more."""
        row, answer = self.row, self.answer(str(folder))
        row.fault = answer.get("fault", row.fault)
        if not row.fault:
            row.seconds = min(row.seconds, answer["seconds"])
            row.peak = max(row.peak, answer["peak"])
            row.found = answer.get("sums") or answer.get("count")
            row.spent_s += answer["seconds"]

    def run_whole(self, folder: Path) -> None:
        """Do the job on a folder in a process of its own."""
        start = time.perf_counter()
        subprocess.run(
            [*self.command, str(folder), "--once"], check=True, capture_output=True, cwd=ROOT, env=ENVIRONMENT
        )
        seconds = time.perf_counter() - start
        self.row.whole_s = min(self.row.whole_s, seconds)
        self.row.spent_s += seconds

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def compare(job: str, folder: Path, warm: Path, chosen: argparse.Namespace) -> dict[str, Row]:
    """A row of each reader that is installed; the limit is a reader too."""
    names = [name for name in JOBS[job] if name.startswith(("limit", OWN)) or name in (chosen.readers or JOBS[job])]
    other_limit = "limit: decoder" if folder.name == "explicit" else "limit: bytes"
    names = [name for name in names if name != other_limit]
    with ExitStack() as stack:
        peers = {}
        for name in names:
            peers[name] = Peer(chosen.peers, job, name, warm)
            stack.callback(peers[name].close)
        for turn in range(ROUNDS):
            for peer in peers.values():
                if not peer.row.fault and (turn == 0 or peer.row.spent_s < SLOW_S):
                    peer.take_turn(folder)
    for peer in peers.values():
        peer.row.spent_s = 0
    for _ in range(ROUNDS):
        for name, peer in peers.items():
            if not peer.row.fault and not name.startswith("limit") and peer.row.spent_s < SLOW_S:
                peer.run_whole(folder)
    return {name: peer.row for name, peer in peers.items()}


# --- tables ----------------------------------------------------------------------------------------------------------


def print_index(headers: str, rows: dict[str, Row]) -> None:
    print(f"\n### Index of 1,200 files in 20 series, {headers} headers\n")
    print("| reader | in process, s | | whole process, s | |\n|---|---|---|---|---|")
    print_rows(rows)


def print_volume(encoding: str, slices: int, rows: dict[str, Row]) -> None:
    print(f"\n### {slices} slices of {SIZE} × {SIZE}, {encoding}\n")
    print("| reader | in process, s | | whole process, s | | peak / volume | values |\n|---|---|---|---|---|---|---|")
    volume_bytes = slices * SIZE * SIZE * 2
    words = {str(rows[OWN].found): "HU"}

    def more(name: str, row: Row) -> str:
        if name.startswith("limit"):
            return " | |"
        return f" {row.peak / volume_bytes:.2f} | {words.get(str(row.found), 'others')} |"

    print_rows(rows, more)


def print_rows(rows: dict[str, Row], more: Callable[[str, Row], str] = lambda *_: "") -> None:
    own = rows[OWN]
    for name, row in rows.items():
        if row.fault == "not installed":
            continue
        if row.fault:
            print(f"| {name} | {row.fault} |")
            continue
        print(f"| {name} | {cells(row.seconds, own.seconds)} | {cells(row.whole_s, own.whole_s)} |{more(name, row)}")


def cells(seconds: float, own: float) -> str:
    return " | " if seconds == float("inf") else f"{seconds:.3g} | {seconds / own:.2f} ×"


if __name__ == "__main__":
    main()
