"""Moments: times of the day out of headers, in seconds (PS3.5 6.2: TM, DT)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

_DAY_S, _PAUSE_S = 86400.0, 64800.0
_SECONDS = (36000, 3600, 600, 60, 10, 1)


@lru_cache(maxsize=65536)
def second_of_day(raw: bytes) -> float | None:
    """Seconds since midnight of a time ``HHMMSS.F`` or of a date and time ``YYYYMMDDHHMMSS.F&ZZXX``; else None.

    The time zone is left aside: within one object there is one.
    """
    text = raw.split(b"\\")[0].strip(b"\0 ").split(b"+")[0].split(b"-")[0].replace(b":", b"")
    whole, _, part = text.partition(b".")
    digits = whole[8:] if len(whole) > 8 or (len(whole) == 8 and not part) else whole
    if len(digits) not in (2, 4, 6) or not digits.isdigit() or not (part.isdigit() or not part):
        return None
    seconds = sum(int(digit) * size for digit, size in zip(digits.decode(), _SECONDS, strict=False))
    return seconds + (float(b"0." + part) if part else 0.0)


def over_midnight(times_s: Sequence[float | None]) -> Iterable[float | None]:
    """Times of one series in their order: those behind midnight a day later.

    Where times of the day without dates leave a pause of 18 hours, the series ran through the night before it: none
    pauses so long. Times with dates stay as they are.
    """
    known = np.unique([time for time in times_s if time is not None])
    if len(known) < 2 or known[-1] >= _DAY_S or np.diff(known).max() < _PAUSE_S:
        return times_s
    first = known[1:][np.argmax(np.diff(known))]
    return [time if time is None or time >= first else time + _DAY_S for time in times_s]
