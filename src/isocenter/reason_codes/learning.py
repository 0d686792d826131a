"""Codes of exports for learning, and of files that are not DICOM."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES = {
    "CASE_UNFIT": CodeEntry(
        _X,
        "A case cannot be brought to the shape, spacing, window or type that all cases of an export are to have.",
        "It was left out of the array; its row says why.",
        "Change the named setting, or leave the case out.",
    ),
    "MASK_ON_OTHER_GRID": CodeEntry(
        _V,
        "The labels that a file holds for a case lie on another grid than its image.",
        "They were brought onto the image by the place that their file states.",
        "Look whether they lie where they should: a file written without its place lies elsewhere.",
    ),
    "SLICE_NUMBERS_SKIP": CodeEntry(
        _V,
        "The numbers in the names of a stack of pictures do not run one by one.",
        "They were stacked in the order of their numbers.",
        "Look whether a slice is missing.",
    ),
}
