"""Time and memory of listing and reading DICOM, beside other readers on the same files in the same run.

Run as ``python -m bench reading [--slices 300] [--encodings ...] [--readers ...] [--peers PYTHON] [--write FILE]``. It
prints the part "Reading" of docs/performance.md, or puts it there with ``--write``. Readers that are not installed are
left out; PYTHON is an interpreter that has them, where it is not this one.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from bench.peers import JOBS
from bench.race import Row, race
from pydicom import Dataset, Sequence

from isocenter.geometry import Grid
from isocenter.testing.dicom import DEFAULT, Style, slice_data_set, write_series

SIZE = 512
ENCODINGS = {
    "explicit": "uncompressed",
    "RLE": "RLE",
    "JPEG lossless SV1": "JPEG lossless",
    "JPEG-LS": "JPEG-LS",
    "JPEG 2000 lossless": "JPEG 2000",
    "HTJ2K lossless": "HTJ2K",
}
OWN, LIMIT, PROGRAM = "Isocenter", "limit", "dcm2niix"
VERSIONS = (
    "numpy", "imagecodecs", "pydicom", "fastdicom", "dicomsdl", "python-gdcm", "SimpleITK", "highdicom", "dicom2nifti",
    "torchio", "monai",
)  # fmt: skip
INTRODUCTION = """## Reading

One run of `python -m bench reading` ({cores} cores, Python {python}, warm page cache): all readers work on the same
files and take turns; the shortest of up to 25 rounds counts, of whole processes 7. "In process" leaves imports out;
"whole process" is everything from the start of the interpreter to its end. Isocenter's times hold all of its work:
finding the files, headers, geometry, every check, HU. Factors are times Isocenter's. Versions: {versions}.

"""
INDEX = """### Index

1,200 files in 20 series; all give at least twelve attributes of each file, SimpleITK the series alone. Short headers
have some 45 elements; long ones what a scanner writes: 160 elements, sequences, times of each slice. The limit is to
open each file, read its first 8 KiB and close it. Most of a header is, byte for byte, what stood in the last file of
its series; Isocenter proves that by comparing the bytes, and parses only what differs (`dicom/file/layouts.py`). Of
its whole process, a tenth of a second is the import of NumPy.

"""
VOLUMES = """### Volumes

{slices} slices of 512 × 512 × 16 bit, from the folder to an array; dcm2niix, from the folder to a NIfTI file. The limit
is, uncompressed, the pixels' bytes from the page cache into fresh memory; compressed, Isocenter's decoder alone on
codestreams in memory; both in threads. † gives stored values, not HU. – cannot decode it. The first slice can be had
as soon as it is decoded (`iso.read_slices`). JPEG lossless is decoded by a kernel of ours, which notices damage
that libraries carry on over: its whole process holds the import of Numba.

"""
PEAKS = """Peak memory above what the process held before, as a multiple of the volume's bytes:

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--encodings", nargs="*", default=list(ENCODINGS), choices=ENCODINGS)
    parser.add_argument("--readers", nargs="*", default=[])
    parser.add_argument("--peers", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--write", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        lists = {headers: listed(Path(root) / headers, chosen) for headers in ("short", "long")}
        reads = {
            encoding: read(Path(root) / encoding.replace(" ", "_"), encoding, chosen) for encoding in chosen.encodings
        }
    words = {"cores": os.cpu_count(), "python": sys.version.split()[0], "versions": ", ".join(versions(chosen.peers))}
    part = INTRODUCTION.format(**words) + INDEX + index_table(lists) + VOLUMES.format(slices=chosen.slices)
    part = f"{part}{volume_tables(reads, chosen.slices * SIZE * SIZE * 2).rstrip()}\n"
    if chosen.write is None:
        print(part)
    else:
        page = chosen.write.read_text()
        chosen.write.write_text(re.sub(r"## Reading\n.*?(?=\n## |\Z)", lambda _: part, page, flags=re.DOTALL))


def versions(python: str) -> list[str]:
    code = f"import importlib.metadata as m\nfor n in {VERSIONS}:\n  try: print(n, m.version(n))\n  except Exception: 0"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    said = subprocess.run(["dcm2niix", "-v"], capture_output=True, text=True, check=False).stdout.split()
    return [*found, f"dcm2niix {said[-1]}"]


# --- measuring -------------------------------------------------------------------------------------------------------


def listed(folder: Path, chosen: argparse.Namespace) -> dict[str, Row]:
    make_index(folder, folder.name)
    rows = race("list", names("list", "limit: open, read, close", chosen), (folder, folder / "0"), chosen.peers)
    return told(f"index, {folder.name} headers", rows)


def read(folder: Path, encoding: str, chosen: argparse.Namespace) -> dict[str, Row]:
    warm = folder.with_name(f"{folder.name}_warm")
    make_volume(folder, encoding, chosen.slices)
    make_volume(warm, encoding, 3)
    limit = "limit: bytes" if encoding == "explicit" else "limit: decoder"
    rows = race("read", names("read", limit, chosen), (folder, warm), chosen.peers)
    for path in folder.iterdir():
        path.unlink()
    return told(encoding, rows)


def names(job: str, limit: str, chosen: argparse.Namespace) -> list[str]:
    readers = [name for name in JOBS[job] if not name.startswith("limit")]
    return [*(name for name in readers if name.startswith(OWN) or name in (chosen.readers or readers)), limit]


def told(what: str, rows: Mapping[str, Row]) -> dict[str, Row]:
    """The rows, which are told on the way; the one that is the limit under that name."""
    for name, row in rows.items():
        print(f"{what}: {name}: {row}", file=sys.stderr, flush=True)
    return {LIMIT if name.startswith(LIMIT) else name: row for name, row in rows.items()}


# --- tables ----------------------------------------------------------------------------------------------------------


def index_table(lists: Mapping[str, Mapping[str, Row]]) -> str:
    heads = [f"{headers} headers{where}" for headers in lists for where in (", in process", ", whole process")]
    columns = []
    for rows in lists.values():
        columns += [in_process(rows), times(rows, lambda row: row.whole_s)]
    return table(heads, columns)


def volume_tables(reads: Mapping[str, Mapping[str, Row]], volume_bytes: int) -> str:
    heads = [ENCODINGS[encoding] for encoding in reads]
    inside = table(heads, [in_process(rows) for rows in reads.values()], "in process")
    whole = table(heads, [times(rows, lambda row: row.whole_s) for rows in reads.values()], "whole process")
    peaks = [
        {name: f"{row.peak / volume_bytes:.2f}" for name, row in rows.items() if measured(name, row)}
        for rows in reads.values()
    ]
    return inside + whole + PEAKS + table(heads, peaks, "peak memory")


def measured(name: str, row: Row) -> bool:
    """Whether the memory of a reader was measured: of a program of its own it was not."""
    return not row.fault and name not in (LIMIT, PROGRAM)


def in_process(rows: Mapping[str, Row]) -> dict[str, str]:
    return times({name: row for name, row in rows.items() if name != PROGRAM}, lambda row: row.seconds)


def times(rows: Mapping[str, Row], of: Callable[[Row], float]) -> dict[str, str]:
    """Seconds of each reader, and how many times Isocenter's these are."""
    own, found = rows[OWN], {OWN: f"{of(rows[OWN]):.3g} s"}
    for name, row in rows.items():
        if row.fault:
            found[name] = "–"
        elif name != OWN and of(row) < float("inf"):
            factor = of(row) / of(own)
            mark = " †" if row.found != own.found and name not in (LIMIT, PROGRAM) and row.found else ""
            found[name] = f"{of(row):.3g} ({factor:.{0 if factor >= 10 else 1}f} ×){mark}"
    return found


def table(heads: list[str], columns: list[dict[str, str]], corner: str = "") -> str:
    rows = dict.fromkeys(name for column in columns for name in column)
    lines = [[corner, *heads], ["---"] * (1 + len(heads))]
    lines += [[name, *(column.get(name, "") for column in columns)] for name in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


# --- files -----------------------------------------------------------------------------------------------------------


def make_index(folder: Path, headers: str) -> None:
    """1,200 files in 20 series."""
    grid = Grid.from_vectors((60, 64, 64))
    for number in range(20):
        name = f"{number}/{{}}.dcm".format
        edit = like_a_scanner if headers == "long" else DEFAULT.edit
        write_series(np.zeros(grid.shape), grid, folder, style=Style(seed=name(""), file_name=name, edit=edit))


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


if __name__ == "__main__":
    main()
