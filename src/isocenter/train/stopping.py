"""Stopping on a signal: at the end of the step, so that nothing that was learned is lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether a signal asked to stop.

    Attributes
    ----------
    asked
        Whether one did.
    """

    def __init__(self) -> None:
        self.asked = False
        self._at_once = False

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """In here nothing would be lost: a signal is a ``KeyboardInterrupt``, as if it were not listened to."""
        self._at_once = True
        try:
            if self.asked:
                raise KeyboardInterrupt
            yield
        finally:
            self._at_once = False

    def heard(self, _number: int, _frame: FrameType | None) -> None:
        """A signal came."""
        again, self.asked = self.asked, True
        if self._at_once or again:
            raise KeyboardInterrupt


@contextmanager
def listening() -> Iterator[Stop]:
    """Listen to SIGTERM and Ctrl-C; the second one does not wait for the end of the step.

    Only the main thread of a program hears signals; in another one nothing is changed.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, stop.heard) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
