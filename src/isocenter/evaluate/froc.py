"""FROC: how many of the places that should be found are found, at how many false alarms for each scan.

As LUNA16 has it (Setio 2017): a candidate whose middle lies within the radius of a true place is a hit; further
candidates in the same place count neither way. What differs: between two thresholds nothing is interpolated, so that a
sensitivity is one that was reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.evaluate.intervals import Floats, Interval

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False alarms for each scan at which LUNA16 asks for the sensitivity."""

_FEWEST_MM = 1e-9


@dataclass(frozen=True, eq=False)
class Scan:
    """What is true of a scan, and what was found.

    Parameters
    ----------
    places_mm
        (n, 3): middles of what should be found, in the patient.
    radii_mm
        (n,): how far from them a candidate may lie.
    candidates_mm
        (m, 3): middles of what was found.
    scores
        (m,): how sure it is.
    """

    places_mm: Floats = field(repr=False)
    radii_mm: Floats = field(repr=False)
    candidates_mm: Floats = field(repr=False)
    scores: Floats = field(repr=False)

    @classmethod
    def of(
        cls, places_mm: npt.ArrayLike, radii_mm: npt.ArrayLike, candidates_mm: npt.ArrayLike, scores: npt.ArrayLike
    ) -> Scan:
        """A scan of lists.

        Raises
        ------
        UsageError
            If there are not as many radii as places or scores as candidates, or one is no finite number.
        """
        places, candidates = (np.asarray(one, float).reshape(-1, 3) for one in (places_mm, candidates_mm))
        radii, values = (np.asarray(one, float).reshape(-1) for one in (radii_mm, scores))
        if len(places) != len(radii) or len(candidates) != len(values):
            raise UsageError("Each place has a radius, and each candidate a score.")
        if not all(np.isfinite(one).all() for one in (places, radii, candidates, values)) or (radii <= 0).any():
            raise UsageError("Places, radii above 0, candidates and scores are finite numbers.")
        return cls(places, radii, candidates, values)


@dataclass(frozen=True, slots=True, eq=False)
class Froc:
    """The curve and what is read from it.

    Parameters
    ----------
    sensitivities
        At each rate: the share of places found at so many false alarms for each scan or fewer.
    rates
        The rates.
    cpm
        Mean of the sensitivities (competition performance metric), with its bootstrap interval over scans.
    places, scans
        How many there are.
    found
        Share of the places that any candidate hits, however unsure.
    false_alarms
        For each scan, all candidates taken.
    """

    sensitivities: tuple[float, ...]
    rates: tuple[float, ...]
    cpm: Interval
    places: int
    scans: int
    found: float
    false_alarms: float

    def at(self, rate: float) -> float:
        """The sensitivity at one of the rates."""
        return self.sensitivities[self.rates.index(rate)]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "sensitivity": {f"{rate:g}": value for rate, value in zip(self.rates, self.sensitivities, strict=True)},
            "cpm": self.cpm.to_dict(),
            "places": self.places,
            "scans": self.scans,
            "found": self.found,
            "false_alarms": self.false_alarms,
        }


def froc(
    scans: Sequence[Scan], *, rates: Sequence[float] = RATES, rounds: int = 1000, level: float = 0.95, seed: int = 0
) -> Froc:
    """Sensitivity against false alarms.

    Parameters
    ----------
    scans
        The scans; those without places count for the false alarms.
    rates
        False alarms for each scan.
    rounds, level, seed
        Of the bootstrap, which draws scans anew; of fewer than 5 scans there is no interval (NaN).

    Raises
    ------
    UsageError
        If no scan has a place to be found.
    """
    judged = [judge(scan) for scan in scans]
    total = sum(len(one.best) for one in judged)
    if not total:
        raise UsageError("No scan has anything to be found.")
    values = _sensitivities(judged, rates)
    low = high = float("nan")
    if len(scans) >= 5:
        rng = np.random.default_rng(seed)
        drawn = []
        for _ in range(rounds):
            some = [judged[n] for n in rng.integers(0, len(judged), len(judged))]
            if any(len(one.best) for one in some):
                drawn.append(np.mean(_sensitivities(some, rates)))
        low, high = (float(one) for one in np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]))
    hits = sum(int(np.isfinite(one.best).sum()) for one in judged)
    alarms = sum(len(one.alarms) for one in judged)
    cpm = Interval(float(np.mean(values)), low, high, len(scans), level)
    return Froc(tuple(values), tuple(rates), cpm, total, len(scans), hits / total, alarms / len(scans))


@dataclass(frozen=True, eq=False)
class Judged:
    """What became of the candidates of a scan.

    Parameters
    ----------
    best
        (n,): score of the surest candidate in each place; -inf where there is none.
    which
        (n,): index of that candidate; -1 where there is none.
    alarms
        Scores of the candidates that lie in no place.
    """

    best: Floats
    which: npt.NDArray[np.int64]
    alarms: Floats


def judge(scan: Scan) -> Judged:
    """Tell hits from false alarms. A candidate in two places is given to the one whose middle is nearer, in radii."""
    best = np.full(len(scan.places_mm), -np.inf)
    which = np.full(len(scan.places_mm), -1, np.int64)
    if not len(scan.places_mm):
        return Judged(best, which, scan.scores)
    apart = np.linalg.norm(scan.candidates_mm[:, None] - scan.places_mm[None], axis=-1) / scan.radii_mm
    nearest = apart.argmin(axis=1) if len(apart) else np.zeros(0, np.int64)
    hit = apart[np.arange(len(apart)), nearest] <= 1 + _FEWEST_MM
    for number in np.flatnonzero(hit):
        place = nearest[number]
        if scan.scores[number] > best[place]:
            best[place], which[place] = scan.scores[number], number
    return Judged(best, which, scan.scores[~hit])


def _sensitivities(judged: Sequence[Judged], rates: Sequence[float]) -> list[float]:
    """The greatest sensitivity at each rate, over all thresholds."""
    best = np.concatenate([one.best for one in judged])
    alarms = np.sort(np.concatenate([one.alarms for one in judged]))
    thresholds = np.unique(best[np.isfinite(best)])
    found = np.array([(best >= one).mean() for one in thresholds])
    false = (len(alarms) - np.searchsorted(alarms, thresholds, side="left")) / len(judged)
    return [float(found[false <= rate + 1e-12].max(initial=0.0)) for rate in rates]
