"""Mending: one attribute of a source's header made fit to stand in a derived object. Which are copied: ``headers``.

A description that is too long is cut, for the start of it is still true. An identifier never is: two that differ only
at their ends would become one, so what does not fit is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from pydicom import DataElement
from pydicom.datadict import dictionary_VM, dictionary_VR
from pydicom.sequence import Sequence
from pydicom.valuerep import DA, TM, DSfloat, PersonName

PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
"""The attributes that say where a slice lies."""
TEXT = ("SH", "LO", "ST", "LT", "UC", "UT", "PN")
"""Value representations in the dataset's own character set."""

_MOST_CHARACTERS = {"SH": 16, "LO": 64, "PN": 64, "CS": 16, "ST": 1024, "LT": 10240, "UI": 64, "AS": 4}
"""PS3.5 6.2; of a person name, in each of its component groups."""
_IDENTIFIERS = (
    "PatientID", "IssuerOfPatientID", "StudyID", "AccessionNumber", "AdmissionID", "ClinicalTrialProtocolID",
    "ClinicalTrialSiteID", "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID", "ClinicalTrialTimePointID",
    "DeviceSerialNumber", "StationName", "TimezoneOffsetFromUTC", "CodeValue", "CodingSchemeDesignator",
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_PADDING = "".join(map(chr, range(0x21)))
_PATTERN = {
    "CS": re.compile(r"[A-Z0-9 _]*"),
    "UI": re.compile(
        r"[0-9]+(\.[0-9]+)+"
    ),  # leading zeros in it are wrong, but the source has to be called by its name
}
_OLD_DATE = re.compile(r"(\d{4})\.(\d{2})\.(\d{2})")  # as ACR-NEMA wrote them, PS3.5 6.2
_OLD_TIME = re.compile(r"(\d{2}):(\d{2}):(\d{2})")


class UnsoundError(ValueError):
    """Nothing of a value can be kept."""


def sound(element: DataElement) -> Any:
    """A copy of an element's value that keeps to the standard; equal to the value where that does already.

    Raises
    ------
    UnsoundError
        If nothing of it can be kept.
    """
    keyword, vr, value = element.keyword, dictionary_VR(element.tag), deepcopy(element.value)
    if keyword in PLACE:
        return [_decimal(number) for number in value]
    if vr == "SQ":
        return _sound_items(value)
    if isinstance(value, bytes):
        raise UnsoundError
    many = list(value) if _is_many(value) else [value]
    if len(many) > 1 and dictionary_VM(element.tag) == "1":
        many = [_the_first(keyword, vr, many)]
    many = [_sound_one(keyword, vr, one) for one in many]
    if any(one in (None, "") for one in many) and value not in (None, "") and len(many) == 1:
        raise UnsoundError
    return many if _is_many(value) and len(many) > 1 else many[0] if many else ""


def passes(keyword: str, value: Any) -> bool:
    """Whether the value of an attribute is one that it may have."""
    try:
        return keyword not in _CHECKS or bool(_CHECKS[keyword](value))
    except (ValueError, TypeError, AttributeError, OverflowError):
        return False


def _is_many(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (hasattr(value, "__iter__") and not isinstance(value, (str, PersonName)))


def _the_first(keyword: str, vr: str, many: list[Any]) -> Any:
    """The first of several values where there can be but one: of words and of the Patient ID, not of other numbers."""
    given = [one for one in many if str(one).strip()]
    is_text = vr in TEXT and (keyword == "PatientID" or keyword not in _IDENTIFIERS)
    if not given or not is_text:
        raise UnsoundError
    return given[0]


def _sound_one(keyword: str, vr: str, value: Any) -> Any:
    if value in (None, "") or keyword == "SpecificCharacterSet":
        return value
    if vr in ("CS", "UI"):
        return _fitting(str(value).strip().upper(), vr)
    if vr in ("DA", "TM"):
        return (_OLD_DATE if vr == "DA" else _OLD_TIME).sub(r"\1\2\3", str(value).strip())
    if vr in ("DS", "PN"):
        return _decimal(value) if vr == "DS" else _sound_name(value)
    return _sound_text(keyword, vr, str(value)) if vr in TEXT else value


def _fitting(value: str, vr: str) -> str:
    if len(value) > _MOST_CHARACTERS[vr] or not _PATTERN[vr].fullmatch(value):
        raise UnsoundError
    return value


def _sound_text(keyword: str, vr: str, text: str) -> str:
    is_line, most = vr in ("SH", "LO"), _MOST_CHARACTERS.get(vr, math.inf)
    bare = text.strip(_PADDING)
    has_control = is_line and _CONTROL.search(text) is not None
    if keyword in _IDENTIFIERS and (len(bare) > most or _CONTROL.search(bare)):
        raise UnsoundError
    if has_control or len(text) > most:
        text = _CONTROL.sub(" ", bare) if is_line else text
    return text if len(text) <= most else text[: int(most)].rstrip()


def _sound_name(value: Any) -> PersonName | str:
    """A person name of at most three component groups, of at most five components, each of at most 64 characters."""
    groups = str(value).split("=")
    mended = []
    for group in groups[:3]:
        components = _CONTROL.sub(" ", group).split("^")
        mended.append("^".join([*components[:4], " ".join(components[4:])][: len(components)])[:64])
    if mended == groups:
        return value  # type: ignore[no-any-return]
    return "=".join(mended).rstrip("=")


def _decimal(value: Any) -> DSfloat:
    number = value if isinstance(value, DSfloat) else DSfloat(value)
    return DSfloat(float(number), auto_format=True) if len(str(number)) > 16 else number


def _sound_items(items: Any) -> Any:
    """The items of a sequence without private attributes; all of them sound, or none is kept."""
    if not isinstance(items, Sequence):
        raise UnsoundError
    for item in items:
        item.remove_private_tags()
        for element in item:
            if sound(element) != element.value:
                raise UnsoundError
    return items


def _is_date(value: Any) -> bool:
    return not value or bool(DA(str(value)))


def _is_time(value: Any) -> bool:
    return not value or bool(TM(str(value)))


def _is_positive(value: Any) -> bool:
    return value is not None and math.isfinite(float(value)) and float(value) > 0


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "PatientBirthDate": _is_date,
    "StudyDate": _is_date,
    "StudyTime": _is_time,
    "AcquisitionDate": _is_date,
    "AcquisitionTime": _is_time,
    "TimezoneOffsetFromUTC": lambda value: re.fullmatch(r"[+-]\d{4}", str(value)) is not None,
    "PatientSex": lambda value: value in (None, "", "M", "F", "O"),
    "PatientAge": lambda value: re.fullmatch(r"\d{3}[DWMY]", str(value)) is not None,
    "PatientSize": _is_positive,
    "PatientWeight": _is_positive,
    "SliceThickness": _is_positive,
    "SeriesNumber": lambda value: value is not None and int(value) >= 0,
    "ProcedureCodeSequence": lambda items: all("CodeMeaning" in item and "CodeValue" in item for item in items),
    "DeviceSerialNumber": bool,
    "SoftwareVersions": bool,
    "BodyPartExamined": bool,
}
