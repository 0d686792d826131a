"""Reading random patches of a prepared case: plain arrays by memory map, against compressed chunks of Zarr.

A patch of 96^3 voxels out of 256 x 320 x 320 float32 values that compress as a CT does, at random places, with the file
in the system's memory (as it is from the second epoch on) and without. Run: ``python -m bench.learning``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zarr

SHAPE, PATCH = (1, 256, 320, 320), 96


def image() -> np.ndarray:
    """Smooth structures with the noise of a CT, as whole HU brought to a network's scale."""
    from scipy.ndimage import gaussian_filter

    random = np.random.default_rng(0)
    smooth = gaussian_filter(random.standard_normal(SHAPE[1:], np.float32), 6) * 2000
    hu = np.rint(smooth + random.standard_normal(SHAPE[1:], np.float32) * 15)
    return (hu[None].astype(np.float32) + 50) / 400


def drop(folder: Path) -> None:
    """Ask the system to forget the files of a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed(read: Callable[[tuple[int, int, int]], np.ndarray], folder: Path, *, count: int) -> tuple[float, float]:
    """Median milliseconds of a patch: first touch, and with the file in memory."""
    random = np.random.default_rng(1)
    corners = [tuple(int(random.integers(n - PATCH + 1)) for n in SHAPE[1:]) for _ in range(count)]
    found = []
    for cold in (True, False):
        times = []
        for corner in corners:
            if cold:
                drop(folder)
            began = time.perf_counter()
            read(corner)  # type: ignore[arg-type]
            times.append(time.perf_counter() - began)
        found.append(1000 * statistics.median(times))
    return found[0], found[1]


def box(array: object, corner: tuple[int, int, int]) -> np.ndarray:
    k, r, c = (slice(a, a + PATCH) for a in corner)
    return np.ascontiguousarray(array[:, k, r, c])  # type: ignore[index]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=12)
    count = parser.parse_args().count
    array = image()
    print(f"NumPy {np.__version__}, zarr {zarr.__version__}; patches of {PATCH}^3 of {SHAPE} float32")
    print(f"{'kept as':34}{'size':>10}{'first touch':>14}{'in memory':>12}")
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        plain = root / "plain"
        plain.mkdir()
        np.save(plain / "image.npy", array)
        row("memory map (what we do)", plain, lambda at: box(np.load(plain / "image.npy", mmap_mode="r"), at), count)
        for edge in (32, 64):
            folder = root / f"zarr_{edge}"
            blosc = zarr.codecs.BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle")
            kept = zarr.create_array(folder, shape=SHAPE, chunks=(1, edge, edge, edge), dtype="f4", compressors=blosc)
            kept[:] = array
            row(
                f"Zarr, Blosc zstd, chunks of {edge}^3", folder, lambda at, f=folder: box(zarr.open_array(f), at), count
            )


def row(name: str, folder: Path, read: Callable[[tuple[int, int, int]], np.ndarray], count: int) -> None:
    """Measure one way and print it."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
    cold, warm = timed(read, folder, count=count)
    print(f"{name:34}{size:7.0f} MB{cold:11.1f} ms{warm:9.1f} ms")


if __name__ == "__main__":
    main()
