from __future__ import annotations

import math

import numpy as np
import pytest

from isocenter.errors import UsageError
from isocenter.evaluate.froc import RATES, Scan, froc, judge

NOTHING = np.empty((0, 3))


def at(*millimetres: float) -> list[tuple[float, float, float]]:
    return [(0.0, 0.0, one) for one in millimetres]


def test_a_curve_that_can_be_counted_by_hand() -> None:
    # two scans; falling score: hit, alarm, hit, alarm, alarm, hit; one place is never found
    one = Scan.of(at(0, 100), [5, 5], at(1, 50, 97), [0.9, 0.8, 0.7])
    two = Scan.of(at(0, 100), [5, 5], at(30, 60, 4), [0.6, 0.5, 0.4])
    found = froc([one, two])
    assert dict(zip(found.rates, found.sensitivities, strict=True)) == {
        0.125: 0.25,  # 1 of 4 without an alarm
        0.25: 0.25,
        0.5: 0.5,  # 2 of 4 at 1 alarm in 2 scans
        1.0: 0.5,
        2.0: 0.75,  # 3 of 4 at 3 alarms in 2 scans
        4.0: 0.75,
        8.0: 0.75,
    }
    assert found.cpm.value == pytest.approx(np.mean(found.sensitivities))
    assert (found.places, found.scans, found.found, found.false_alarms) == (4, 2, 0.75, 1.5)


def test_a_hit_lies_within_the_radius_and_counts_once() -> None:
    scan = Scan.of(at(0), [5], at(5, 5.1, -1), [0.5, 0.9, 0.8])
    found = judge(scan)
    assert found.best.tolist() == [0.8]
    assert found.which.tolist() == [2]
    assert found.alarms.tolist() == [0.9], "the second candidate in the place is no alarm"


def test_a_candidate_in_two_places_is_given_to_the_nearer_one_in_radii() -> None:
    found = judge(Scan.of(at(0, 10), [4, 20], at(3), [0.5]))
    assert found.which.tolist() == [-1, 0]


def test_scans_without_places_count_for_the_alarms() -> None:
    hit = Scan.of(at(0), [5], at(0), [0.5])
    empty = Scan.of(NOTHING, [], at(0, 50), [0.9, 0.8])
    assert froc([hit]).at(0.125) == 1
    assert froc([hit, empty]).sensitivities == (0, 0, 0, 1, 1, 1, 1)
    assert froc([Scan.of(at(0), [5], NOTHING, [])]).cpm.value == 0


def test_alarms_of_the_score_of_a_hit_count() -> None:
    scan = Scan.of(at(0), [5], at(0, 50, 90), [0.5, 0.5, 0.5])
    assert froc([scan]).sensitivities == (0, 0, 0, 0, 1, 1, 1)


def test_the_interval_holds_the_value_and_shrinks_with_scans() -> None:
    rng = np.random.default_rng(0)

    def drawn(count: int) -> list[Scan]:
        return [
            Scan.of(at(0, 100), [5, 5], at(0, *rng.uniform(200, 900, 3)), rng.uniform(0, 1, 4)) for _ in range(count)
        ]

    few, many = froc(drawn(8)), froc(drawn(200), rounds=300)
    for one in (few, many):
        assert one.cpm.low <= one.cpm.value <= one.cpm.high
    assert many.cpm.high - many.cpm.low < few.cpm.high - few.cpm.low
    assert math.isnan(froc(drawn(4)).cpm.low)
    assert few.to_dict()["cpm"]["count"] == 8
    assert list(few.to_dict()["sensitivity"]) == [f"{rate:g}" for rate in RATES]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="anything to be found"):
        froc([Scan.of(NOTHING, [], NOTHING, [])])
    with pytest.raises(UsageError, match="has a radius"):
        Scan.of(at(0), [], NOTHING, [])
    for radius, score in ((0.0, 1.0), (1.0, math.nan)):
        with pytest.raises(UsageError, match="finite"):
            Scan.of(at(0), [radius], at(1), [score])
