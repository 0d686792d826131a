"""Decay: how much of an injected dose is left at the time that the values of a PET image are corrected to.

The times follow the vendor-neutral pseudo-code of the Quantitative Imaging Biomarkers Alliance (QIBA, "Standardized
Uptake Value", RSNA); what goes beyond it is refusal of what cannot be. From headers alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from isocenter.errors import Refused
from isocenter.reasons import Reason

if TYPE_CHECKING:
    from pydicom import Dataset

_DOSE_BQ = (1e6, 1e12)  # less than 1 MBq was meant in another unit
_HALF_LIFE_S = (10.0, 1e7)
_MOST_HALF_LIVES, _MOST_HALF_LIVES_OVERNIGHT = 8.0, 4.0
_CLOCK_TOLERANCE = 0.03
_DAY_S = 86400.0
_UNTOLD = (0, 1)
"""Decay Factors of scanners that do not tell it."""
_HALF_LIFE_TOLERANCE = 0.02
_HALF_LIVES_S: MappingProxyType[str, float] = MappingProxyType(
    dict.fromkeys(("77004003", "C-111A1"), 6586.2)  # 18F
    | dict.fromkeys(("40565003", "C-105A1"), 1221.8)  # 11C
    | dict.fromkeys(("21576001", "C-107A1"), 597.9)  # 13N
    | dict.fromkeys(("129504001", "C-B1038"), 122.24)  # 15O
    | dict.fromkeys(("35337001", "C-131A3"), 4062.6)  # 68Ga
    | dict.fromkeys(("79197006", "C-159A2"), 76.38)  # 82Rb
    | dict.fromkeys(("3932008", "C-127A2"), 45723.6)  # 64Cu
    | dict.fromkeys(("63360001", "C-168A4"), 282276.0)  # 89Zr
    | dict.fromkeys(("40937006", "C-114A5"), 360806.4)  # 124I
)
"""Codes of CID 4020 (SNOMED CT, and as it was written before) -> half-life."""


def refusal(why: str) -> Refused:
    """SUV_UNKNOWN, with what is missing or cannot be."""
    return Refused([Reason("SUV_UNKNOWN", f"No SUV can be had: {why}.")])


def number(holder: Dataset, keyword: str, limits: tuple[float, float]) -> float:
    """A number of a header.

    Raises
    ------
    Refused
        If it is missing, no number, or out of what can be.
    """
    raw = holder.get(keyword)
    try:
        value = float(raw)
    except (TypeError, ValueError):
        raise refusal(f"{keyword} is missing or no number") from None
    if not limits[0] <= value <= limits[1]:
        raise refusal(f"{keyword} is out of what can be (from {limits[0]:g} to {limits[1]:g})")
    return value


class Dose(NamedTuple):
    """A dose in becquerel, and whether the day of its injection had to be guessed."""

    bq: float
    is_day_guessed: bool = False


def dose_left(header: Dataset) -> Dose:
    """The dose that is left, as it is comparable with the values of the image.

    Of values that are corrected to the administration (Decay Correction ADMIN) the whole dose; to the start of the
    scan (START) what is left then; of values without correction (NONE) what is left at the mean of the frame.

    Raises
    ------
    Refused
        SUV_UNKNOWN
    """
    items = list(header.get("RadiopharmaceuticalInformationSequence") or ())
    if len(items) != 1:
        raise refusal(f"Radiopharmaceutical Information Sequence has {len(items)} items in place of one")
    item = items[0]
    dose = number(item, "RadionuclideTotalDose", _DOSE_BQ)
    half_life_s = _half_life_s(item)
    kind = str(header.get("DecayCorrection", "") or "").strip().upper()
    if kind not in ("START", "ADMIN", "NONE"):
        raise refusal("Decay Correction is missing or unknown")
    if (kind == "NONE") is ("DECY" in words(header, "CorrectedImage")):
        raise refusal("Decay Correction and Corrected Image contradict each other")
    if kind == "ADMIN":
        if _number_or_zero(header, "DecayFactor") not in _UNTOLD:
            _check_factor(header, _administration(header, item, _acquired_s(header))[0], half_life_s)
        return Dose(dose)
    time_s = _mean_time_s(header, half_life_s) if kind == "NONE" else _scan_time_s(header, half_life_s)
    start_s, is_day_guessed = _administration(header, item, time_s)
    half_lives = (time_s - start_s) / half_life_s
    is_dynamic = words(header, "SeriesType")[:1] == ["DYNAMIC"]
    most = _MOST_HALF_LIVES_OVERNIGHT if is_day_guessed else _MOST_HALF_LIVES
    if not 0 <= half_lives <= most or (half_lives == 0 and not is_dynamic):
        raise refusal("the times of injection and scan cannot both be right")
    return Dose(float(dose * 2**-half_lives), is_day_guessed)


def words(header: Dataset, keyword: str) -> list[str]:
    """The values of a code string, in capitals."""
    raw = header.get(keyword)
    values: Iterable[Any] = raw if isinstance(raw, Iterable) and not isinstance(raw, str) else [raw or ""]
    return [str(value).strip().upper() for value in values]


def _half_life_s(item: Dataset) -> float:
    stated = number(item, "RadionuclideHalfLife", _HALF_LIFE_S)
    for nuclide in item.get("RadionuclideCodeSequence") or ():
        known = _HALF_LIVES_S.get(str(nuclide.get("CodeValue", "")))
        if known is not None and abs(stated / known - 1) > _HALF_LIFE_TOLERANCE:
            raise refusal("Radionuclide Half Life is not that of the radionuclide")
    return stated


# --- times -----------------------------------------------------------------------------------------------------------


def _scan_time_s(header: Dataset, half_life_s: float) -> float:
    """The time that the values are corrected to, where that is the start of the scan."""
    series_s = _moment(header.get("SeriesDate"), header.get("SeriesTime"))
    acquired_s = _acquired_s(header)
    if series_s is not None and series_s <= acquired_s:
        _check_clock(header, series_s, half_life_s)
        _check_factor(header, series_s, half_life_s)
        return series_s
    scan_s = _ge_scan_s(header)
    if scan_s is not None:
        return scan_s
    mean_s, reference_s = _mean_in_frame_s(header, half_life_s), _reference_s(header)
    factor = _number_or_zero(header, "DecayFactor")
    if mean_s is not None and factor > 1:
        return acquired_s + mean_s - math.log2(factor) * half_life_s
    if mean_s is None or not reference_s:
        raise refusal("Series Time is later than the acquisition, and nothing else tells the start of the scan")
    return acquired_s + mean_s - reference_s


def _check_factor(header: Dataset, time_s: float, half_life_s: float) -> None:
    """Refuse a Decay Factor that belongs to another time; it may count from the start or from the mean of the frame.

    The time that values are corrected to follows from it (PS3.3 C.8.9.1.1.5).
    """
    factor = _number_or_zero(header, "DecayFactor")
    if factor in _UNTOLD:
        return
    acquired_s = _acquired_s(header)
    starts = [acquired_s, acquired_s + (_mean_in_frame_s(header, half_life_s) or 0)]
    if all(abs(factor / 2 ** ((start - time_s) / half_life_s) - 1) > _CLOCK_TOLERANCE for start in starts):
        raise refusal("Decay Factor and the times contradict each other")


def _check_clock(header: Dataset, series_s: float, half_life_s: float) -> None:
    """Refuse a Series Time that the Frame Reference Time, counted from it, contradicts."""
    mean_s, reference_s = _mean_in_frame_s(header, half_life_s), _reference_s(header)
    if mean_s is None or not reference_s:
        return
    off_s = abs(_acquired_s(header) + mean_s - reference_s - series_s)
    if 2 ** (off_s / half_life_s) - 1 > _CLOCK_TOLERANCE:
        raise refusal("Series Time and Frame Reference Time contradict each other")


def _mean_time_s(header: Dataset, half_life_s: float) -> float:
    mean_s = _mean_in_frame_s(header, half_life_s)
    if mean_s is None:
        raise refusal("Actual Frame Duration is missing, which tells when uncorrected values were measured")
    return _acquired_s(header) + mean_s


def _mean_in_frame_s(header: Dataset, half_life_s: float) -> float | None:
    """From the start of the frame to the time at which the count rate is its mean; None without a duration."""
    duration_s = _number_or_zero(header, "ActualFrameDuration") / 1000
    if not duration_s > 0:
        return None
    rate = math.log(2) / half_life_s
    decay = rate * duration_s
    return math.log(decay / -math.expm1(-decay)) / rate


def _reference_s(header: Dataset) -> float:
    """Frame Reference Time; zero, which many scanners write for all frames, tells nothing."""
    return _number_or_zero(header, "FrameReferenceTime") / 1000


def _number_or_zero(header: Dataset, keyword: str) -> float:
    try:
        return float(header.get(keyword) or 0)
    except (TypeError, ValueError):
        return 0.0


def _acquired_s(header: Dataset) -> float:
    found = _moment(header.get("AcquisitionDate"), header.get("AcquisitionTime"))
    if found is None:
        found = _date_time(header, header.get("AcquisitionDateTime"))
    if found is None:
        raise refusal("Acquisition Date or Time is missing")
    return found


def _ge_scan_s(header: Dataset) -> float | None:
    """GE's scan date and time (0009,xx0D, "GEMS_PETD_01")."""
    try:
        return _date_time(header, header.private_block(0x0009, "GEMS_PETD_01")[0x0D].value)
    except KeyError:
        return None


def _administration(header: Dataset, item: Dataset, scan_s: float) -> tuple[float, bool]:
    """When the dose was given, and whether its day is guessed.

    A time without a date that is later than the scan's is taken for one of the day before.
    """
    start_s = _date_time(header, item.get("RadiopharmaceuticalStartDateTime"))
    if start_s is not None:
        return start_s, False
    time_s = _time_of_day(item.get("RadiopharmaceuticalStartTime"))
    if time_s is None:
        raise refusal("Radiopharmaceutical Start Time is missing")
    start_s = scan_s // _DAY_S * _DAY_S + time_s
    return (start_s - _DAY_S, True) if start_s > scan_s else (start_s, False)


_DATE = re.compile(r"(\d{4})[.]?(\d{2})[.]?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2}):?(\d{2}(?:\.\d*)?)")


def _date_time(header: Dataset, raw: Any) -> float | None:
    """Seconds of a DT in the time of the header's other times.

    Raises
    ------
    Refused
        If it names an offset from UTC that is not the one of the header (Timezone Offset From UTC): by which clock the
        header's dates and times run is then unknown.
    """
    text = raw.decode("ascii", "replace") if isinstance(raw, bytes) else str(raw or "")
    text = text.strip("\0 ")
    offset = _OFFSET.search(text[8:])
    if offset is not None and offset[0] != str(header.get("TimezoneOffsetFromUTC") or "").strip():
        raise refusal("a time names an offset from UTC that the other times of the header do not have")
    return _moment(text[:8], _OFFSET.sub("", text[8:]))


_OFFSET = re.compile(r"[+-]\d{4}$")


def _moment(day: Any, time: Any) -> float | None:
    """Seconds since the first day of the calendar; None without both."""
    found, seconds = _DATE.fullmatch(str(day or "").strip()), _time_of_day(time)
    if found is None or seconds is None:
        return None
    try:
        return date(*map(int, found.groups())).toordinal() * _DAY_S + seconds
    except ValueError:
        return None


def _time_of_day(raw: Any) -> float | None:
    found = _TIME.fullmatch(str(raw or "").strip())
    if found is None:
        return None
    hours, minutes, seconds = map(float, found.groups())
    return hours * 3600 + minutes * 60 + seconds if hours < 24 and minutes < 60 and seconds < 61 else None
