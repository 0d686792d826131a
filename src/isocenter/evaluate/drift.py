"""Drift: whether a stream of cases is still like those that a model was proven on, in what goes in and what comes out.

The stream is looked at in stretches of cases, one after the other. In each, every trait is compared with that of the
reference (Kolmogorov and Smirnov, corrected by Holm for how many traits there are), and all of them together by the
maximum mean discrepancy of their standardised values (Gretton 2012, by permutation). Inputs and outputs are judged
apart. Of stretches without drift a share of ``alpha`` at most raises an alarm for each: by chance, if cases come in by
chance. Cases of one scanner or one patient in a row are no such stream.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from isocenter.errors import InputError, UsageError
from isocenter.evaluate.comparing import holm
from isocenter.evaluate.samples import Floats, discrepancy_p, ks, median_known, psi
from isocenter.evaluate.traits import Traits
from isocenter.reasons import Reason, counted, merge

REFERENCE = "reference"
"""The fact of a model that holds the profile of the cases it was proven on."""

Side = Literal["inputs", "outputs"]

STRETCH = 30
"""Cases in a stretch."""
LEAST = 10
"""Cases of which a stretch can be judged."""
LEAST_REFERENCE = 20
_MOST_REFERENCE = 500
_DIGITS = 6  # further ones are rounding
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Profile:
    """What cases are like that a model was proven on: traits of each, without names.

    Parameters
    ----------
    inputs, outputs
        (cases,) for each trait, NaN where it is not known.
    """

    inputs: Mapping[str, Floats] = field(repr=False)
    outputs: Mapping[str, Floats] = field(repr=False)

    @property
    def count(self) -> int:
        """How many cases it is of."""
        return max((len(values) for side in (self.inputs, self.outputs) for values in side.values()), default=0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, to be kept with a model; what is not known is None."""
        sides = {
            side: {name: [None if math.isnan(v) else v for v in values.tolist()] for name, values in known.items()}
            for side, known in (("inputs", self.inputs), ("outputs", self.outputs))
        }
        return {"format": _FORMAT, **sides}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Profile:
        """The profile of :meth:`to_dict`.

        Raises
        ------
        InputError
            If it is damaged.
        """
        try:
            if values["format"] != _FORMAT:
                raise InputError("The profile was written by a later version of Isocenter: update it.")
            sides = [
                {
                    name: np.array([math.nan if v is None else float(v) for v in numbers])
                    for name, numbers in values[side].items()
                }
                for side in ("inputs", "outputs")
            ]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError("The profile is damaged.") from error
        made = cls(*sides)
        if any(len(numbers) != made.count for side in sides for numbers in side.values()):
            raise InputError("The profile is damaged: its traits are of different numbers of cases.")
        return made


def profile(cases: Sequence[Traits]) -> Profile:
    """The profile of reference cases, of 500 at most, evenly spread.

    Raises
    ------
    UsageError
        If there are fewer than 20, which say too little.
    """
    if len(cases) < LEAST_REFERENCE:
        raise UsageError(f"A reference needs {LEAST_REFERENCE} cases at least, not {len(cases)}.")
    places = np.linspace(0, len(cases) - 1, min(len(cases), _MOST_REFERENCE)).round().astype(int)
    kept = [cases[place] for place in places]
    return Profile(_table([case.inputs for case in kept]), _table([case.outputs for case in kept]))


def _table(cases: Sequence[Mapping[str, float]]) -> dict[str, Floats]:
    names = dict.fromkeys(name for case in cases for name in case)
    return {name: _rounded([case.get(name, math.nan) for case in cases]) for name in names}


def _rounded(values: Sequence[float]) -> Floats:
    return np.array([float(f"{value:.{_DIGITS}g}") for value in values])


@dataclass(frozen=True, slots=True)
class Shift:
    """How far one trait of a stretch lies from the reference.

    Parameters
    ----------
    name
        The trait.
    reference, now
        Medians.
    psi
        Population stability index over tenths of the reference; small stretches have a high one by chance.
    ks
        Greatest difference of the cumulative shares, 0 to 1.
    p
        How often chance alone makes it so great, corrected for the number of traits.
    """

    name: str
    reference: float
    now: float
    psi: float
    ks: float
    p: float

    @property
    def medians(self) -> tuple[str, str]:
        """Both medians in as many digits as tell them apart, four at least and as many as a profile keeps at most."""
        for digits in range(4, _DIGITS + 1):
            then, now = (_told(value, digits) for value in (self.reference, self.now))
            if then != now:
                break
        return then, now

    def __str__(self) -> str:
        then, now = self.medians
        if then == now:
            return f"{self.name} spread otherwise around the same median, {now} (shares apart by up to {self.ks:.0%})"
        return f"{self.name} {then} then, {now} now"


@dataclass(frozen=True, slots=True)
class Part:
    """Inputs or outputs of one stretch against the reference.

    Parameters
    ----------
    shifts
        Of each trait, the most unlikely first.
    discrepancy_p
        How often chance alone makes all traits together differ so much.
    has_drifted
        Whether a trait, or all together, differ by more than chance explains.
    """

    shifts: tuple[Shift, ...]
    discrepancy_p: float
    has_drifted: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """Cases of a stream that follow each other.

    Parameters
    ----------
    cases
        Their names.
    inputs, outputs
        Against the reference; None where nothing of that kind is known, or the cases are too few.
    """

    cases: tuple[str, ...]
    inputs: Part | None
    outputs: Part | None


@dataclass(frozen=True)
class Drift:
    """What a stream of cases is like.

    Parameters
    ----------
    stretches
        In their order.
    reasons
        Where it drifted, and of which cases nothing can be told.
    """

    stretches: tuple[Stretch, ...] = field(repr=False)
    reasons: tuple[Reason, ...] = ()

    @property
    def has_drifted(self) -> bool:
        """Whether any stretch has."""
        return any(
            part is not None and part.has_drifted for one in self.stretches for part in (one.inputs, one.outputs)
        )


def _told(value: float, digits: int) -> str:
    return "unknown" if math.isnan(value) else f"{value:.{digits}g}"


def drift(
    reference: Profile, stream: Sequence[Traits], *, size: int = STRETCH, alpha: float = 0.01, seed: int = 0
) -> Drift:
    """Compare a stream of cases with a reference, stretch by stretch.

    Parameters
    ----------
    reference
        Of :func:`profile`.
    stream
        Cases in the order of their time.
    size
        Cases in a stretch; what is left over at the end joins the last one if it is less than half a stretch.
    alpha
        Share of stretches without drift that may raise an alarm, for inputs and for outputs each.
    seed
        Of the permutations.

    Raises
    ------
    UsageError
        If the stream is empty, has no trait of the reference, or a stretch is too short.
    """
    if size < LEAST or not 0 < alpha < 1:
        raise UsageError(f"A stretch has {LEAST} cases or more, and alpha lies between 0 and 1.")
    if not stream:
        raise UsageError("There is no case in the stream.")
    shared = {*reference.inputs, *reference.outputs} & {n for case in stream for n in (*case.inputs, *case.outputs)}
    if not shared:
        raise UsageError("The stream has no trait of the reference: were both made the same way?")
    stretches, reasons = [], _about_unwatched(reference, stream)
    for number, cases in enumerate(_cut(stream, size)):
        names = tuple(case.id for case in cases)
        if len(cases) < LEAST:
            stretches.append(Stretch(names, None, None))
            text = f"{counted(len(cases), 'case', 'cases')} from {names[0]} on: fewer than {LEAST}."
            reasons.append(Reason("TOO_FEW_TO_TELL", text, names))
            continue
        now = {"inputs": _table([c.inputs for c in cases]), "outputs": _table([c.outputs for c in cases])}
        inputs = _part(reference.inputs, now["inputs"], alpha, seed + number)
        outputs = _part(reference.outputs, now["outputs"], alpha, seed + number)
        stretches.append(Stretch(names, inputs, outputs))
        reasons += _about(stretches[-1], alpha)
    return Drift(tuple(stretches), merge(reasons))


def _cut(stream: Sequence[Traits], size: int) -> list[Sequence[Traits]]:
    starts = list(range(0, len(stream), size))
    if len(starts) > 1 and len(stream) - starts[-1] < size / 2:
        starts.pop()
    return [stream[a:b] for a, b in zip(starts, [*starts[1:], len(stream)], strict=True)]


def _part(reference: Mapping[str, Floats], now: Mapping[str, Floats], alpha: float, seed: int) -> Part | None:
    names = [name for name in reference if name in now]
    if not names:
        return None
    tested = {name: ks(reference[name], now[name]) for name in names}
    corrected = holm({name: p for name, (_, p) in tested.items()})
    shifts = [
        Shift(
            name,
            median_known(reference[name]),
            median_known(now[name]),
            psi(reference[name], now[name]),
            tested[name][0],
            p,
        )
        for name, p in corrected.items()
    ]
    shifts.sort(key=lambda one: (one.p, -one.ks))
    then, later = (np.stack([side[name] for name in names], axis=1) for side in (reference, now))
    discrepancy = discrepancy_p(then, later, seed)
    drifted = min(shifts[0].p, discrepancy) < alpha / 2  # two ways to an alarm
    return Part(tuple(shifts), discrepancy, drifted)


def _about_unwatched(reference: Profile, stream: Sequence[Traits]) -> list[Reason]:
    """A reason for traits that only the reference or only the stream has, so that nothing is watched by them."""
    known = {*reference.inputs, *reference.outputs}
    met = {name for case in stream for name in (*case.inputs, *case.outputs)}
    said = [
        f"only the {side} has {', '.join(names[:5])}{' and others' if len(names) > 5 else ''}"
        for side, names in (("reference", sorted(known - met)), ("stream", sorted(met - known)))
        if names
    ]
    return [Reason("NOT_WATCHED", f"Traits are not compared: {'; '.join(said)}.")] if said else []


def _about(stretch: Stretch, alpha: float) -> list[Reason]:
    reasons = []
    for code, part, what in (
        ("DRIFT_INPUT", stretch.inputs, "images"),
        ("DRIFT_OUTPUT", stretch.outputs, "results"),
    ):
        if part is not None and part.has_drifted:
            far = [one for one in part.shifts if one.p < alpha / 2][:3]
            said = "; ".join(str(one) for one in far)
            text = f"The {what} of {len(stretch.cases)} cases from {stretch.cases[0]} on are unlike the reference: "
            reasons.append(Reason(code, text + (said or "all traits together") + ".", stretch.cases))
    return reasons
