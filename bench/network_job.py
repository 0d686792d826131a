"""A network on a CT of 512 x 512 x 300: DICOM to SEG alone, and the whole run with its pages, for 14 and 104 classes.

Run it by ``python -m bench network_job``. The CT is a phantom and the networks have random weights, since what is
measured is time and memory: their labels mean nothing. Labels of a random network are noise, which no trained one
gives: that is the row "noise", the worst case. For the rows "regions" the way up of the same network is made smooth
(spatially constant kernels, nothing from the skips; as many multiplications), so that labels are regions of some
centimetres. Each run is a process of its own, so that imports count; a first run, not counted, compiles.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.main_job import limit_s, make_study, run_command

CLASSES = (14, 104)
SPACING_MM = 3.0
NETWORK = {"features": [8, 16, 32, 64], "blocks": [1, 1, 1, 1]}
PATCH = (112, 128, 128)  # as large as a body at 3 mm: one window


def make_model(folder: Path, classes: int, labels: str) -> Path:
    """A small residual U-Net with random weights, whose labels are "regions" or "noise"."""
    import torch

    from isocenter.nets.models.model import Model, save_model
    from isocenter.nets.networks import build
    from isocenter.nets.plan import Network, Normalisation, Plan

    names = tuple(f"structure_{number}" for number in range(1, classes + 1))
    plan = Plan(
        "segmentation", ("CT",), names, Network("residual_unet", NETWORK), PATCH,
        spacing_mm=(SPACING_MM,) * 3, normalisation=(Normalisation("ct", -1000, 1000, -300, 400),),
    )  # fmt: skip
    torch.manual_seed(0)
    network = build(plan)
    if labels == "regions":
        with torch.no_grad():
            for up, decoder in zip(network.up, network.decoder, strict=True):
                up.weight.copy_(up.weight.mean((2, 3, 4), keepdim=True).expand_as(up.weight))
                kernel = decoder[0].weight
                kernel.copy_(kernel.mean((2, 3, 4), keepdim=True).expand_as(kernel))
                kernel[:, kernel.shape[1] // 2 :] = 0  # what the skip brings
    name = f"random-{classes}-{labels}"
    return save_model(Model(name, "1", plan, folder / name, {}, licence="none"), [network.state_dict()]).folder


# --- DICOM to SEG, in a process of its own ---------------------------------------------------------------------------


def to_seg(model_folder: Path, study: Path, out: Path, encoding: str) -> dict[str, Any]:
    """Each step from a folder of DICOM to a SEG that was written, read back and compared."""
    found: list[dict[str, Any]] = []

    @contextmanager
    def step(name: str) -> Iterator[None]:
        start, busy = time.perf_counter(), time.process_time()
        yield
        took, worked = time.perf_counter() - start, time.process_time() - busy
        found.append({"step": name, "seconds": took, "cpu_s": worked, "peak_mib": peak_mib()})

    with step("imports"):
        import highdicom  # noqa: F401
        import torch  # noqa: F401

        from isocenter import read, scan
        from isocenter.dicom.derived import seg, slice_headers
        from isocenter.dicom.derived.making import Making
        from isocenter.dicom.derived.writing import write
        from isocenter.findings import Algorithm, Segmentation
        from isocenter.nets.models.model import load_model
        from isocenter.nets.predict import labels_of
        from isocenter.nets.prepare import back, prepared
        from isocenter.nets.runtimes import open_runtime
        from isocenter.nets.structures import segments_of
    with step("scan and read"):
        series = scan(study)[0]
        volume = read(series)
    with step("prepare"):
        model = load_model(model_folder)
        case = prepared([volume], model.plan)
    with step("network and labels"):
        labels = labels_of(case, model.plan, open_runtime(model))
    with step("back to the native grid"):
        array = back(labels, case)
        made = Segmentation((array,), volume.grid, segments_of(model.plan.labels), Algorithm(model.name, "1"))
    with step("SEG made"):
        making = Making(datetime.fromisoformat("2026-01-31T12:00:00+00:00"))
        headers = slice_headers.of_series(series)
        dataset = seg.make(made, headers, making, encoding=seg.Encoding(encoding))
    with step("SEG written, read back, compared"):
        written = write(dataset, out / "seg.dcm", check=lambda read_back: seg.check(read_back, made))
    return {"steps": found, "frames": int(dataset.NumberOfFrames), "bytes": written.size_bytes}


def peak_mib() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_to_seg(model: Path, study: Path, caches: Path, encoding: str) -> tuple[float, dict[str, Any]]:
    """Wall time of a whole process of :func:`to_seg`, and what it says."""
    command = [sys.executable, "-m", "bench.network_job", "--to-seg", str(model), str(study), str(caches), encoding]
    start = time.perf_counter()
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(caches)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return time.perf_counter() - start, json.loads(done.stdout.splitlines()[-1])


# --- tables ----------------------------------------------------------------------------------------------------------


def show(title: str, seconds: float, steps: list[dict[str, Any]]) -> None:
    """The whole, and of each step the seconds, what all cores worked if it was told, its share, and the peak so far."""
    print(f"\n#### {title} in {seconds:.1f} s, peak {max(step['peak_mib'] for step in steps):.0f} MiB")
    print("\n| step | seconds | CPU seconds | share | peak MiB |\n|---|---|---|---|---|")
    for step in steps:
        took, worked = step["seconds"], f"{step['cpu_s']:.2f}" if "cpu_s" in step else ""
        print(f"| {step['step']} | {took:.2f} | {worked} | {100 * took / seconds:.0f} % | {step['peak_mib']:.0f} |")
    rest = seconds - sum(step["seconds"] for step in steps)
    print(f"| interpreter and what else there is | {rest:.2f} | | {100 * rest / seconds:.0f} % | |", flush=True)


def show_to_seg(model: Path, study: Path, caches: Path, encoding: str) -> None:
    """DICOM to SEG: one process."""
    seconds, record = run_to_seg(model, study, caches, encoding)
    show(f"{model.name}, {encoding}: DICOM to SEG", seconds, record["steps"])
    print(f"\n{record['frames']} frames, {record['bytes'] / 2**20:.1f} MiB")


def show_whole(model: Path, study: Path, caches: Path, encoding: str) -> None:
    """The whole of ``isocenter run``: one process."""
    out = caches / f"out-{model.name}-{encoding}"
    seconds, record = run_command([str(model), str(study), "--out", str(out), "--seg", encoding], caches)
    show(f"{model.name}, {encoding}: isocenter run with pages", seconds, record["steps"])
    print(f"\nBytes in and out alone: {limit_s(study, out, caches):.2f} s")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--study", type=Path, help="a study that is there already")
    options.add_argument("--classes", type=int, nargs="*", default=CLASSES)
    options.add_argument("--to-seg", nargs=4, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.to_seg:
        model, study, out, encoding = given.to_seg
        print(json.dumps(to_seg(Path(model), Path(study), Path(out), encoding)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = given.study or folder / "study"
        if given.study is None:
            make_study(study)
        print(f"{len(os.sched_getaffinity(0))} cores; CT 512 x 512 x 300 of 1.0 x 0.7 x 0.7 mm; residual U-Net of ")
        print(f"features {NETWORK['features']} with random weights, grid {SPACING_MM} mm, windows {PATCH}")
        for classes in given.classes:
            regions = make_model(folder, classes, "regions")
            if classes == given.classes[0]:
                first, _ = run_command([str(regions), str(study), "--out", str(folder / "first")], folder)
                print(f"\nThe very first run, which compiles: {first:.1f} s")
            for encoding in ("labelmap", "binary"):
                show_to_seg(regions, study, folder, encoding)
            noise = make_model(folder, classes, "noise")
            show_to_seg(noise, study, folder, "labelmap")
            show_whole(regions, study, folder, "binary")
            show_whole(noise, study, folder, "labelmap")


if __name__ == "__main__":
    main()
