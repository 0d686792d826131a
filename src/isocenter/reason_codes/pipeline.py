"""Codes of the pipeline: choosing a series, preparing it."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES = {
    "NOT_CHOSEN": CodeEntry(
        _I, "Another series of the study fits the rule better.", "It was not processed.", "Use --series or --all."
    ),
    "SEVERAL_PATIENTS": CodeEntry(
        _I,
        "The input holds studies of several patients.",
        "Each study was processed by itself.",
        "Check that this is meant.",
    ),
    "OTHER_SERIES_HELD": CodeEntry(
        _V,
        "Another series of the study would fit the pipeline too, but was held or rejected.",
        "The best of the others was processed.",
        "Mend that series, or see that the result of this one will do.",
    ),
    "WRONG_MODALITY": CodeEntry(
        _X, "The pipeline does not take this modality.", "The series was refused.", "Choose another series."
    ),
    "NOT_A_VOLUME": CodeEntry(
        _X,
        "The image is a picture without depth or place in the patient.",
        "It was not processed.",
        "Choose a series of slices.",
    ),
    "NO_SERIES_FITS": CodeEntry(
        _X, "No series of the study fits the pipeline.", "Nothing was processed.", "See the reason of each series."
    ),
    "COVERAGE_SHORT": CodeEntry(
        _V,
        "The series covers too short a length of the body to hold the whole organ.",
        "It was processed, and what it holds was measured.",
        "Do not read the values as those of the whole organ.",
    ),
    "INPUT_DAMAGED": CodeEntry(
        _X, "A file of the case cannot be read.", "The case was refused.", "Give the file again from its source."
    ),
    "SAMPLED_COARSELY": CodeEntry(
        _I,
        "The image was resampled to voxels much larger than it had.",
        "It was sampled without smoothing first, so fine structures may alias.",
        'Keep to the spacing of the image for measurements; for pictures pass smoothing="matched".',
    ),
    "CASE_FAILED": CodeEntry(
        _X,
        "The software itself failed on this case.",
        "The case was refused; the others went on.",
        "Report it with the record of the run.",
    ),
    "RESULT_REPLACED": CodeEntry(
        _I, "There was an earlier result of this case.", "It was replaced by this one.", "Nothing."
    ),
    "RESULT_KEPT_ASIDE": CodeEntry(
        _I,
        "There was an earlier, usable result here, of another input or better than this one.",
        "The earlier one was kept under another name.",
        "Find out what has changed in the input.",
    ),
}
