"""Curves, calibration, agreement, intervals and tests: equal to scikit-learn and SciPy where these have them."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import UsageError
from isocenter.evaluate import (
    auprc,
    auroc,
    bland_altman,
    brier,
    classification,
    curve,
    holm,
    icc,
    interval,
    paired_test,
    reliability,
)


def drawn(seed: int, count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(count) < 0.3
    truth[:2] = True, False
    return truth, np.round(rng.random(count) + 0.4 * truth, 1)  # with ties


@pytest.mark.parametrize("seed", range(8))
def test_areas_and_brier_are_those_of_scikit_learn(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    truth, score = drawn(seed)
    assert auroc(truth, score) == pytest.approx(metrics.roc_auc_score(truth, score))
    assert auprc(truth, score) == pytest.approx(metrics.average_precision_score(truth, score))
    assert brier(truth, score / 2) == pytest.approx(metrics.brier_score_loss(truth, score / 2))


def test_a_point_to_work_at_is_found() -> None:
    found = curve([0, 0, 0, 1, 1], [0.1, 0.2, 0.8, 0.7, 0.9])
    assert found.at_specificity(1.0) == (0.5, 0.9)
    assert found.at_specificity(0.6) == (1.0, 0.7)


def test_a_curve_without_negatives_has_no_area() -> None:
    assert np.isnan(auroc([1, 1], [0.1, 0.2]))
    for truth, score in (([0, 0], [1, 2]), ([0, 1], [np.nan, 1]), ([0, 1, 1], [0, 1]), ([0, 2], [0, 1])):
        with pytest.raises(UsageError):
            auroc(truth, score)


def test_calibration_of_honest_probabilities_is_good_and_of_sure_ones_bad() -> None:
    rng = np.random.default_rng(0)
    stated = rng.random(20_000)
    truth = rng.random(20_000) < stated
    assert reliability(truth, stated).ece < 0.02
    assert reliability(truth, np.round(stated)).ece > 0.2
    assert reliability(truth, stated).counts.sum() == 20_000


def test_of_several_categories_the_likeliest_counts() -> None:
    found = reliability([0, 1, 2], [[0.6, 0.4, 0], [0.6, 0.4, 0], [0, 0, 1]], bins=10)
    assert found.ece == pytest.approx(2 / 3 * 0.1)
    assert found.mce == pytest.approx(0.1)
    assert brier([0, 1], [[1, 0], [1, 0]]) == pytest.approx(1.0)
    for truth, values in (([0], [1.2]), ([0], [[0.2, 0.2]]), ([3], [[0.5, 0.5]]), ([], [])):
        with pytest.raises(UsageError):
            brier(truth, values)


def test_a_classification_is_summed_up() -> None:
    names = ["a", "b", "c"]
    values = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1]])
    found = classification(["a", "b", "b", "b"], values, categories=names)
    assert found.confusion.tolist() == [[1, 0, 0], [1, 2, 0], [0, 0, 0]]
    assert found.accuracy.value == 0.75
    assert found.balanced_accuracy == pytest.approx((1 + 2 / 3) / 2)
    assert found.f1["b"] == pytest.approx(0.8)
    assert np.isnan(found.auroc["c"])
    assert found.to_dict()["auroc"]["c"] is None
    assert found.auroc["a"] == 1.0
    with pytest.raises(UsageError, match="no category"):
        classification(["d"], [[1, 0, 0]], categories=names)


def test_agreement_of_known_differences() -> None:
    one = np.array([10.0, 12, 14, 16, np.nan])
    found = bland_altman(one, one + np.array([1, 2, 1, 2, 3]))
    assert found.bias.value == pytest.approx(1.5)
    assert found.upper.value == pytest.approx(1.5 + 1.96 * np.std([1, 2, 1, 2], ddof=1))
    assert found.left_out == 1
    with pytest.raises(UsageError):
        bland_altman([1, 2], [1, 2])


def test_the_intraclass_correlation_is_that_of_shrout_and_fleiss() -> None:
    # The first two of the four judges in their table 2, computed by hand from mean squares
    one, other = [9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2]
    table = np.stack([one, other], axis=1).astype(float)
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    between = 2 * ((rows - table.mean()) ** 2).sum() / 5
    raters = 6 * ((columns - table.mean()) ** 2).sum()
    rest = ((table - rows[:, None] - columns + table.mean()) ** 2).sum() / 5
    found = icc(one, other)
    assert found.value == pytest.approx((between - rest) / (between + rest + 2 * (raters - rest) / 6))
    assert found.low < found.value < found.high
    assert icc([1, 2, 3], [1, 2, 3]).value == 1
    assert np.isnan(icc([1, 1, 1], [1, 1, 1]).value)


def test_intervals_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(1).gamma(2, 1, 40)
    for method, name in (("bca", "BCa"), ("percentile", "percentile")):
        mine = interval(values, method=method, rounds=20_000)
        other = stats.bootstrap(
            (values,), np.mean, n_resamples=20_000, method=name, rng=np.random.default_rng(3)
        ).confidence_interval
        assert (mine.low, mine.high) == pytest.approx((other.low, other.high), abs=0.02)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    held = [
        one.low <= 0.5 <= one.high
        for one in (interval(rng.normal(0.5, 0.1, 30), rounds=400, seed=n) for n in range(400))
    ]
    assert 0.89 < np.mean(held) < 0.98


def test_an_interval_is_repeatable_and_says_of_how_many() -> None:
    values = [0.1, 0.5, np.nan, 0.9, 0.8, 0.3, 0.4]
    assert interval(values) == interval(values)
    assert interval(values).count == 6
    assert np.isnan(interval([1, 2, 3]).low)
    assert np.isnan(interval([]).value)
    assert interval([2] * 8).low == 2
    assert interval([0, 0, 0, 0, 0, 1]).high <= 1
    for settings in ({"level": 95}, {"method": "normal"}):
        with pytest.raises(UsageError):
            interval(values, **settings)


def test_a_difference_is_found_and_none_is_not() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(0.8, 0.1, 30)
    for test in ("wilcoxon", "permutation"):
        assert paired_test(one + 0.05 + rng.normal(0, 0.01, 30), one, test=test).p < 0.001
        assert paired_test(one, one, test=test).p == 1
    assert np.isnan(paired_test([np.nan], [1]).p)
    assert paired_test([np.nan, 1], [1, 2]).left_out == 1
    with pytest.raises(UsageError):
        paired_test([1], [1, 2])


def test_tests_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(2)
    for count in (8, 12, 40):
        one, other = rng.normal(0.1, 1, count), rng.normal(0, 1, count)
        assert paired_test(one, other).p == pytest.approx(
            stats.wilcoxon(one, other, zero_method="pratt", method="exact" if count <= 25 else "asymptotic").pvalue
        )
        expected = stats.permutation_test(
            (one, other), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=9999, rng=rng
        ).pvalue
        assert paired_test(one, other, test="permutation").p == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("test", ["wilcoxon", "permutation"])
def test_false_alarms_of_a_test_are_as_rare_as_stated(test: str) -> None:
    rng = np.random.default_rng(0)
    p = [paired_test(rng.normal(0, 1, 11), rng.normal(0, 1, 11), test=test).p for _ in range(300)]
    assert np.mean(np.array(p) < 0.05) < 0.09


def test_holm_corrects_for_how_many_are_tested() -> None:
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": float("nan")})
    assert found["a"] == pytest.approx(0.03)
    assert found["c"] == pytest.approx(0.06)
    assert found["b"] == pytest.approx(0.06)
    assert np.isnan(found["d"])
