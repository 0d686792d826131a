"""A set of predictions against the truth: no case lost, subgroups, criteria."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from isocenter.errors import UsageError
from isocenter.evaluate import (
    METRICS,
    Candidate,
    Criterion,
    Pair,
    breakdowns,
    compared,
    criteria_of,
    judged,
    study,
    to_collect,
)
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid

GRID = Grid.from_vectors((8, 16, 16), spacing_mm=(2, 1, 1))
NOTHING: dict[str, str] = {}


def block(rows: int, label: int = 1, name: str = "organ", *, grid: Grid = GRID) -> Segmentation:
    array = np.zeros(grid.shape, np.uint8)
    array[2:6, 2 : 2 + rows, 2:12] = label
    return Segmentation((array,), grid, (Segment.named(name, label),), Algorithm("t", "1"))


def pairs(count: int = 40, seed: int = 0, harm: int = 5) -> Iterator[Pair]:
    """Cases of two sexes, of which the men's predictions lack some rows more."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        sex = "M" if number % 4 == 0 else "F"
        lost = int(rng.integers(0, 3)) + (harm if sex == "M" else 0)
        known = {"sex": sex, "age": f"{20 + number:03d}Y", "scanner": "A" if number < 37 else "B"}
        yield Pair(f"case_{number:02d}", block(12 - lost), block(12), known)


def codes(found: object) -> set[str]:
    return {reason.code for reason in found.reasons}


def test_scores_of_a_set_are_summed_up() -> None:
    found = study(pairs())
    dice = list(found.values().values())
    summary = next(one for one in found.summaries() if one.metric.name == "dice")
    assert summary.mean.value == pytest.approx(np.mean(dice))
    assert summary.mean.low < summary.mean.value < summary.mean.high
    assert summary.worst == min(dice)
    assert found.worst(1)[0].value("dice") == min(dice)
    assert len(found.rows()) == 40
    assert found.rows()[0]["attribute_sex"] == "M"


def test_a_case_that_cannot_be_compared_counts_as_failed() -> None:
    far = Grid.from_vectors(GRID.shape, spacing_mm=(2, 1, 1), origin_mm=(900, 0, 0))
    found = study(
        [
            Pair("good", block(12), block(12)),
            Pair("none", None, block(12)),
            Pair("apart", block(12, grid=far), block(12)),
        ]
    )
    assert found.values() == {"good": 1.0, "none": 0.0, "apart": 0.0}
    assert codes(found) == {"PREDICTION_MISSING", "GRIDS_APART"}
    assert found.outcomes("organ")["not predicted"] == 2


def test_false_alarms_count_where_the_truth_file_names_nothing() -> None:
    nothing = Segmentation((np.zeros(GRID.shape, np.uint8),), GRID, (), Algorithm("t", "1"))
    found = study([Pair("a", block(12), block(12)), Pair("b", block(3), nothing), Pair("c", nothing, nothing)])
    assert [case.scores["organ"].outcome for case in found.cases] == ["found", "extra", "absent"]
    assert found.values()["b"] == 0
    assert np.isnan(found.values()["c"])
    assert next(iter(found.summaries())).mean.count == 2


def test_structures_that_no_truth_has_are_left_out_with_a_reason() -> None:
    both = np.zeros(GRID.shape, np.uint8)
    both[2:6, 2:14, 2:12], both[0] = 1, 2
    segments = (Segment.named("organ", 1), Segment.named("bone", 2))
    more = Segmentation((both,), GRID, segments, Algorithm("t", "1"))
    found = study([Pair("a", more, block(12))])
    assert found.structures == ("organ",)
    assert codes(found) == {"NOT_IN_TRUTH"}
    asked = study([Pair("a", more, block(12))], names=["organ", "bone"])
    assert asked.outcomes("bone")["extra"] == 1
    assert codes(asked) == {"NEVER_TRUE"}


def test_the_digest_is_of_the_truth_alone() -> None:
    one = study([Pair("a", block(12), block(12))]).digest
    assert one == study([Pair("a", block(3), block(12))]).digest
    assert one != study([Pair("a", block(12), block(11))]).digest
    flipped = Segmentation((block(12).array[::-1],), GRID.flip(0), block(12).segments, Algorithm("t", "1"))
    assert one == study([Pair("a", block(12), flipped)]).digest


def test_a_group_that_fares_worse_is_named() -> None:
    sex, age, scanner = study(pairs()).by(["sex", "age", "scanner"])
    assert sex.worst == "M"
    assert sex.gap.value > 0.2
    assert sex.gap.low > 0.1
    assert sex.p < 0.01
    assert codes(sex) == {"SUBGROUP_WORSE"}
    assert [group.mean.count for group in sex.groups] == [30, 10]
    assert sex.groups[1].p < 0.01
    assert sex.groups[1].worst_decile <= sex.groups[1].mean.value
    overall = np.mean(list(study(pairs()).values().values()))
    means = {group.name: group.mean.value for group in sex.groups}
    assert sex.equity_scaled == pytest.approx(overall / (1 + sum(abs(overall - mean) for mean in means.values())))
    assert [group.name for group in age.groups] == ["20 to 29", "30 to 39", "40 to 49", "50 to 59"]
    assert "ATTRIBUTE_BINNED" in codes(age)
    assert "SUBGROUP_WORSE" not in codes(age)
    assert "SUBGROUP_SMALL" in codes(scanner)
    assert scanner.worst == ""
    assert np.isnan(scanner.equity_scaled)


def test_groups_alike_are_seldom_called_unlike() -> None:
    rng = np.random.default_rng(0)
    alarms = 0
    for seed in range(40):
        values = {str(n): float(v) for n, v in enumerate(rng.normal(0.8, 0.1, 60))}
        known = {name: {"sex": "FM"[int(name) % 2], "site": "ABC"[int(name) % 3]} for name in values}
        found = breakdowns(values, known, ["sex", "site"], metric=METRICS["dice"], seed=seed)
        alarms += any("SUBGROUP_WORSE" in codes(one) for one in found)
    assert alarms <= 6


def test_two_attributes_are_taken_together_and_what_is_unknown_is_shown() -> None:
    cases = [
        Pair(f"{n}", block(12), block(12), {"sex": "FM"[n % 2], "site": "AB"[n // 20]} if n < 28 else NOTHING)
        for n in range(40)
    ]
    (both,) = study(cases).by(["sex*site"])
    assert [group.name for group in both.groups] == ["F, A", "F, B", "M, A", "M, B", "unknown"]
    assert both.groups[-1].mean.count == 12
    assert "ATTRIBUTE_UNKNOWN" in codes(both)


def test_numbers_become_thirds_and_errors_with_a_sign_do_not_cancel_out() -> None:
    cases = [Pair(f"{n}", block(12 + (2 if n % 2 else -2)), block(12), {"size": str(n)}) for n in range(36)]
    (thirds,) = study(cases).by(["size"], metric="volume_error_percent")
    assert [group.mean.count for group in thirds.groups] == [12, 12, 12]
    assert thirds.groups[0].mean.value == pytest.approx(100 / 6)
    assert thirds.metric.title == "Absolute volume error"


def test_the_worst_group_is_to_be_collected_next() -> None:
    found = study(pairs())
    pool = [Candidate("x", {"sex": "M"}, 0.1), Candidate("y", {"sex": "M"}, 0.9), Candidate("z", {"sex": "F"}, 1.0)]
    wanted = to_collect(found.by(["sex", "scanner"]), found.attributes, candidates=pool)
    assert (wanted[0].attribute, wanted[0].group, wanted[0].suggested) == ("sex", "M", ("y", "x"))
    assert (wanted[1].group, wanted[1].cases) == ("B", 3)


def test_two_models_are_compared_on_the_same_cases() -> None:
    one, other = study(pairs(harm=0)), study(pairs(harm=5))
    found = compared(one, other, metrics=["dice", "hd95_mm"])
    assert found["organ", "dice"].difference.value > 0
    assert found["organ", "dice"].p < 0.05
    assert found["organ", "hd95_mm"].difference.value < 0
    assert compared(one, one)["organ", "dice"].p == 1
    with pytest.raises(UsageError, match="same cases"):
        compared(one, study(pairs(count=20)))


def test_criteria_are_held_against_a_study() -> None:
    text = """
    [[criterion]]
    at_least = 0.5
    [[criterion]]
    statistic = "worst"
    metric = "hd95_mm"
    at_most = 1
    [[criterion]]
    statistic = "gap"
    by = "sex"
    at_most = 0.05
    [[criterion]]
    statistic = "failed"
    at_most = 0
    [[criterion]]
    statistic = "equity_scaled"
    by = "scanner"
    at_least = 0.1
    """
    found = judged(study(pairs()), criteria_of(text))
    assert [one.is_passed for one in found] == [True, False, False, True, False]
    assert np.isnan(found[-1].value)
    assert str(found[1].criterion) == "Worst HD95: at most 1 mm"
    assert str(found[2].criterion) == "Gap Dice by sex: at most 0.05"
    failed = study([Pair("a", None, block(12)), Pair("b", block(12), block(12))])
    assert judged(failed, [Criterion(statistic="failed", at_most=0)])[0].value == 0.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[[criterion]]",
        "[[criterion]]\nat_least = 1\nwhy = 2",
        "[[criterion]]\nat_least = 'high'",
        "[[criterion]]\nat_least = 1\nmetric = 'dise'",
        "[[criterion]]\nat_least = 1\nstatistic = 'gap'",
        "[[criterion]]\nat_least = 1\nby = 'sex'",
        "[[criterion]]\nat_least = 1\nmetric = 3",
        "[other]\nat_least = 1",
        "criterion = 3",
    ],
)
def test_wrong_criteria_are_told(text: str) -> None:
    with pytest.raises(UsageError):
        criteria_of(text)


def test_wrong_calls_are_told() -> None:
    found = study(pairs(count=12))
    for call in (
        lambda: found.by(["weight"]),
        lambda: found.by(["sex*age*scanner"]),
        lambda: found.values("accuracy"),
        lambda: found.values("dice", "liver"),
        lambda: study([]),
        lambda: study([Pair("a", None, block(3))] * 2),
        lambda: study([Pair("a", None, block(3))], tolerance_mm={"liver": 2}),
    ):
        with pytest.raises(UsageError):
            call()


def test_a_criterion_on_an_end_of_the_interval_says_so() -> None:
    assert str(Criterion(statistic="lower", at_least=0.7)) == (
        "Lower end of the 95 % interval of the mean Dice: at least 0.7"
    )
