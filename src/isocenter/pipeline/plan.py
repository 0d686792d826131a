"""A path to a plan: the data set opened and gone through, and what was decided by it. What ``isocenter plan`` does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from isocenter.datasets import open_dataset
from isocenter.datasets.passing import Observer
from isocenter.errors import UsageError
from isocenter.nets.plan import Plan, Task, save_plan
from isocenter.nets.planning.fingerprint import Fingerprint, fingerprint
from isocenter.nets.planning.planner import Device, plan_for
from isocenter.reasons import Reason, Severity

_UNITS = {"": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3, "g": 1024**3}
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


@dataclass(frozen=True)
class Planned:
    """A plan, what it was made by, and the files that it was written to."""

    plan: Plan
    fingerprint: Fingerprint
    written: tuple[Path, ...] = ()

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """What is to be said of the data set."""
        return self.fingerprint.dataset.reasons

    @property
    def left_out(self) -> int:
        """How many faults cost a case."""
        return sum(one.severity is Severity.REJECTED for one in self.reasons)


def planned(
    path: Path,
    *,
    task: Task | None = None,
    device: Device = "cpu",
    memory: str = "",
    out: Path | None = None,
    observer: Observer | None = None,
) -> Planned:
    """Plan a network for the data set at a path.

    Parameters
    ----------
    path
        Of the data set.
    task, device
        As of :func:`isocenter.nets.planning.planner.plan_for`.
    memory
        Memory of the device, such as ``"8GiB"``; empty for the default.
    out
        File of JSON to write the plan to; that of a coarse network before it, which is taught by itself, goes beside
        it: ``plan_coarse.json`` beside ``plan.json``.
    observer
        Called with the number of cases done and of all.

    Raises
    ------
    UsageError
        If there is no data set, or a word is wrong.
    Refused
        If no network can be planned; the reasons say why.
    """
    wanted = memory_bytes(memory)
    if out is not None and not out.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {out.parent} to write the plan into.")
    found = fingerprint(open_dataset(path), observer=observer)
    plan = plan_for(found, task=task, device=device, memory_bytes=wanted)
    written = []
    if out is not None:
        save_plan(plan, out)
        written.append(out)
        if plan.coarse is not None:
            beside = out.with_stem(f"{out.stem}_coarse")
            save_plan(plan.coarse, beside)
            written.append(beside)
    return Planned(plan, found, tuple(written))


def memory_bytes(text: str) -> int:
    """Bytes of a text such as ``"8GiB"`` or ``"500 MB"``; 0 of an empty one.

    Raises
    ------
    UsageError
        If it is none.
    """
    if not text:
        return 0
    found = _MEMORY.fullmatch(text.strip().lower())
    count = int(float(found[1]) * _UNITS[found[2]]) if found and found[2] in _UNITS else 0
    if not count:
        raise UsageError(f"Memory is written as 8GiB or 500MB; not as {text!r}.")
    return count
