"""The record of a run: inputs, versions, settings, seconds and memory per step, reasons, outputs.

Written as ``run.json`` beside the results. The clock of each step is read here; the time of the run is an argument.
"""

from __future__ import annotations

import hashlib
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import isocenter
from isocenter import __version__

Observer = Callable[[str], None]
"""Called with the name of each step as it begins."""

_PACKAGES = (
    "numpy",
    "scipy",
    "numba",
    "pydicom",
    "highdicom",
    "imagecodecs",
    "connected-components-3d",
    "edt",
    "scikit-image",
    "nibabel",
    "pynrrd",
    "pillow",
    "reportlab",
    "jinja2",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step done: its wall time and the peak memory of the process during it."""

    name: str
    seconds: float
    peak_bytes: int


@dataclass(slots=True)
class Journal:
    """Times the steps of one case."""

    observer: Observer | None = None
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what happens inside, and note it even if it fails."""
        if self.observer is not None:
            self.observer(name)
        _forget_peak()
        start = time.perf_counter()
        try:
            yield
        finally:
            self.steps.append(Step(name, time.perf_counter() - start, _peak_bytes()))

    def to_list(self) -> list[dict[str, Any]]:
        """Plain values for JSON."""
        return [
            {"step": step.name, "seconds": round(step.seconds, 4), "peak_mib": round(step.peak_bytes / 2**20, 1)}
            for step in self.steps
        ]


def _forget_peak() -> None:
    """Reset the kernel's peak counter of this process, where it lets us (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _peak_bytes() -> int:
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@cache
def versions() -> Mapping[str, str]:
    """Versions of everything that can change a result."""
    found = {
        "isocenter": __version__,
        "isocenter sources": _sources_sha256(),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _sources_sha256() -> str:
    """SHA-256 over the package's own Python files: tells apart states of one version."""
    root = Path(isocenter.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def combined(digests: Mapping[str, str]) -> str:
    """One SHA-256 for several files, whatever their order and names: over their sorted hex digests, a line each."""
    return hashlib.sha256("\n".join(sorted(digests.values())).encode("ascii")).hexdigest()
