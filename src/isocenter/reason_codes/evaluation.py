"""Codes of evaluation and drift."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry, Severity

_I, _R, _G, _V, _H, _X = Severity

CODES: dict[str, CodeEntry] = {
    "GRIDS_APART": CodeEntry(
        _X,
        "A prediction and its truth lie in different frames of reference, or share no place in the world.",
        "They are not compared.",
        "Check that both are of the same image, and that neither lost its place on the way (affine, origin).",
    ),
    "PREDICTION_RESAMPLED": CodeEntry(
        _V,
        "A prediction lies on another lattice than the truth.",
        "Its labels were brought onto the grid of the truth by the nearest voxel, which changes scores a little.",
        "Bring predictions back onto the grid of the image that was labelled, and evaluate them there.",
    ),
    "TRUTH_UNCOVERED": CodeEntry(
        _V,
        "The truth reaches beyond the grid of the prediction.",
        "What lies there counts as missed.",
        "Check that the prediction is of the whole image.",
    ),
    "PAIRED_ALONE": CodeEntry(
        _G,
        "Prediction and truth have one segment each, under different names.",
        "The two are compared.",
        "Rename one if they are not the same structure.",
    ),
    "PAIRED_BY_LABEL": CodeEntry(
        _G,
        "Prediction and truth have no name in common, and a side has none but numbers.",
        "Segments of the same number in the label map are compared.",
        "Write the names of the labels into both files, or rename the segments.",
    ),
    "NOT_IN_TRUTH": CodeEntry(
        _V,
        "Structures were predicted that the truth does not have.",
        "They are left out of the scores.",
        "Name them (names=, --segment) if the truth means that they are absent.",
    ),
    "NO_DISTANCES": CodeEntry(
        _I,
        "The size of the pixels is unknown.",
        "Overlaps are computed; distances and volumes are not.",
        "State the size of the pixels (Space.PLANE) if it is known.",
    ),
    "PREDICTION_MISSING": CodeEntry(
        _V,
        "A case has no prediction.",
        "It counts as failed: overlaps 0, distances the diagonal of the image. It is not left out.",
        "Predict it, or see why that failed.",
    ),
    "NEVER_TRUE": CodeEntry(
        _V,
        "No case of the set has a structure in its truth.",
        "Nothing can be said of how well it is found.",
        "Add cases that have it, or leave it out (names=, --segment).",
    ),
    "ATTRIBUTE_BINNED": CodeEntry(
        _I,
        "The values of an attribute are numbers.",
        "Ages were put into decades, other numbers of more than six values into thirds of the cases (halves of few).",
        "Give an attribute of your own groups if these do not fit.",
    ),
    "ATTRIBUTE_UNKNOWN": CodeEntry(
        _V,
        "An attribute is unknown of more than a fifth of the cases.",
        "These are shown as a group of their own.",
        "Complete the table of attributes: subgroups may look alike only because the others are not known.",
    ),
    "SUBGROUP_SMALL": CodeEntry(
        _V,
        "A subgroup has fewer than 10 cases.",
        "Its scores are shown; it takes no part in gap, equity-scaled score and tests.",
        "Collect more such cases before saying that it fares as well as others.",
    ),
    "SUBGROUP_WORSE": CodeEntry(
        _V,
        "Scores differ between subgroups by more than chance explains.",
        "The worst group is named.",
        "Look at its worst cases, and train on more of its kind.",
    ),
    "SKIN_TONE_ESTIMATED": CodeEntry(
        _G,
        "The skin tone of a photograph is not stated.",
        "It was estimated by the individual typology angle of its skin pixels, which light and camera change too.",
        "State the tone (Fitzpatrick or Monk scale) as an attribute of the case.",
    ),
    "PREDICTION_UNREADABLE": CodeEntry(
        _V,
        "The prediction of a case cannot be read.",
        "The case counts as failed, as if there were no prediction.",
        "Predict it again, or see what is wrong with the file.",
    ),
    "PREDICTION_IS_TRUTH": CodeEntry(
        _V,
        "Every prediction is the file of the truth, or a copy of it.",
        "They are evaluated like others; the scores are perfect and say nothing, and are not kept with a model.",
        "Check that predictions and truth are not the same folder.",
    ),
    "LEARNED_FROM": CodeEntry(
        _V,
        "A model is evaluated on cases that it learned from.",
        "They are evaluated like the others, so the scores are too good.",
        "Evaluate the cases that were held out: --cases held-out.",
    ),
    "CRITERION_FAILED": CodeEntry(
        _V,
        "An acceptance criterion is not met, or its value is not defined.",
        "The evaluation ends with exit status 1.",
        "Do not use the model for what the criteria stand for; see its worst cases and subgroups.",
    ),
    "DRIFT_INPUT": CodeEntry(
        _V,
        "The images of a stretch of cases are unlike those that the model was proven on.",
        "Their results are given as they are.",
        "Look at what changed (scanner, protocol, software); prove the model on such images before relying on it.",
    ),
    "DRIFT_OUTPUT": CodeEntry(
        _V,
        "The results of a stretch of cases are unlike those of the cases that the model was proven on.",
        "They are given as they are.",
        "Look at some: either the patients changed, or the model fails on them.",
    ),
    "TOO_FEW_TO_TELL": CodeEntry(
        _V,
        "A stretch of a stream has fewer than 10 cases.",
        "It is not judged: neither that it drifted, nor that it did not.",
        "Wait for more cases.",
    ),
    "CASES_UNREAD": CodeEntry(
        _V,
        "Cases of a reference or stream cannot be read.",
        "They are left out of it.",
        "See what is wrong with them: that they cannot be read may itself be a change.",
    ),
    "NOT_WATCHED": CodeEntry(
        _V,
        "A reference and a stream do not have the same traits.",
        "Those that both have are compared; a drift of the others is not seen.",
        "Make both the same way: with segmentations of the same names, or without.",
    ),
    "PREDICTION_WITHOUT_TRUTH": CodeEntry(
        _I,
        "There are predictions of cases that the truth does not have.",
        "They are not evaluated.",
        "See that both name their cases alike.",
    ),
}
