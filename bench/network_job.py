"""A network on a CT of 512 x 512 x 300: a folder of DICOM to all objects written, with 14 and with 104 classes.

Run it by ``python -m bench network_job``. The CT is a phantom and the network has random weights, since what is
measured is time and memory: its labels follow the image's structures and mean nothing. Each run is a process of its
own, so that imports count; the first run compiles, the others find its caches.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from bench.main_job import limit_s, make_study, run_command

RUNS = 3
CLASSES = (14, 104)
SPACING_MM = 3.0
NETWORK = {"features": [8, 16, 32, 64], "blocks": [1, 1, 1, 1]}
PATCH = (96, 96, 96)


def make_model(folder: Path, classes: int) -> Path:
    """A small residual U-Net with random weights."""
    import torch

    from isocenter.nets.models.model import Model, save_model
    from isocenter.nets.networks import build
    from isocenter.nets.plan import Network, Normalisation, Plan

    labels = tuple(f"structure_{number}" for number in range(1, classes + 1))
    plan = Plan(
        "segmentation", ("CT",), labels, Network("residual_unet", NETWORK), PATCH,
        spacing_mm=(SPACING_MM,) * 3, normalisation=(Normalisation("ct", -1000, 1000, -300, 400),),
    )  # fmt: skip
    torch.manual_seed(0)
    network = build(plan)
    model = Model(f"random-{classes}", "1", plan, folder / f"random-{classes}", {}, licence="none: random weights")
    return save_model(model, [network.state_dict()]).folder


def shares(study: Path, model: Path) -> dict[str, float]:
    """Seconds of the parts of the step "segment", once warm, in this process."""
    import time

    from isocenter import read, scan
    from isocenter.nets.models.model import load_model
    from isocenter.nets.predict import Inference, labels_of
    from isocenter.nets.prepare import back, prepared
    from isocenter.nets.runtimes import open_runtime

    volume, loaded = read(scan(study)[0]), load_model(model)
    found: dict[str, float] = {}
    for _ in range(2):
        start = time.perf_counter()
        case = prepared([volume], loaded.plan)
        found["prepare"] = time.perf_counter() - start
        runtime = open_runtime(loaded)
        start = time.perf_counter()
        labels = labels_of(case, loaded.plan, runtime, how=Inference())
        found["network and labels"] = time.perf_counter() - start
        start = time.perf_counter()
        back(labels, case)
        found["back to the source grid"] = time.perf_counter() - start
    return found


def shown(record: dict[str, Any], seconds: float) -> None:
    print("\n| step | seconds | share | peak MiB |\n|---|---|---|---|")
    for step in record["steps"]:
        share = 100 * step["seconds"] / seconds
        print(f"| {step['step']} | {step['seconds']:.2f} | {share:.0f} % | {step['peak_mib']:.0f} |")
    inside = sum(step["seconds"] for step in record["steps"])
    print(
        f"| interpreter, imports, headers, record | {seconds - inside:.2f} | {100 * (1 - inside / seconds):.0f} % | |"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=RUNS)
    options.add_argument("--study", type=Path, help="a study that is there already")
    options.add_argument("--classes", type=int, nargs="*", default=CLASSES)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = given.study or folder / "study"
        if given.study is None:
            make_study(study)
        print(f"{len(os.sched_getaffinity(0))} cores; CT 512 x 512 x 300 of 1.0 x 0.7 x 0.7 mm; residual U-Net of ")
        print(f"features {NETWORK['features']} with random weights, grid {SPACING_MM} mm, windows {PATCH}, overlap 0.5")
        for classes in given.classes:
            model = make_model(folder, classes)
            parts = ", ".join(f"{part} {took:.2f} s" for part, took in shares(study, model).items())
            print(f"\n### {classes} classes\n\nOf the step segment, warm: {parts}")
            for seg in ("labelmap", "binary"):
                out = folder / f"out-{classes}-{seg}"
                command = [str(model), str(study), "--out", str(out), "--seg", seg]
                runs = [run_command(command, folder / "caches") for _ in range(given.runs)]
                seconds, record = min(runs[1:] or runs, key=lambda one: one[0])
                peak = max(step["peak_mib"] for step in record["steps"])
                size = next(one["bytes"] for one in record["outputs"] if one["kind"] == "seg") / 2**20
                print(f"\nSEG as {seg} ({size:.1f} MiB): first run {runs[0][0]:.1f} s, best of {given.runs - 1} more ")
                print(
                    f"{seconds:.1f} s, peak {peak:.0f} MiB; bytes in and out alone {limit_s(study, out, folder):.2f} s"
                )
                shown(record, seconds)


if __name__ == "__main__":
    main()
