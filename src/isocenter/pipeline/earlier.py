"""Earlier results of a case: what lies where a new one is to go, so that none is lost in silence."""

from __future__ import annotations

import json
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
    aside = folder.with_name(f"{folder.name}_of_{''.join(sign for sign in time if sign.isalnum())}")
    try:
        folder.rename(aside)
    except OSError as error:
        raise explained(error, aside) from error
    return (Reason("RESULT_KEPT_ASIDE", f"The result of {time} is kept as {aside.name}."),)
