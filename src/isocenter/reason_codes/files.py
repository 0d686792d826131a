"""Codes of files: what is no image, damaged, left out or twice there."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES = {
    "NOT_DICOM": CodeEntry(_I, "The file is not DICOM.", "It was left out.", "Nothing, if it is not an image."),
    "EMPTY_FILE": CodeEntry(_I, "The file has no bytes.", "It was left out.", "Copy the study again."),
    "NOT_IMAGE": CodeEntry(_I, "A DICOM object that is no image.", "It was listed, not read as an image.", "Nothing."),
    "KIND_NOT_READ": CodeEntry(
        _V,
        "An image of a kind that is not read: a video, a slide.",
        "It was listed.",
        "Open it with a viewer of its kind.",
    ),
    "HEADER_UNREADABLE": CodeEntry(
        _I, "The DICOM header is damaged.", "The file was left out.", "Export the instance again from its source."
    ),
    "HEADER_IRREGULAR": CodeEntry(
        _V,
        "The DICOM header breaks the rules of its encoding.",
        "It was read as pydicom understands it.",
        "Compare the header and the picture with the source.",
    ),
    "ARCHIVE_UNREADABLE": CodeEntry(
        _I,
        "The zip archive is damaged, encrypted or lies in another one.",
        "It was left out.",
        "Unpack it and give the folder.",
    ),
    "FILES_LEFT_OUT": CodeEntry(
        _V,
        "Beside the files of the series lie some that cannot be read and may be slices of it.",
        "The series was taken without them.",
        "Copy the study again and compare the number of slices.",
    ),
    "FILE_CHANGED": CodeEntry(
        _X,
        "A file was changed or removed while it was worked on.",
        "The series was refused.",
        "Run again when nothing else writes to the folder.",
    ),
    "NO_PREAMBLE": CodeEntry(
        _I, "The file has no DICOM preamble or meta header.", "Its encoding was found by trial.", "Nothing."
    ),
    "DUPLICATE_INSTANCE": CodeEntry(
        _I, "The same instance is there twice, byte for byte.", "One copy was taken.", "Nothing."
    ),
    "INSTANCE_CONFLICT": CodeEntry(
        _H,
        "Two different files carry the same SOP Instance UID.",
        "The series was held.",
        "Find out which file is right and remove the other.",
    ),
}
