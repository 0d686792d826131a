"""The main job on a CT of 512 x 512 x 300: a folder of DICOM to all objects written, in seconds and memory per step.

Run it by ``python -m bench.main_job``. The first run compiles; the others find its caches. Each run is a process of its
own, so that imports count. The limit is what the same bytes cost without any work: read once, written once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RUNS = 4


def make_study(folder: Path) -> int:
    """Write the phantom; its bytes on disk."""
    from isocenter.testing.dicom import Style, write_series
    from isocenter.testing.phantom import chest_grid, chest_phantom

    phantom = chest_phantom(chest_grid((300, 512, 512), (1.0, 0.7, 0.7)))
    header = {"ReferringPhysicianName": "", "PositionReferenceIndicator": ""}
    paths = write_series(phantom.volume.array, phantom.volume.grid, folder, style=Style(attributes=header))
    return sum(path.stat().st_size for path in paths)


def run(study: Path, out: Path, caches: Path) -> tuple[float, dict[str, Any]]:
    """Wall time of one whole process, and its record."""
    return run_command(["lungs", str(study), "--out", str(out)], caches)


def run_command(arguments: list[str], caches: Path) -> tuple[float, dict[str, Any]]:
    """Wall time of one whole process of ``isocenter run``, and its record."""
    command = [sys.executable, "-m", "isocenter", "run", *arguments, "--json"]
    start = time.perf_counter()
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, "NUMBA_CACHE_DIR": str(caches)}
    )
    seconds = time.perf_counter() - start
    record = json.loads(Path(json.loads(done.stdout)[0]["outputs"]["record"]).read_text())
    return seconds, record


def limit_s(study: Path, out: Path, folder: Path) -> float:
    """Seconds to read all input bytes once and to write all output bytes once."""
    start = time.perf_counter()
    for path in study.iterdir():
        path.read_bytes()
    sizes = [path.stat().st_size for path in out.rglob("*") if path.is_file()]
    (folder / "written").write_bytes(bytes(sum(sizes)))
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = make_study(folder / "study")
        runs = [run(folder / "study", folder / "out", folder / "caches") for _ in range(RUNS)]
        limit = limit_s(folder / "study", folder / "out", folder)
    best, record = min(runs[1:], key=lambda one: one[0])
    print(f"The main job on 512 x 512 x 300 int16, {size / 1e6:.0f} MB of files; Isocenter {record['isocenter']}, ")
    print(", ".join(f"{package} {version}" for package, version in record["versions"].items()))
    print(f"\n| run | seconds |\n|---|---|\n| first (compiling) | {runs[0][0]:.1f} |")
    print(f"| best of {RUNS - 1} more | {best:.1f} |\n| limit (bytes in and out) | {limit:.2f} |")
    print("\n| step | seconds | peak MiB |\n|---|---|---|")
    for step in record["steps"]:
        print(f"| {step['step']} | {step['seconds']:.2f} | {step['peak_mib']:.0f} |")
    inside = sum(step["seconds"] for step in record["steps"])
    print(f"| interpreter, imports, headers, record | {best - inside:.2f} | |")


if __name__ == "__main__":
    main()
