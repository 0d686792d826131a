"""Earlier results of a case: what lies where a new one is to go, so that none is lost in silence."""

from __future__ import annotations

import json
from itertools import chain, count
from pathlib import Path

from isocenter.disk import explained
from isocenter.reasons import Reason, Verdict


def make_way(folder: Path, verdict: Verdict, input_sha256: str) -> tuple[Reason, ...]:
    """What to say of an earlier result in a folder that a new one is to take.

    It is replaced if it is of the same input, or is not usable. Else it gets another name first, which holds its time.
    """
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        time, earlier = str(record["time"]), Verdict(record["verdict"])
        same_input = record["input"]["sha256"] == input_sha256
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    if not earlier.usable or (same_input and verdict.usable):
        return (Reason("RESULT_REPLACED", f"It replaces the result of {time}."),)
    aside = _free_name(folder, "".join(sign for sign in time if sign.isalnum()))
    try:
        folder.rename(aside)
    except OSError as error:
        raise explained(error, aside) from error
    return (Reason("RESULT_KEPT_ASIDE", f"The result of {time} is kept as {aside.name}."),)


def _free_name(folder: Path, mark: str) -> Path:
    """A name beside the folder that holds the mark and that nothing has yet."""
    first = folder.with_name(f"{folder.name}_of_{mark}")
    later = (first.with_name(f"{first.name}_{number}") for number in count(2))
    return next(path for path in chain([first], later) if not path.exists())
