"""The command line: its entry point, where errors made on purpose become one clear sentence and an exit status."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
from io import TextIOWrapper
from typing import NoReturn

from rich.markup import escape

from isocenter.cli import (
    commands,  # noqa: F401 - its commands join the app
    draw,  # noqa: F401
    drift,  # noqa: F401
    evaluate,  # noqa: F401
    export,  # noqa: F401
    model,  # noqa: F401
    plan,  # noqa: F401
    radiomics,  # noqa: F401
    register,  # noqa: F401
    train,  # noqa: F401
    words,
)
from isocenter.cli.app import app
from isocenter.errors import IsocenterError

_KINDS = {
    "UsageError": "Wrong use",
    "MissingExtra": "Not installed",
    "InputError": "Damaged input",
    "TryLater": "Try later",
}


def main() -> NoReturn:
    """Entry point: errors made on purpose become one clear sentence and an exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stopped container cleans up as after Ctrl-C
    for name in ("pydicom", "highdicom"):  # their warnings may quote a patient's data
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        app()
    except IsocenterError as error:
        _fail(str(error), error.exit_status, type(error).__name__)
    except KeyboardInterrupt:
        _fail("Nothing half-written was left.", 130, "Interrupted")
    except PermissionError as error:
        _fail(f"{error.filename or 'A file'} is closed to you: give another path, or the right to it.", 2, "UsageError")
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            words.mute()
            _fail("There is no room left for what was to be written: make room and run again.", 3, "TryLater")
        if os.environ.get("ISOCENTER_DEBUG"):
            raise
        text = (
            f"This is a bug in Isocenter ({type(error).__name__}). Set ISOCENTER_DEBUG=1 to see where, and report it."
        )
        _fail(text, 1, "Bug")
    sys.exit(0)


def _fail(message: str, status: int, kind: str) -> NoReturn:
    if "--json" in sys.argv:
        words.print_json({"error": {"kind": kind, "message": message, "exit_status": status}})
    words.err.print(f"[red]{_KINDS.get(kind, kind)}:[/] {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(status)
