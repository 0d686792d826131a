"""Evaluation: how right results are, for whom less, and whether they drift. Reached as ``iso.evaluate``.

=====================  ============================================================================================
Of one case            ``scores`` of a segmentation against the truth; ``lesions`` one by one
Of a set               ``study`` of pairs; ``compared`` with another model's; ``Criterion`` and ``judged``;
                       ``differing`` draws a case that went wrong
For whom less          ``study.by``, ``breakdowns``, ``to_collect``; ``properties`` of images, ``skin_tone`` of photos
Of many cases          ``auroc``, ``auprc``, ``curve``; ``classification``; ``reliability`` and ``brier``;
                       ``bland_altman`` and ``icc`` of paired measurements; ``froc`` of places found in scans
Drift                  ``profile`` of reference cases, ``drift`` of a stream; ``input_traits``, ``output_traits``,
                       ``psi``
Chance                 ``interval`` by bootstrap, ``paired_test`` of two models, ``holm`` of many tests
=====================  ============================================================================================
"""

from isocenter.evaluate.agreement import BlandAltman, bland_altman, icc
from isocenter.evaluate.calibration import Reliability, brier, reliability
from isocenter.evaluate.categories import Classification, classification
from isocenter.evaluate.comparing import Comparison, holm, paired_test
from isocenter.evaluate.criteria import Criterion, Judgement, criteria_of, judged
from isocenter.evaluate.drift import Drift, Profile, drift, profile
from isocenter.evaluate.froc import Froc, Scan, froc
from isocenter.evaluate.gallery import differing
from isocenter.evaluate.intervals import Interval, interval
from isocenter.evaluate.lesions import Lesions, lesions
from isocenter.evaluate.metrics import METRICS, Metric
from isocenter.evaluate.properties import properties
from isocenter.evaluate.ranking import Curve, auprc, auroc, curve
from isocenter.evaluate.samples import psi
from isocenter.evaluate.skin import SkinTone, skin_tone
from isocenter.evaluate.structures import Outcome, Score, Scores, scores
from isocenter.evaluate.study import Pair, Study, compared, study
from isocenter.evaluate.subgroups import Breakdown, Candidate, Group, Wanted, breakdowns, to_collect
from isocenter.evaluate.traits import Traits, input_traits, output_traits

__all__ = [
    "METRICS",
    "BlandAltman",
    "Breakdown",
    "Candidate",
    "Classification",
    "Comparison",
    "Criterion",
    "Curve",
    "Drift",
    "Froc",
    "Group",
    "Interval",
    "Judgement",
    "Lesions",
    "Metric",
    "Outcome",
    "Pair",
    "Profile",
    "Reliability",
    "Scan",
    "Score",
    "Scores",
    "SkinTone",
    "Study",
    "Traits",
    "Wanted",
    "auprc",
    "auroc",
    "bland_altman",
    "breakdowns",
    "brier",
    "classification",
    "compared",
    "criteria_of",
    "curve",
    "differing",
    "drift",
    "froc",
    "holm",
    "icc",
    "input_traits",
    "interval",
    "judged",
    "lesions",
    "output_traits",
    "paired_test",
    "profile",
    "properties",
    "psi",
    "reliability",
    "scores",
    "skin_tone",
    "study",
    "to_collect",
]
