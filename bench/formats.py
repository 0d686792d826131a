"""Writing and reading a CT of 512 x 512 slices in each format, and exporting cases, against their usual libraries.

Run it by ``python -m bench.formats [--slices 300]``. The best of a few rounds counts; files lie in a temporary folder,
so the page cache is warm. Every reader gives the values as an array in memory; ratios above 1 mean that we are faster.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bench.timing import best_of

ROUNDS = 3


def phantom(slices: int) -> Any:
    """A chest CT with noise, int16 in HU."""
    from isocenter.testing.phantom import ChestOptions, chest_grid, chest_phantom

    grid = chest_grid((slices, 512, 512), (330 / slices, 0.7, 0.7))
    return chest_phantom(grid, options=ChestOptions(vessel_generations=2)).volume


def disk_limit(array: Any, folder: Path) -> tuple[float, float]:
    """Writing the bytes as they are and reading them again: nothing is faster."""
    path = folder / "raw"
    written, _ = best_of(lambda: path.write_bytes(array.data), ROUNDS)
    read, _ = best_of(lambda: np.fromfile(path, array.dtype), ROUNDS)
    return written, read


Way = Callable[[Path], Any]


def peers(volume: Any) -> list[tuple[str, str, Way, Way]]:
    """Format, library, how it writes and how it reads."""
    import nibabel
    import nrrd
    import SimpleITK as sitk  # noqa: N813
    import tifffile
    import zarr

    from isocenter.bridges import ras_affine, to_simpleitk

    array, image = volume.array, to_simpleitk(volume)
    nifti = nibabel.Nifti1Image(array.transpose(2, 1, 0), ras_affine(volume.grid))
    header = {"space": "LPS", "kinds": ["domain"] * 3, "encoding": "gzip"}

    def write_itk(path: Path) -> None:
        sitk.WriteImage(image, str(path), useCompression=path.suffix != ".nii")

    def write_zarr(path: Path) -> None:
        made = zarr.create_array(str(path), shape=array.shape, dtype=array.dtype, chunks=(64, 128, 128), overwrite=True)
        made[...] = array

    def read_itk(path: Path) -> Any:
        return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))

    def write_nibabel(path: Path) -> None:
        nibabel.save(nifti, path)

    def read_nibabel(path: Path) -> Any:
        return np.asarray(nibabel.load(path).dataobj).copy()

    return [
        (".nii", "nibabel", write_nibabel, read_nibabel),
        (".nii", "SimpleITK", write_itk, read_itk),
        (".nii.gz", "nibabel", write_nibabel, read_nibabel),
        (".nii.gz", "SimpleITK", write_itk, read_itk),
        (
            *(".nrrd", "pynrrd"),
            lambda path: nrrd.write(str(path), array.transpose(2, 1, 0), header),
            lambda path: nrrd.read(str(path))[0],
        ),
        (".nrrd", "SimpleITK", write_itk, read_itk),
        (".mha", "SimpleITK", write_itk, read_itk),
        (".npy", "numpy", lambda path: np.save(path, array), np.load),
        (".npz", "numpy", lambda path: np.savez(path, array), lambda path: np.load(path)["arr_0"]),
        (".zarr", "zarr", write_zarr, lambda path: zarr.open_array(str(path), mode="r")[...]),
        (".tif", "tifffile", lambda path: tifffile.imwrite(path, array, compression="zlib"), tifffile.imread),
    ]


def size_mb(path: Path) -> float:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def compare_files(volume: Any, folder: Path) -> None:
    from isocenter import formats

    written, read = disk_limit(volume.array, folder)
    print(f"{volume.array.nbytes / 1e6:.0f} MB as they are: written in {written:.3f} s, read in {read:.3f} s")
    head = ("format", "MB", "write", "read", "peer", "MB", "write", "read", "ratios")
    print("{:8} {:>6} {:>7} {:>7}   {:10} {:>6} {:>7} {:>7} {:>12}".format(*head))
    ours: dict[str, tuple[float, float, float]] = {}
    for ending, library, write, load in peers(volume):
        mine, theirs = folder / f"ours{ending}", folder / f"{library}{ending}"
        if ending not in ours:
            put, _ = best_of(lambda path=mine: formats.save(volume, path), ROUNDS)
            got, back = best_of(lambda path=mine: formats.load(path).array, ROUNDS)
            assert np.array_equal(back, volume.array)  # noqa: S101
            ours[ending] = (size_mb(mine), put, got)
        put, _ = best_of(
            lambda path=theirs, write=write: write(path), 1 if library in ("nibabel", "pynrrd") else ROUNDS
        )
        got, _ = best_of(lambda path=theirs, load=load: load(path), ROUNDS)
        size, my_put, my_got = ours[ending]
        mine_text = f"{ending:8} {size:6.0f} {my_put:7.2f} {my_got:7.2f}"
        ratios = f"{put / my_put:.1f} / {got / my_got:.1f}"
        print(f"{mine_text}   {library:10} {size_mb(theirs):6.0f} {put:7.2f} {got:7.2f} {ratios:>12}", flush=True)


def tutorial(files: list[Path], out: Path) -> None:
    """What a tutorial does for a cohort: SimpleITK to 4 mm, a corner of it, one .npy."""
    import SimpleITK as sitk  # noqa: N813

    cases = []
    for file in files:
        image = sitk.ReadImage(str(file))
        size = [round(n * s / 4) for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True)]
        frame = sitk.ResampleImageFilter()
        frame.SetSize(size)
        frame.SetOutputSpacing((4, 4, 4))
        frame.SetOutputOrigin(image.GetOrigin())
        frame.SetOutputDirection(image.GetDirection())
        frame.SetDefaultPixelValue(-1024)
        array = sitk.GetArrayFromImage(frame.Execute(image)).astype(np.float32)
        fixed = np.full((80, 88, 88), -1024, np.float32)
        part = array[:80, :88, :88]
        fixed[: part.shape[0], : part.shape[1], : part.shape[2]] = part
        cases.append(fixed)
    np.save(out, np.stack(cases))


def compare_exports(volume: Any, folder: Path) -> None:
    from isocenter import formats
    from isocenter.pipeline.export import ExportSettings, export

    (folder / "cohort").mkdir()
    for number in range(4):
        formats.save(volume, folder / "cohort" / f"case_{number}.nii.gz")
    files = sorted((folder / "cohort").iterdir())
    print(f"\nexport of {len(files)} cases to 4 mm, 80 x 88 x 88, float32, from .nii.gz: seconds per case")
    slow, _ = best_of(lambda: tutorial(files, folder / "tutorial.npy"), 2)
    print(f"{'tutorial (SimpleITK, all in memory)':40} {slow / len(files):6.2f}")
    for smoothing in ("none", "matched"):
        for kind in ("npy", "zarr"):
            settings = ExportSettings(shape=(80, 88, 88), spacing_mm=(4, 4, 4), smoothing=smoothing, format=kind)
            times = []
            for attempt in range(3):  # the first compiles
                start = time.perf_counter()
                export(folder / "cohort", folder / f"{smoothing}_{kind}_{attempt}", settings=settings)
                times.append(time.perf_counter() - start)
            fast, name = min(times) / len(files), f"isocenter, {kind}, smoothing {smoothing}"
            print(f"{name:40} {fast:6.2f} {slow / len(files) / fast:6.1f} times as fast", flush=True)


def main() -> None:
    from importlib.metadata import version

    parser = argparse.ArgumentParser()
    parser.add_argument("--slices", type=int, default=300)
    names = ("numpy", "nibabel", "SimpleITK", "pynrrd", "zarr", "tifffile", "imagecodecs")
    print(", ".join(f"{name} {version(name)}" for name in names))
    volume = phantom(parser.parse_args().slices)
    with tempfile.TemporaryDirectory() as name:
        compare_files(volume, Path(name))
        compare_exports(volume, Path(name))


if __name__ == "__main__":
    main()
