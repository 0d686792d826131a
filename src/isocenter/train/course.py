"""A course of learning, as values: how and where it goes, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.reasons import Reason
from isocenter.train.curve import Curve
from isocenter.train.settings import Settings


@dataclass(frozen=True)
class Course:
    """How and where a network is taught.

    Parameters
    ----------
    settings
        How.
    folder
        Where its checkpoints and its curve lie; made if it is not there. A course that was broken off goes on.
    device
        ``"cpu"`` or ``"cuda"``.
    identity
        What is learned, from what: a course does not go on with checkpoints of another identity.
    clock
        Seconds, for the curve.
    """

    settings: Settings
    folder: Path
    device: str = "cpu"
    identity: str = ""
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, eq=False)
class Learned:
    """What came of a course.

    Parameters
    ----------
    weights
        Tensors by name: the running mean after the last step, or of the best validation (``settings.keep``).
    step
        The step that they are of.
    curve
        The whole course.
    reasons
        What is to be said of it.
    """

    weights: Mapping[str, Any]
    step: int
    curve: Curve
    reasons: tuple[Reason, ...] = ()
