"""A labelled data set checked and measured in one pass, beside nnU-Net's extraction of its fingerprint.

Run it by ``python -m bench.datasets --data FOLDER``: a folder with ``images`` and ``labels`` of one channel. nnU-Net
runs in the Python of ``make peers`` (``--python``), on links to the same files, as many workers as cores; its check of
the data set and its extraction are timed apart. Ours does both in one pass, and takes the SHA-256 of every image. The
best of a few rounds counts. Memory is what ours takes above what was held; of nnU-Net it is the largest process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

from bench.timing import best_and_peak, best_of, versions_of

PACKAGES = ("numpy", "numba", "nibabel")

_NNUNET = """
import importlib.metadata, json, os, resource, sys, time
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity
from nnunetv2.paths import nnUNet_raw
if __name__ == "__main__":
    cores, took = len(os.sched_getaffinity(0)), []
    for _ in range(int(sys.argv[1])):
        start = time.perf_counter()
        verify_dataset_integrity(os.path.join(nnUNet_raw, "Dataset001_bench"), cores)
        checked = time.perf_counter()
        extractor = DatasetFingerprintExtractor(1, cores)
        extractor.show_progress_bar = False
        found = extractor.run(overwrite_existing=True)
        took.append((checked - start, time.perf_counter() - checked))
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * 1024
    values = found["foreground_intensity_properties_per_channel"]
    version = importlib.metadata.version("nnunetv2")
    print("@" + json.dumps([[min(one) for one in zip(*took)], peak, version, values]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--python", type=Path, default=Path(".venv-peers/bin/python"))
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()

    from isocenter.datasets import check, open_dataset
    from isocenter.nets.planning.fingerprint import fingerprint

    opening, dataset = best_of(lambda: open_dataset(chosen.data), chosen.rounds)
    checking, _ = best_of(lambda: check(dataset), chosen.rounds)
    measuring, peak, seen = best_and_peak(lambda: fingerprint(dataset), chosen.rounds)
    print(f"{versions_of(PACKAGES)}; {len(seen.cases)} cases on {len(os.sched_getaffinity(0))} cores")
    print(f"isocenter: opened {opening:.2f} s (labels found in the files), checked {checking:.2f} s,", end=" ")
    print(f"checked and measured {measuring:.2f} s, memory {peak / 2**20:.0f} MiB")
    print(f"values of the labelled voxels: {seen.intensities[0]}")
    if chosen.python.is_file():
        seconds, peak, version, values = nnunet(chosen.data, list(seen.cases), chosen.python.absolute(), chosen.rounds)
        print(f"nnU-Net {version}: checked {seconds[0]:.2f} s, measured {seconds[1]:.2f} s:", end=" ")
        print(f"{sum(seconds) / measuring:.1f} times as long, memory {peak / 2**20:.0f} MiB")
        print(f"values of the labelled voxels: {values}")


def nnunet(data: Path, cases: list[str], python: Path, rounds: int) -> tuple[list[float], int, str, object]:
    """Seconds of nnU-Net's check and of its extraction, its memory in bytes, its version and the values it found."""
    with tempfile.TemporaryDirectory() as work:
        raw = Path(work) / "raw" / "Dataset001_bench"
        for folder, source, ending in (("imagesTr", "images", "_0000"), ("labelsTr", "labels", "")):
            (raw / folder).mkdir(parents=True)
            for name in cases:
                (raw / folder / f"{name}{ending}.nii.gz").symlink_to((data / source / f"{name}.nii.gz").absolute())
        table = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "a": 1, "b": 2}, "numTraining": len(cases)}
        (raw / "dataset.json").write_text(json.dumps({**table, "file_ending": ".nii.gz"}))
        script = Path(work) / "nnunet.py"
        script.write_text(_NNUNET)
        folders = {f"nnUNet_{name}": f"{work}/{name}" for name in ("raw", "preprocessed", "results")}
        ran = subprocess.run(
            [python, script, str(rounds)], env={**os.environ, **folders}, stdout=subprocess.PIPE, text=True, check=True
        )
    said = next(line for line in ran.stdout.splitlines() if line.startswith("@"))
    seconds, peak, version, values = json.loads(said[1:])
    return seconds, peak, version, values


if __name__ == "__main__":
    main()
