"""Classical learning from tables: what has no network, and what one has to beat. Tested as small sets need it.

Everything that learns (scaling, components, the choice of settings) is inside of each fold, and cases of one group lie
in one fold. What a table is lives in ``tables``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError, expect_word
from isocenter.evaluate.categories import Classification, classification
from isocenter.evaluate.intervals import Interval
from isocenter.evaluate.ranking import auroc
from isocenter.extras import needed
from isocenter.reasons import Reason
from isocenter.train.tables import Table

Method = Literal["pca_svm", "logistic"]
Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Fold = tuple[Numbers, Numbers]

_COMPONENTS = (5, 10, 20, 40)
_COSTS = (0.1, 1.0, 10.0)
_ROUNDS = 1000
_FEW = 30  # cases of a category below which an interval is wide whatever is learned
_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """How learning is tested: by folds within folds.

    Parameters
    ----------
    method
        ``"pca_svm"``: principal components, then a support vector machine (radial basis), its probabilities by
        Platt's method. ``"logistic"``: logistic regression with an L2 penalty.
    folds, inner
        Folds of the test, and within each of them, by which components and costs are chosen.
    permutations
        How often the truth is permuted to see what chance gives; 0 leaves it out.
    seed
        Of the folds, permutations and the interval.
    """

    method: Method = "pca_svm"
    folds: int = 5
    inner: int = 4
    permutations: int = 100
    seed: int = 0


@dataclass(frozen=True)
class Tested:
    """What a method is worth on cases that it did not learn from.

    Parameters
    ----------
    result
        Accuracy with its interval, confusion, and the rest.
    auroc
        Area under the ROC curve, the mean over categories against the others; the interval by drawing groups anew.
    p_value
        How often permuted truth did as well as the true one, with the settings left at their middle; NaN if not asked.
    chosen
        Settings chosen in each fold.
    probabilities
        (case, category), each from a fold that did not hold the case.
    reasons
        What is to be said of the table.
    """

    result: Classification
    auroc: Interval
    p_value: float
    chosen: tuple[dict[str, Any], ...]
    probabilities: Floats = field(repr=False)
    reasons: tuple[Reason, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **self.result.to_dict(),
            "auroc_mean": self.auroc.to_dict(),
            "p_value": None if math.isnan(self.p_value) else self.p_value,
            "chosen": list(self.chosen),
            "reasons": [one.to_dict() for one in self.reasons],
        }


def cross_tested(table: Table, how: Nested | None = None) -> Tested:
    """Test a method by nested cross-validation: settings are chosen without the cases that they are tested on.

    Parameters
    ----------
    table
        The cases.
    how
        How.

    Returns
    -------
    What it is worth. The same table and settings give the same numbers. For the model itself see :func:`learned`.

    Raises
    ------
    UsageError
        If there are fewer than two categories, or a category has fewer groups than folds.
    MissingExtra
        If scikit-learn is not installed.
    """
    how = how or Nested()
    expect_word(how.method, Method, "The method")
    truth = _numbers(table)
    folds = _folds(table, truth, np.arange(len(truth)), how.folds, how.seed)
    given, chosen = np.zeros((len(truth), len(table.categories))), []
    for train, test in folds:
        model, settings = _chosen(table, truth, train, how)
        given[test] = model.predict_proba(table.values[test])
        chosen.append(settings)
    result = classification(table.truth, given, categories=table.categories, seed=how.seed)
    p_value = _p_value(table, truth, folds, how) if how.permutations else math.nan
    return Tested(result, _area(table, truth, given, how.seed), p_value, tuple(chosen), given, _about(table))


def learned(table: Table, how: Nested | None = None) -> Any:
    """The method taught on all cases: an estimator of scikit-learn with ``predict_proba``.

    Its settings are chosen by cross-validation. What it is worth says :func:`cross_tested`, not a test on these cases.
    """
    how = how or Nested()
    expect_word(how.method, Method, "The method")
    truth = _numbers(table)
    return _chosen(table, truth, np.arange(len(truth)), how)[0]


# --- folds ------------------------------------------------------------------------------------------------------------


def _numbers(table: Table) -> Numbers:
    if len(table.categories) < 2:
        raise UsageError("There is one category only; two are needed to be told apart.")
    return np.array([table.categories.index(name) for name in table.truth], np.int64)


def _folds(table: Table, truth: Numbers, rows: Numbers, count: int, seed: int) -> list[Fold]:
    """Folds of some rows, groups whole and categories even, as far as groups allow."""
    selection = needed("sklearn.model_selection", "nets")
    groups = np.array(table.groups)[rows]
    least = min(len(set(groups[truth[rows] == n])) for n in range(len(table.categories)))
    if not 2 <= count <= least:
        raise UsageError(f"The smallest category has {least} groups of cases, which cannot make {count} folds.")
    splitter = selection.StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    found = splitter.split(rows, truth[rows], groups)
    return [(rows[train], rows[test]) for train, test in found]


# --- methods ----------------------------------------------------------------------------------------------------------


def _estimator(table: Table, method: Method, components: int, seed: int) -> Any:
    """The steps of a method. Named columns are brought to one scale for components; pixels have one already."""
    needed("sklearn", "nets")
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    if method == "logistic":
        return Pipeline([("scale", StandardScaler()), ("model", LogisticRegression(max_iter=5000))])
    parts = PCA(components, svd_solver="randomized", random_state=seed)
    scale = StandardScaler() if table.columns else "passthrough"
    return Pipeline([("scale", scale), ("parts", parts), ("model", SVC())])


def _grid(method: Method, most: int) -> dict[str, Sequence[Any]]:
    """Settings to choose among; no more components than cases and columns allow."""
    if method == "logistic":
        return {"model__C": tuple(cost / 10 for cost in _COSTS)}
    return {"parts__n_components": tuple(n for n in _COMPONENTS if n < most) or (1,), "model__C": _COSTS}


def _chosen(table: Table, truth: Numbers, rows: Numbers, how: Nested) -> tuple[Any, dict[str, Any]]:
    """The estimator with the settings that do best within some rows, taught on all of them."""
    selection = needed("sklearn.model_selection", "nets")
    inner = _folds(table, truth, rows, how.inner, how.seed)
    place = {int(row): n for n, row in enumerate(rows)}
    cuts = [tuple(np.array([place[int(row)] for row in side]) for side in fold) for fold in inner]
    most = min(table.values.shape[1], *(len(train) for train, _ in cuts))
    search = selection.GridSearchCV(
        _estimator(table, how.method, 1, how.seed), _grid(how.method, most), cv=cuts, scoring="balanced_accuracy"
    )
    search.fit(table.values[rows], truth[rows])
    if how.method == "logistic":
        return search.best_estimator_, dict(search.best_params_)
    calibration = needed("sklearn.calibration", "nets")
    model = calibration.CalibratedClassifierCV(search.best_estimator_, method="sigmoid", cv=cuts, ensemble=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a score may be far enough for exp to overflow
        model.fit(table.values[rows], truth[rows])
    return model, dict(search.best_params_)


# --- how far it can be trusted ----------------------------------------------------------------------------------------


def _mean_area(truth: Numbers, given: Floats) -> float:
    """Mean over the categories of the area against the others; of two categories they are the same."""
    present = [n for n in range(given.shape[1]) if 0 < np.count_nonzero(truth == n) < len(truth)]
    return float(np.mean([auroc(truth == n, given[:, n]) for n in present])) if present else math.nan


def _area(table: Table, truth: Numbers, given: Floats, seed: int) -> Interval:
    """The area with its interval: whole groups are drawn anew, since cases of one are alike."""
    random = np.random.default_rng(seed)
    groups = np.array(table.groups)
    members = [np.flatnonzero(groups == name) for name in dict.fromkeys(table.groups)]
    drawn = []
    for _ in range(_ROUNDS):
        rows = np.concatenate([members[n] for n in random.integers(0, len(members), len(members))])
        drawn.append(_mean_area(truth[rows], given[rows]))
    tails = ((1 - _LEVEL) / 2, (1 + _LEVEL) / 2)
    low, high = np.nanquantile(drawn, tails)
    return Interval(_mean_area(truth, given), float(low), float(high), len(members), _LEVEL)


def _p_value(table: Table, truth: Numbers, folds: Sequence[Fold], how: Nested) -> float:
    """How often permuted truth is told apart as well (Ojala 2010), with settings left at their middle.

    Groups of one category each change places whole; otherwise cases do.
    """
    random = np.random.default_rng(how.seed)
    most = min(table.values.shape[1], *(len(train) for train, _ in folds))
    model = _estimator(table, how.method, min(_COMPONENTS[1], most - 1) or 1, how.seed)

    def balanced(known: Numbers) -> float:
        given = np.empty_like(known)
        for train, test in folds:
            if len(set(known[train].tolist())) < 2:
                return 0.0
            given[test] = model.fit(table.values[train], known[train]).predict(table.values[test])
        return float(np.mean([np.mean(given[known == n] == n) for n in set(known.tolist())]))

    reached = balanced(truth)
    as_good = sum(balanced(_permuted(table, truth, random)) >= reached for _ in range(how.permutations))
    return (1 + as_good) / (1 + how.permutations)


def _permuted(table: Table, truth: Numbers, random: np.random.Generator) -> Numbers:
    first = {name: int(number) for name, number in zip(table.groups, truth, strict=True)}
    if any(first[name] != number for name, number in zip(table.groups, truth, strict=True)):
        return random.permutation(truth)
    moved = dict(zip(first, random.permutation(list(first.values())), strict=True))
    return np.array([moved[name] for name in table.groups], np.int64)


def _about(table: Table) -> tuple[Reason, ...]:
    name, least = min(table.counts.items(), key=lambda item: item[1])
    if least >= _FEW:
        return ()
    text = f"The category {name} has {least} cases: figures of so few are uncertain, whatever the interval says."
    return (Reason("TABLE_SMALL", text),)
