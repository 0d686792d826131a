"""The shape of a row of the table of reason codes, and how much a reason weighs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a reason weighs, lightest first."""

    INFO = "info"
    """Worth knowing; no value is changed by it."""
    REPAIRED = "repaired"
    """A fault was mended, and the sentence says how."""
    GUESSED = "guessed"
    """A missing fact was replaced by the stated guess."""
    REVIEW = "review"
    """The result stands, but a person should look at it before relying on it."""
    HELD = "held"
    """Stopped until a person decides: more than one reading is possible."""
    REJECTED = "rejected"
    """Refused: no right result can be made of this input."""

    @property
    def rank(self) -> int:
        """Place in the order from light to heavy, from 0."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """One row of the table of codes.

    Parameters
    ----------
    severity
        How much a reason of this code weighs.
    meaning
        What was met.
    done
        What the software did about it.
    advice
        What the user can do.
    """

    severity: Severity
    meaning: str
    done: str
    advice: str
