"""Isocenter: medical images from the scanner to a verified report.

The public names are loaded on first use, so that ``import isocenter`` stays fast::

    import isocenter as iso

    scan = iso.scan("study/")
    ct = iso.read(scan[0])
    lungs = iso.segment(ct, "lungs")
    values = iso.measure(ct, lungs)
    results = iso.run("lungs", "study/")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isocenter.findings import Box, Label, Measurement, Segment, Segmentation
    from isocenter.geometry import Grid
    from isocenter.reasons import Reason, Severity, Verdict
    from isocenter.volume import Source, Volume

__version__ = "0.1.0"

_PUBLIC = {
    "Grid": "geometry",
    "Volume": "volume",
    "Source": "volume",
    "Segment": "findings",
    "Segmentation": "findings",
    "Measurement": "findings",
    "Box": "findings",
    "Label": "findings",
    "Reason": "reasons",
    "Severity": "reasons",
    "Verdict": "reasons",
}

__all__ = [
    "Box",
    "Grid",
    "Label",
    "Measurement",
    "Reason",
    "Segment",
    "Segmentation",
    "Severity",
    "Source",
    "Verdict",
    "Volume",
]


def __getattr__(name: str) -> Any:
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module 'isocenter' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"isocenter.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
