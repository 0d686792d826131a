"""Readers that take turns on the same files; the shortest of several rounds counts, in process and as whole processes.

Whatever else the machine does falls on all of them alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Python as it is installed: compiled modules are kept, so that a whole process does not compile them."""
ROUNDS, WHOLE_ROUNDS = 25, 7
LONG_S, SHORT_S = 8.0, 2.0
"""Whoever has worked for so long drops out of the further rounds: late the first reader and the limits, others soon."""
NOT_INSTALLED = "not installed"


@dataclass
class Row:
    """What a reader came to: the shortest times in seconds, the peak of memory in bytes, what it found."""

    seconds: float = float("inf")
    whole_s: float = float("inf")
    peak: int = 0
    found: object = None
    fault: str = ""
    spent_s: float = field(default=0.0, repr=False)


class Peer:
    """A reader in its process."""

    def __init__(self, python: str, job: str, name: str, warm: Path) -> None:
        self.command = [python, "-m", "bench.peers", job, name]
        self.row = Row()
        self.process = subprocess.Popen(
            [*self.command, str(warm)], stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True, cwd=ROOT, env=ENVIRONMENT
        )
        self.answer("")

    def answer(self, folder: str) -> dict[str, Any]:
        """Its answer to a folder; to none, whether it is there."""
        if folder:
            print(folder, file=self.process.stdin, flush=True)
        for line in self.process.stdout or ():
            if line.startswith("{"):  # some readers print words of their own
                return json.loads(line)  # type: ignore[no-any-return]
        self.row.fault = "crashed" if folder else NOT_INSTALLED
        return {}

    def take_turn(self, folder: Path) -> None:
        """Do the job on a folder once more."""
        row, answer = self.row, self.answer(str(folder))
        row.fault = answer.get("fault", row.fault)
        if not row.fault:
            row.seconds = min(row.seconds, answer["seconds"])
            row.peak = max(row.peak, answer["peak"])
            row.found = answer.get("sums") or answer.get("count")
            row.spent_s += answer["seconds"]

    def run_whole(self, folder: Path) -> None:
        """Do the job on a folder in a process of its own."""
        start = time.perf_counter()
        subprocess.run(
            [*self.command, str(folder), "--once"], check=True, capture_output=True, cwd=ROOT, env=ENVIRONMENT
        )
        seconds = time.perf_counter() - start
        self.row.whole_s = min(self.row.whole_s, seconds)
        self.row.spent_s += seconds

    def is_in(self, names: Sequence[str]) -> bool:
        """Whether it takes part in a further round."""
        name = self.command[-1]
        enough_s = LONG_S if name == names[0] or name.startswith("limit") else SHORT_S
        return not self.row.fault and self.row.spent_s < enough_s

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def race(job: str, names: Sequence[str], folders: tuple[Path, Path], python: str) -> dict[str, Row]:
    """A row of each reader.

    Parameters
    ----------
    job
        A key of :data:`bench.peers.JOBS`.
    names
        The readers; those whose name starts with "limit" run in process only.
    folders
        What they work on, and a small one to begin with.
    python
        The interpreter that has them.
    """
    folder, warm = folders
    with ExitStack() as stack:
        peers = {}
        for name in names:
            peers[name] = Peer(python, job, name, warm)
            stack.callback(peers[name].close)
        for _ in range(ROUNDS):
            for peer in peers.values():
                if peer.is_in(names):
                    peer.take_turn(folder)
    for peer in peers.values():
        peer.row.spent_s = 0
    for _ in range(WHOLE_ROUNDS):
        for name, peer in peers.items():
            if not name.startswith("limit") and peer.is_in(names):
                peer.run_whole(folder)
    return {name: peer.row for name, peer in peers.items() if peer.row.fault != NOT_INSTALLED}
