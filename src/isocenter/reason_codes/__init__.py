"""The table of reason codes: how much each weighs, what was met, what was done, what the user can do.

One module per room of the data's way; the codes are one namespace.
"""

from __future__ import annotations

from types import MappingProxyType

from isocenter.reason_codes import (
    anatomy,
    augmenting,
    datasets,
    denoising,
    evaluation,
    files,
    findings,
    learning,
    nets,
    objects,
    operations,
    pipeline,
    pixels,
    radiomics,
    registration,
    series,
    surfaces,
    training,
)
from isocenter.reason_codes.entry import CodeEntry, Severity

__all__ = ["CODES", "CodeEntry", "Severity"]

_ROOMS = (
    *(files, series, pixels, pipeline, findings, objects),
    *(operations, registration, radiomics, anatomy, learning, surfaces),
    *(datasets, augmenting, nets, training, evaluation, denoising),
)

CODES: MappingProxyType[str, CodeEntry] = MappingProxyType(
    {code: entry for room in _ROOMS for code, entry in room.CODES.items()}
)
"""Every code: severity, meaning, what was done, what the user can do."""
