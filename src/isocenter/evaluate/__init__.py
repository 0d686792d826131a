"""Evaluation: how right results are, for whom less, and whether they drift. Reached as ``iso.evaluate``.

==========================  =======================================================================================
Of one case                 ``scores`` of a segmentation against the truth: overlap, surface, volume
==========================  =======================================================================================
"""

from isocenter.evaluate.structures import Outcome, Score, Scores, scores

__all__ = ["Outcome", "Score", "Scores", "scores"]
