"""What a case of the conformance suite is and what a reader answers. Judging lives in :mod:`isocenter.testing.judging`.

A case is a folder of DICOM files whose values are a known function of position in the patient, so that every voxel of
whatever comes out of a reader can be checked, on whatever lattice it lies. An answer is plain arrays and affines: it
asks nothing of the reader but what it read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.geometry import Grid

Array = npt.NDArray[Any]
Points = npt.NDArray[np.float64]
Value = Callable[[Points], npt.ArrayLike]
"""(..., 3) world points (x, y, z) in LPS millimetres -> (...) values, or (..., 3) red, green, blue."""

HALF = 0.51
"""Tolerance of values that were rounded once to whole numbers."""


@dataclass(frozen=True)
class Ramp:
    """A value linear in position: every flip, swap, shift, wrong spacing or wrong slope changes it.

    Parameters
    ----------
    constant
        Value at the origin.
    gradient
        Change per millimetre of x, y and z; three different numbers.
    """

    constant: float = 0.0
    gradient: tuple[float, float, float] = (3.1, 5.3, 7.9)

    def __call__(self, points: Points) -> Array:
        """The value of each point."""
        values: Array = self.constant + np.asarray(points, np.float64) @ np.array(self.gradient)
        return values

    def rounded(self, points: Points) -> Array:
        """The value as a whole number, for what is stored without a slope."""
        values: Array = np.rint(self(points))
        return values


@dataclass(frozen=True)
class Truth:
    """One volume that is right.

    Parameters
    ----------
    value
        Of each point.
    grid
        Where the written voxels lie; its space says what is known of the place.
    tolerance
        How far a value may be off.
    name
        What tells it from other volumes of the case.
    may_be_resampled
        Where the written slices make no orthogonal, even lattice: any lattice over the same space is right.
    is_optional
        It may be left out (a localizer beside the volume).
    is_judged
        Of each point, whether its value says anything (False in padding); by default everywhere.
    others
        Further functions that are right as well (the value before a real-world map).
    """

    value: Value
    grid: Grid
    tolerance: float = HALF
    name: str = ""
    may_be_resampled: bool = False
    is_optional: bool = False
    is_judged: Value | None = None
    others: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Case:
    """One folder of DICOM files, and what is right for it.

    Parameters
    ----------
    name
        Short, unique: ``"tilt, positive"``.
    group
        What it is about: ``"geometry"``, ``"grouping"``, ``"values"``, ``"encoding"``, ``"multi-frame"``, ``"plane"``.
    told
        One sentence: what it is and how it is written.
    writer
        Writes the files into a folder.
    truths
        The volumes that are right; empty where the case can only be refused.
    refusals
        Reason codes for which refusing is right; empty where it has to be read.
    says
        Reason codes that have to come with a reading, of readers that give codes.
    """

    name: str
    group: str
    told: str
    writer: Callable[[Path], object] = field(repr=False)
    truths: tuple[Truth, ...] = ()
    refusals: frozenset[str] = frozenset()
    says: frozenset[str] = frozenset()

    @property
    def right(self) -> str:
        """What is right: ``"read"``, ``"refuse"`` or ``"either"``."""
        return "either" if self.truths and self.refusals else "read" if self.truths else "refuse"


@dataclass(frozen=True)
class Picture:
    """One volume of an answer.

    Parameters
    ----------
    array
        (slice, row, column), with further axes (time, then colour of length 3) behind; or (row, column).
    affine
        (4, 4) from array index (k, r, c, 1) to LPS millimetres; None where the reader says that the place is unknown.
    space
        ``"patient"``, ``"plane"`` or ``"pixel"`` of readers that tell whether the place in the patient is known; else
        empty.
    """

    array: Array = field(repr=False)
    affine: Points | None = field(default=None, repr=False)
    space: str = ""


@dataclass(frozen=True)
class Refusal:
    """That something was not read: why, and the reason code where the reader has such codes."""

    message: str
    code: str = ""


@dataclass(frozen=True)
class Answer:
    """What a reader made of a folder.

    Parameters
    ----------
    pictures
        The volumes read.
    refusals
        What was refused.
    warnings
        What it said beside (warnings, log lines, reasons that weigh more than an information).
    codes
        Reason codes that came with the volumes.
    crash
        What killed the reader (a signal, a time limit, an error that nobody meant to raise); else empty.
    """

    pictures: Sequence[Picture] = ()
    refusals: Sequence[Refusal] = ()
    warnings: Sequence[str] = ()
    codes: Sequence[str] = ()
    crash: str = ""


class Outcome(StrEnum):
    """What an answer is worth, best first."""

    RIGHT = "right"
    """Every volume right, or rightly refused."""
    RIGHT_WITH_WARNING = "right with warning"
    """As right; the reader said something beside."""
    REFUSED = "refused"
    """Refused though it can be read, or refused for a reason that does not hold."""
    WRONG_LOUDLY = "wrong with warning"
    """Wrong values or places, volumes missing or made up; but the reader said something."""
    SILENTLY_WRONG = "silently wrong"
    """The same, without a word."""
    CRASHED = "crashed"
    """Killed, timed out, or stopped by an error that nobody meant to raise."""

    @property
    def is_right(self) -> bool:
        """Whether the answer may be relied on."""
        return self in (Outcome.RIGHT, Outcome.RIGHT_WITH_WARNING)


@dataclass(frozen=True)
class Verdict:
    """What an answer to a case is worth, and why."""

    outcome: Outcome
    detail: str = ""
