"""Quiet: warnings of libraries about other people's files kept back, for they quote values: names, dates, identifiers.

What is wrong with a file is said in a reason, in our own words.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.RLock()
_LOG = logging.getLogger("pydicom")


@contextmanager
def quietly() -> Iterator[None]:
    """Keep warnings back within the block, and what pydicom logs of them.

    Python keeps its filters for the whole process: the block is entered by one thread at a time, so that each puts
    back what it found.
    """
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        was_disabled, _LOG.disabled = _LOG.disabled, True
        try:
            yield
        finally:
            _LOG.disabled = was_disabled
