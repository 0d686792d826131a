"""Standing: the one state that a report opens with, and how reasons and the images they concern are put into words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from isocenter.reasons import Reason, Severity, Verdict, counted

ADMINISTRATIVE = frozenset({"SOURCE_HEADER_REPAIRED", "SOURCES_WITHOUT_UID", "NO_DICOM_OBJECTS"})
"""Codes that concern headers of derived objects alone: no voxel, position or value depends on them."""

_NAMED = 4
_VERDICTS = {
    Verdict.OK: "The data were read as they are: no repair and no guess was needed.",
    Verdict.HELD: "Verdict on the data: held. More than one reading is possible, so a person has to decide.",
    Verdict.REJECTED: "Verdict on the data: rejected. No right result can be made of this input.",
}


class Level(StrEnum):
    """How a state is shown, gravest first."""

    STOP = "stop"
    """There is no result."""
    LOOK = "look"
    """A person has to look before relying on the result."""
    NOTE = "note"
    """The image was repaired, or something about it guessed."""
    OK = "ok"
    """Nothing of that."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a result is worth, in one line and one sentence.

    Parameters
    ----------
    level
        How grave it is.
    headline
        The state in a few words.
    words
        What was done to the data.
    """

    level: Level
    headline: str
    words: str


def standing(verdict: Verdict, reasons: Iterable[Reason]) -> Standing:
    """The one state that verdict and reasons lead to.

    Reasons to review outweigh repairs, since a result that needs none of them may still be wrong; administrative
    repairs weigh nothing.
    """
    reasons = tuple(reasons)
    counts = {
        kind: sum(reason.severity is kind and reason.code not in ADMINISTRATIVE for reason in reasons)
        for kind in (Severity.REPAIRED, Severity.GUESSED)
    }
    words = _VERDICTS.get(verdict) or _repairs(counts[Severity.REPAIRED], counts[Severity.GUESSED])
    if not verdict.usable:
        return Standing(Level.STOP, "No result: this has to be settled first", words)
    grave = [reason for reason in reasons if reason.severity.rank >= Severity.REVIEW.rank]
    if grave:
        return Standing(Level.LOOK, "Review needed before you rely on the result", words)
    if counts[Severity.GUESSED]:
        return Standing(Level.NOTE, "Usable, but resting on a guess about the image", words)
    if counts[Severity.REPAIRED]:
        return Standing(Level.NOTE, "Usable after repair of the image", words)
    return Standing(Level.OK, "The software's checks raised no doubt", words)


def _repairs(repairs: int, guesses: int) -> str:
    if not repairs and not guesses:
        return (
            "Verdict on the data: repaired, in administrative entries of the header alone; no voxel, position or value "
            "was changed."
        )
    done = " and ".join(counted(n, word, words) for n, word, words in _kinds(repairs, guesses))
    return f"Verdict on the data: repaired. {done} concerning the image; see “Notes on the data”."


def _kinds(repairs: int, guesses: int) -> Iterable[tuple[int, str, str]]:
    return [kind for kind in ((repairs, "repair", "repairs"), (guesses, "guess", "guesses")) if kind[0]]


def concerned(reason: Reason, numbers: Mapping[str, str]) -> str:
    """The images that a reason concerns: how many, and the first of them.

    Parameters
    ----------
    reason
        The reason; its instances are SOP Instance UIDs or file names.
    numbers
        Instance Number of each SOP Instance UID, as far as known.

    Returns
    -------
    ``"3 images: Instance Numbers 4, 5, 6"``; UIDs or file names where no numbers are known; empty without instances.
    """
    count = len(reason.instances)
    if not count:
        return ""
    shown = reason.instances[:_NAMED]
    more = ", …" if count > len(shown) else ""
    known = [numbers[uid] for uid in shown if numbers.get(uid)]
    if len(known) == len(shown):
        named = f"Instance Number{'s' if count > 1 else ''} {', '.join(known)}"
    else:
        named = ", ".join(shown)
    return f"{counted(count, 'image', 'images')}: {named}{more}"
