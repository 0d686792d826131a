"""Time and memory of scanning and reading, beside other readers on the same files, and beside the limit.

Run as ``python bench/reading.py [--slices 300] [--repeat 5]``. The files are made in a temporary folder. The limit is,
for uncompressed files, their bytes from the page cache into fresh memory; for compressed ones the decoder in threads.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from isocenter.dicom import codecs
from isocenter.dicom.files import DiskBytes
from isocenter.dicom.pixels import read, read_with_digests
from isocenter.dicom.scan import scan
from isocenter.geometry import Grid
from isocenter.testing.dicom import SYNTAXES, Style, slice_data_set, write_series

SIZE = 512
ENCODINGS = ("explicit", "RLE", "JPEG lossless SV1", "JPEG-LS", "JPEG 2000 lossless", "HTJ2K lossless")
VERSIONS = ("numpy", "pydicom", "SimpleITK", "highdicom", "imagecodecs")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--slices", type=int, default=300)
    arguments.add_argument("--repeat", type=int, default=5)
    arguments.add_argument("--encodings", nargs="*", default=ENCODINGS, choices=ENCODINGS)
    chosen = arguments.parse_args()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in VERSIONS)
    print(f"{os.cpu_count()} CPUs; Python {sys.version.split()[0]}; {versions}")
    with tempfile.TemporaryDirectory() as root:
        index(Path(root) / "index", chosen.repeat)
        for encoding in chosen.encodings:
            folder = Path(root) / encoding.replace(" ", "_")
            make(folder, encoding, chosen.slices)
            volume(folder, encoding, chosen.repeat)
            for path in folder.iterdir():
                path.unlink()


def table(title: str, rows: dict[str, float], own: str) -> None:
    print(f"\n{title}")
    for name, seconds in rows.items():
        print(f"  {name:34s} {seconds:8.4f} s   {seconds / rows[own]:6.2f} x")


def best(repeat: int, call: Callable[[], object]) -> float:
    """Shortest of several calls, in seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        kept = call()
        times.append(time.perf_counter() - start)
        del kept
    return min(times)


# --- index -----------------------------------------------------------------------------------------------------------


def index(folder: Path, repeat: int) -> None:
    """Headers of 1,200 files in 20 series."""
    grid = Grid.from_vectors((60, 64, 64))
    for number in range(20):
        style = Style(seed=f"series {number}", file_name=lambda k, n=number: f"{n}/{k}.dcm")  # type: ignore[misc]
        write_series(np.zeros(grid.shape), grid, folder, style=style)
    paths = list(folder.rglob("*.dcm"))
    tags = ["SeriesInstanceUID", "SOPInstanceUID", "PatientID", "Rows", "Columns", "ImagePositionPatient"]
    import pydicom

    if len(scan(folder)) != 20:
        raise SystemExit("isocenter did not find the 20 series")
    rows = {
        "isocenter scan": best(repeat, lambda: scan(folder)),
        "pydicom, whole header": best(repeat, lambda: [pydicom.dcmread(p, stop_before_pixels=True) for p in paths]),
        "pydicom, 6 tags": best(
            repeat, lambda: [pydicom.dcmread(p, stop_before_pixels=True, specific_tags=tags) for p in paths]
        ),
        "limit: open, read 8 KiB, close": best(repeat, lambda: [touch(str(path)) for path in paths]),
    }
    table(f"index of {len(paths)} files", rows, "isocenter scan")


def touch(path: str) -> bytes:
    source = DiskBytes(path)
    window = source.at(0, 8192)
    source.close()
    return window


# --- volume ----------------------------------------------------------------------------------------------------------


def make(folder: Path, encoding: str, slices: int) -> None:
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


def volume(folder: Path, encoding: str, repeat: int) -> None:
    series = scan(folder)[0]
    rows = {
        "isocenter scan + read": best(repeat, lambda: read(scan(folder)[0])),
        "isocenter read": best(repeat, lambda: read(series)),
        "isocenter read with SHA-256": best(repeat, lambda: read_with_digests(series)),
        "limit": best(repeat, lambda: limit(folder, encoding)),
    }
    for name, reader in {
        "pydicom + numpy": with_pydicom,
        "SimpleITK": with_simpleitk,
        "highdicom": with_highdicom,
    }.items():
        try:
            if not np.array_equal(reader(folder)[len(series) // 2], read(series).array[len(series) // 2]):
                print(f"  ({name} reads other values)")
            rows[name] = best(min(repeat, 2), lambda reader=reader: reader(folder))  # type: ignore[misc]
        except RuntimeError:
            print(f"  ({name} cannot decode {encoding} here)")
    table(f"{len(series)} slices of {SIZE} x {SIZE}, {encoding}", rows, "isocenter read")
    print(f"  peak memory above the imports: {peak_of(folder):.2f} x the volume's bytes")


def limit(folder: Path, encoding: str) -> object:
    """What no reader can go below on this machine."""
    instances = scan_once(folder)
    threads = ThreadPoolExecutor(os.cpu_count())
    with threads:
        if encoding == "explicit":
            array = np.empty((len(instances), SIZE, SIZE), np.int16)
            return list(threads.map(lambda pair: fill(array[pair[0]], *pair[1]), enumerate(instances))), array
        syntax = SYNTAXES[encoding]
        return list(threads.map(lambda place: codecs.decode(frame(*place), syntax, (SIZE, SIZE), 16), instances))


_PLACES: dict[Path, list[tuple[str, int]]] = {}


def scan_once(folder: Path) -> list[tuple[str, int]]:
    if folder not in _PLACES:
        _PLACES[folder] = [(i.path, i.pixels.offset) for i in scan(folder)[0].instances if i.pixels]
    return _PLACES[folder]


def fill(out: np.ndarray, path: str, offset: int) -> None:
    source = DiskBytes(path)
    source.into(memoryview(out).cast("B"), offset)
    source.close()


def frame(path: str, offset: int) -> bytes:
    source = DiskBytes(path)
    try:
        return codecs.frame_of(source.at(offset, source.size))
    finally:
        source.close()


def with_pydicom(folder: Path) -> np.ndarray:
    import pydicom

    data_sets = [pydicom.dcmread(path) for path in folder.iterdir()]
    data_sets.sort(key=lambda ds: -ds.ImagePositionPatient[2])
    array = np.stack([ds.pixel_array.astype(np.int16) for ds in data_sets])
    array += np.int16(data_sets[0].RescaleIntercept)
    return array


def with_simpleitk(folder: Path) -> np.ndarray:
    import SimpleITK as sitk  # noqa: N813

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    return sitk.GetArrayFromImage(reader.Execute())[::-1]


def with_highdicom(folder: Path) -> np.ndarray:
    import highdicom
    import pydicom

    found = highdicom.get_volume_from_series([pydicom.dcmread(path) for path in folder.iterdir()])
    return found.array


_PEAK = """
import re, sys
from isocenter.dicom.pixels import read
from isocenter.dicom.scan import scan
import imagecodecs
imagecodecs.jpeg8_decode, imagecodecs.jpegls_decode, imagecodecs.jpeg2k_decode, imagecodecs.dicomrle_decode
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
before = peak()
volume = read(scan(sys.argv[1])[0])
print((peak() - before) / volume.array.nbytes)
"""


def peak_of(folder: Path) -> float:
    done = subprocess.run([sys.executable, "-c", _PEAK, str(folder)], capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    main()
