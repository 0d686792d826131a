"""One reader in a process of its own: ``python -m bench.peers JOB NAME WARM [--once]``.

It does the job once on the small folder WARM, so that all is imported; then, for each folder that it is told on its
standard input, does it there and answers with a line of JSON. With ``--once`` it does the job on WARM alone and ends,
to be timed as a whole process.
"""

from __future__ import annotations

import gc
import json
import re
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.jobs import Job
from bench.limits import LIMITS
from bench.listing import LISTERS
from bench.loading import READERS

JOBS = {"list": LISTERS, "read": READERS | LIMITS}


def main(job: str, name: str, warm: str, *options: str) -> None:
    do = JOBS[job][name]()
    if "--once" in options:
        do(warm)
        return
    with suppress(Exception):  # what cannot read the small folder tells so on the large one
        do(warm)
    answer({"ready": True})
    for line in sys.stdin:
        gc.collect()
        try:
            answer(timed(do, line.rstrip("\n")))
        except Exception as error:  # noqa: BLE001 - whatever it is that a reader cannot do
            answer({"fault": f"{type(error).__name__}: {error}"[:200]})


def timed(do: Job, folder: str) -> dict[str, Any]:
    """Seconds of one call, what it came to, and the peak of memory above what was held before, in bytes."""
    before = memory("VmRSS", fresh_peak=True)
    start = time.perf_counter()
    kept = do(folder)
    seconds = time.perf_counter() - start
    peak = memory("VmHWM") - before
    if isinstance(kept, str):
        return {"seconds": seconds, "peak": peak}
    if not hasattr(kept, "dtype"):
        return {"seconds": seconds, "peak": peak, "count": len(kept)}
    middle = kept[len(kept) // 2].astype(int)
    return {"seconds": seconds, "peak": peak, "sums": [int(middle.sum()), int((middle[::7] ** 2).sum()), len(kept)]}


def memory(what: str, *, fresh_peak: bool = False) -> int:
    if fresh_peak:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
    found = re.search(rf"{what}:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def answer(content: dict[str, Any]) -> None:
    sys.__stdout__.write(json.dumps(content) + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


if __name__ == "__main__":
    main(*sys.argv[1:])
