"""Codes of DICOM objects that are written."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES = {
    "SOURCE_HEADER_REPAIRED": CodeEntry(
        _R,
        "The source lacks attributes that derived objects need.",
        "They were filled in a copy; the source is untouched.",
        "Mend the export of the source.",
    ),
    "PATIENT_ID_AMBIGUOUS": CodeEntry(
        _V,
        "The Patient ID has several values, or one that cannot stand in a DICOM object.",
        "The first value was taken; what does not fit was left empty.",
        "Make sure whose the results are before they are filed.",
    ),
    "SOURCES_WITHOUT_UID": CodeEntry(
        _I,
        "The source images lack UIDs.",
        "No DICOM objects were made: they could not refer to their sources.",
        "Export the series again with its UIDs.",
    ),
    "NO_DICOM_OBJECTS": CodeEntry(
        _I,
        "The input was not DICOM.",
        "No DICOM objects were made.",
        "Give the DICOM original to get SEG and SR.",
    ),
}
