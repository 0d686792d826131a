"""Packages that come with an extra (``pip install 'isocenter[sitk]'``), loaded when a call needs them."""

from __future__ import annotations

import importlib
from typing import Any

from isocenter.errors import MissingExtra


def needed(module: str, extra: str) -> Any:
    """The module, loaded now.

    Raises
    ------
    MissingExtra
        If it is not installed; the message names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(module.partition(".")[0], extra) from error
