"""Evaluation: how right results are, for whom less, and whether they drift. Reached as ``iso.evaluate``.

=====================  ============================================================================================
Of one case            ``scores`` of a segmentation against the truth: overlap, surface, volume; ``lesions`` one by one
Of many cases          ``auroc``, ``auprc``, ``curve``; ``classification``; ``reliability`` and ``brier``;
                       ``bland_altman`` and ``icc`` of paired measurements
Chance                 ``interval`` by bootstrap, ``paired_test`` of two models, ``holm`` of many tests
=====================  ============================================================================================
"""

from isocenter.evaluate.agreement import BlandAltman, bland_altman, icc
from isocenter.evaluate.calibration import Reliability, brier, reliability
from isocenter.evaluate.categories import Classification, classification
from isocenter.evaluate.comparing import Comparison, holm, paired_test
from isocenter.evaluate.intervals import Interval, interval
from isocenter.evaluate.lesions import Lesions, lesions
from isocenter.evaluate.ranking import Curve, auprc, auroc, curve
from isocenter.evaluate.structures import Outcome, Score, Scores, scores

__all__ = [
    "BlandAltman",
    "Classification",
    "Comparison",
    "Curve",
    "Interval",
    "Lesions",
    "Outcome",
    "Reliability",
    "Score",
    "Scores",
    "auprc",
    "auroc",
    "bland_altman",
    "brier",
    "classification",
    "curve",
    "holm",
    "icc",
    "interval",
    "lesions",
    "paired_test",
    "reliability",
    "scores",
]
