"""Reasons: what the software has to say about its own work.

A reason is a code and a sentence: something was repaired, guessed, held or refused. It travels with the value it
concerns (``Series``, ``Volume``, ``Segmentation``, ``Result``). What an analysis found in the *patient* is no reason:
that lives in :mod:`isocenter.findings`. The codes stand in :mod:`isocenter.reason_codes`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from isocenter.reason_codes import CODES, Severity

__all__ = ["CODES", "Reason", "Severity", "Verdict", "merge", "verdict_of"]


class Verdict(StrEnum):
    """What a series, or a whole result, is worth."""

    OK = "ok"
    REPAIRED = "repaired"
    HELD = "held"
    REJECTED = "rejected"

    @property
    def usable(self) -> bool:
        """Whether voxels may be had from it."""
        return self in (Verdict.OK, Verdict.REPAIRED)


_VERDICT_OF = {
    Severity.INFO: Verdict.OK,
    Severity.REPAIRED: Verdict.REPAIRED,
    Severity.GUESSED: Verdict.REPAIRED,
    Severity.REVIEW: Verdict.OK,
    Severity.HELD: Verdict.HELD,
    Severity.REJECTED: Verdict.REJECTED,
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing the software repaired, guessed, held or refused.

    Parameters
    ----------
    code
        A key of :data:`CODES`.
    message
        One sentence about this very case, without patient data.
    instances
        SOP Instance UIDs (or file names, for files without one) that it concerns.
    """

    code: str
    message: str
    instances: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"Unknown reason code {self.code!r}; add it to isocenter.reason_codes.CODES first.")

    @property
    def severity(self) -> Severity:
        """Weight of the reason, from the table."""
        return CODES[self.code].severity

    @property
    def advice(self) -> str:
        """What the user can do, from the table."""
        return CODES[self.code].advice

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "code": self.code,
            "severity": str(self.severity),
            "message": self.message,
            "instances": list(self.instances),
        }

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def verdict_of(reasons: Iterable[Reason]) -> Verdict:
    """Verdict that the heaviest of the reasons leads to (``ok`` without any)."""
    verdicts = [_VERDICT_OF[reason.severity] for reason in reasons]
    return max(verdicts, key=list(Verdict).index, default=Verdict.OK)


def merge(*groups: Iterable[Reason]) -> tuple[Reason, ...]:
    """All reasons of the groups in order, each once."""
    return tuple(dict.fromkeys(reason for group in groups for reason in group))


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun: ``"1 image"``, ``"3 images"``."""
    return f"{number} {one if number == 1 else many}"
