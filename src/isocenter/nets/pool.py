"""Models kept warm: opened once, used for every case, by several threads, within a bound of memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isocenter.nets.models.model import Model
from isocenter.nets.runtimes import Runtime, open_runtime, runtime_name

if TYPE_CHECKING:
    from isocenter.nets.predict import Inference

_BYTES = 4 * 2**30


@dataclass(frozen=True, slots=True)
class Warm:
    """A model that is open: its name, what runs it, and the bytes of its weights files."""

    name: str
    runtime: str
    device: str
    weights_bytes: int


class Pool:
    """Open models, keyed by what they are (SHA-256 of plan and weights) and how they run.

    Beyond the bound the one that was used longest ago is dropped; one alone stays whatever its size. A model that two
    threads ask for at once is opened once; others may be opened meanwhile.

    Parameters
    ----------
    most_bytes
        Bound for the weights held, by the size of their files.
    """

    def __init__(self, most_bytes: int = _BYTES) -> None:
        self._most = most_bytes
        self._open: OrderedDict[Any, tuple[Warm, Runtime]] = OrderedDict()
        self._opening: dict[Any, threading.Lock] = {}
        self._lock = threading.Lock()

    def opened(self, model: Model, how: Inference, *, member: int | None = None) -> Runtime:
        """The model, or one member of it alone, ready to run: opened now if it is not yet.

        Raises
        ------
        InputError
            If its weights are missing or damaged.
        UsageError
            If what is to run it is not there.
        """
        name = runtime_name(model, how.runtime)
        key = (model.sha256, name, how.device, how.precision, member)
        with self._lock:
            turn = self._opening.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                if key in self._open:
                    self._open.move_to_end(key)
                    return self._open[key][1]
            runtime = open_runtime(model, name, device=how.device, precision=how.precision, member=member)
            files = list(model.weights) if member is None else [list(model.weights)[member]]
            size = sum((model.folder / file).stat().st_size for file in files)
            with self._lock:
                self._open[key] = Warm(model.name, name, how.device, size), runtime
                self._make_room()
            return runtime

    @property
    def warm(self) -> tuple[Warm, ...]:
        """What is open, that used longest ago first."""
        with self._lock:
            return tuple(one for one, _ in self._open.values())

    @property
    def held_bytes(self) -> int:
        """Bytes of the weights that are held."""
        return sum(one.weights_bytes for one in self.warm)

    def clear(self) -> None:
        """Drop all."""
        with self._lock:
            self._open.clear()
            self._opening.clear()

    def _make_room(self) -> None:
        while len(self._open) > 1 and sum(one.weights_bytes for one, _ in self._open.values()) > self._most:
            self._open.popitem(last=False)


POOL = Pool()
"""The pool of this process."""
