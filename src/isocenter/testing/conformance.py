"""The conformance suite: synthetic DICOM series whose every voxel is known, for any reader.

For each case write it into an empty folder, have the reader read that folder, and judge the answer::

    for case in cases():
        write(case, folder / case.name)
        verdict = judge(case, reader(folder / case.name))

A reader is a callable from folder to :class:`Answer`: arrays with their affines, refusals, warnings. The files are
written by pydicom alone; nothing of the reading half of Isocenter is used.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path

from isocenter.testing.cases_encoding import encoding_cases
from isocenter.testing.cases_geometry import geometry_cases
from isocenter.testing.cases_grouping import grouping_cases
from isocenter.testing.cases_multiframe import multiframe_cases
from isocenter.testing.cases_plane import plane_cases
from isocenter.testing.cases_traps import trap_cases
from isocenter.testing.cases_values import value_cases
from isocenter.testing.judging import judge
from isocenter.testing.truth import Answer, Case, Outcome, Picture, Refusal, Truth, Verdict

__all__ = ["Answer", "Case", "Outcome", "Picture", "Refusal", "Truth", "Verdict", "cases", "judge", "write"]


@lru_cache(maxsize=1)
def cases() -> tuple[Case, ...]:
    """All cases, group by group; their names are unique."""
    return (
        *geometry_cases(),
        *grouping_cases(),
        *value_cases(),
        *encoding_cases(),
        *multiframe_cases(),
        *plane_cases(),
        *trap_cases(),
    )


def write(case: Case, folder: Path) -> Path:
    """Write the files of a case.

    Parameters
    ----------
    case
        One of :func:`cases`.
    folder
        Where to; made if it is not there.

    Returns
    -------
    The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of much that is written on purpose
        case.writer(folder)
    return folder
