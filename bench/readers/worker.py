"""A child process that reads folders with one reader: ``python worker.py with_simpleitk``.

It answers on its standard output with pickles, each after its length in eight bytes: first the versions, or None where
the reader is not installed; then, for each folder named on a line of its standard input, an answer. What the reader
prints is caught, and what looks like a warning becomes part of the answer. The parent sees signals and time limits.
"""

from __future__ import annotations

import importlib
import logging
import os
import pickle
import re
import struct
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

from isocenter.testing.conformance import Answer, Refusal

UNMEANT = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NameError,
    RecursionError,
    StopIteration,
    TypeError,
    struct.error,
)
"""Errors that nobody raises on purpose to refuse an input."""


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    with tempfile.TemporaryFile("w+", errors="replace") as printed:
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
        logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
        try:
            reader = importlib.import_module(sys.argv[1])
        except ImportError:
            send(None, answers)
            return
        send(reader.VERSIONS, answers)
        for line in sys.stdin:
            printed.seek(0)
            printed.truncate()
            answer = answer_of(reader.read, Path(line.rstrip("\n")))
            sys.stderr.flush()
            sys.stdout.flush()
            printed.seek(0)
            lines = [text.strip() for text in printed if re.search("warn|error", text, re.IGNORECASE)]
            send(replace(answer, warnings=[*answer.warnings, *lines]), answers)


def answer_of(read: Callable[[Path], Answer], folder: Path) -> Answer:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        for outdated in (DeprecationWarning, FutureWarning, ResourceWarning):
            warnings.simplefilter("ignore", outdated)
        try:
            return read(folder)
        except Exception as error:  # noqa: BLE001 - whatever a reader raises is its answer
            told = f"{type(error).__name__}: {error}"[:300]
            return Answer(refusals=[Refusal(told)], crash=told if isinstance(error, UNMEANT) else "")


def send(what: object, answers: IO[bytes]) -> None:
    content = pickle.dumps(what)
    answers.write(len(content).to_bytes(8, "little") + content)
    answers.flush()


if __name__ == "__main__":
    main()
