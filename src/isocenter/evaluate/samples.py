"""Two samples of numbers, then and now: how unlike they are, and how often chance alone makes them so."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_ROUNDS = 1000
_BINS = 10
_FAR = 10.0  # deviations beyond which a value is no farther


def ks(reference: Floats, now: Floats) -> tuple[float, float]:
    """Statistic and p value; a value that is not known counts as one below all others."""
    from scipy import stats

    one, other = (np.where(np.isnan(values), -np.inf, values) for values in (reference, now))
    found = stats.ks_2samp(one, other, method="exact" if one.size * other.size <= 2000 else "asymp")
    return float(found.statistic), float(found.pvalue)


def median_known(values: Floats) -> float:
    """Median of the values that are known; NaN without any."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else math.nan


def psi(reference: npt.ArrayLike, now: npt.ArrayLike) -> float:
    """Population stability index: sum over tenths of the reference of (new less old share) * log(new / old share).

    One case is spread over all classes of each side, so that empty ones stay finite. By a rule of thumb more than 0.25
    is much; of 30 cases, chance alone gives about 0.3.

    Parameters
    ----------
    reference, now
        Values; NaN is a class of its own.
    """
    one, other = np.asarray(reference, float), np.asarray(now, float)
    known = one[~np.isnan(one)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])) if known.size else np.zeros(0)
    shares = []
    for values in (one, other):
        finite = values[~np.isnan(values)]
        counted = np.bincount(np.searchsorted(edges, finite, side="left"), minlength=edges.size + 1)
        weights = np.append(counted, values.size - finite.size) + 1 / (edges.size + 2)
        shares.append(weights / weights.sum())
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def discrepancy_p(reference: Floats, now: Floats, seed: int) -> float:
    """P value of the maximum mean discrepancy of two samples (cases, traits), by permutation."""
    from scipy.spatial import distance

    both = _standardised(reference, now)
    apart = distance.cdist(both, both, "sqeuclidean")
    typical = float(np.median(apart[np.triu_indices(len(both), 1)]))
    if typical <= 0:
        typical = float(apart.mean()) or 1.0
    kernel = np.exp(-apart / typical)
    n, m = len(reference), len(now)
    rng = np.random.default_rng(seed)
    weights = np.repeat([1 / n, -1 / m], [n, m])
    drawn = np.concatenate([weights[None], rng.permuted(np.tile(weights, (_ROUNDS, 1)), axis=1)])
    found = np.einsum("ij,ij->i", drawn @ kernel, drawn)
    return float(np.count_nonzero(found >= found[0] * (1 - 1e-9)) / (_ROUNDS + 1))


def _standardised(reference: Floats, now: Floats) -> Floats:
    """Both samples, less the reference's median, over its spread; what is not known lies in the middle."""
    known = np.where(np.isfinite(reference).any(axis=0), reference, 0.0)
    middle = np.nanmedian(known, axis=0)
    low, high = np.nanpercentile(known, [25, 75], axis=0)
    spread = np.maximum((high - low) / 1.349, np.maximum(1e-3 * np.abs(middle), 1e-12))
    both = (np.concatenate([reference, now]) - middle) / spread
    near: Floats = np.clip(np.nan_to_num(both, nan=0.0), -_FAR, _FAR)
    return near
