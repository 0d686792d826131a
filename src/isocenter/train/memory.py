"""Memory: whether learning fits before it starts, and what to do where it did not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from isocenter.errors import Refused
from isocenter.reasons import Reason

_GIB = 1024**3
_CGROUPS = (  # (limit, in use): of version 2 and of version 1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
_ADVICE = "Lower the plan's batch (and raise accumulation), then its patch, then the network's features."


def available_bytes(device: str) -> int:
    """Memory that is free on a device: of a GPU, or of this machine within the limits of its container."""
    if device != "cpu":
        return int(torch.cuda.mem_get_info(device)[0])
    free = [os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    with suppress(OSError, IndexError, ValueError):  # counts what caches would give back, which sysconf does not
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
    for limit, used in _CGROUPS:
        with suppress(OSError, ValueError):  # without a limit it says "max"
            free.append(int(Path(limit).read_text(encoding="ascii")) - int(Path(used).read_text(encoding="ascii")))
    return max(min(free), 0)


def expect_room(needed_bytes: int, device: str) -> None:
    """Refuse before the start what cannot fit.

    Raises
    ------
    Refused
        With ``TRAINING_TOO_LARGE``.
    """
    free = available_bytes(device)
    if needed_bytes > free:
        text = (
            f"Learning needs about {needed_bytes / _GIB:.1f} GiB on {device}, where {free / _GIB:.1f} GiB are free."
            f" {_ADVICE}"
        )
        raise Refused([Reason("TRAINING_TOO_LARGE", text)])


@contextmanager
def explained() -> Iterator[None]:
    """What is raised in here for want of memory becomes a reason.

    Raises
    ------
    Refused
        With ``TRAINING_OUT_OF_MEMORY``.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _refused() from error
    except RuntimeError as error:  # as which torch reports it on a CPU
        if "not enough memory" in str(error) or "can't allocate memory" in str(error):
            raise _refused() from error
        raise


def _refused() -> Refused:
    return Refused([Reason("TRAINING_OUT_OF_MEMORY", f"The memory did not suffice for a step. {_ADVICE}")])
