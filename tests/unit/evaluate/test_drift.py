"""Drift: few false alarms, planted changes found, and what is too few said."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import InputError, UsageError
from isocenter.evaluate import Profile, Traits, drift, input_traits, output_traits, profile, psi
from isocenter.evaluate.drift import Shift
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.volume import Volume


def cases(count: int, rng: np.random.Generator, **changes: float) -> list[Traits]:
    """Cases of two scanners with correlated traits; ``changes`` are added to traits by name."""
    made = []
    for number in range(count):
        level, size = rng.normal(100, 10), rng.gamma(9, 10)
        inputs = {
            "intensity_p50": level,
            "intensity_p99": 3 * level + rng.normal(0, 5),
            "noise": float(rng.choice([8, 12])) + rng.normal(0, 0.5),
            "spacing_slice_mm": float(rng.choice([1.0, 1.25])),
            "extent_row_mm": 350.0,
        }
        outputs = {"volume_ml organ": size, "pieces organ": float(rng.poisson(0.2) + 1)}
        inputs = {name: value + changes.get(name, 0) for name, value in inputs.items()}
        outputs = {name: value * (1 + changes.get(name, 0)) for name, value in outputs.items()}
        made.append(Traits(f"case_{number}", inputs, outputs))
    return made


def found(codes_of: object) -> set[str]:
    return {reason.code for reason in codes_of.reasons}


def test_false_alarms_are_as_rare_as_stated() -> None:
    rng = np.random.default_rng(0)
    alarms, stretches = 0, 0
    for seed in range(20):
        one = drift(profile(cases(60, rng)), cases(90, rng), alpha=0.05, seed=seed)
        alarms += sum(part.has_drifted for stretch in one.stretches for part in (stretch.inputs, stretch.outputs))
        stretches += 2 * len(one.stretches)
    assert stretches == 120
    assert alarms <= 14  # 5 % are 6; so many happen in fewer than one of 300 runs


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"noise": 8.0}, "DRIFT_INPUT"),
        ({"spacing_slice_mm": 0.5}, "DRIFT_INPUT"),
        ({"intensity_p50": 15.0, "intensity_p99": 45.0}, "DRIFT_INPUT"),
        ({"extent_row_mm": 20.0}, "DRIFT_INPUT"),
        ({"volume_ml organ": -0.4}, "DRIFT_OUTPUT"),
        ({"pieces organ": 3.0}, "DRIFT_OUTPUT"),
    ],
)
def test_planted_changes_are_found_where_they_begin(change: dict[str, float], code: str) -> None:
    rng = np.random.default_rng(1)
    stream = cases(60, rng) + cases(60, rng, **change)
    one = drift(profile(cases(100, rng)), stream)
    drifted = [
        bool(part and part.has_drifted)
        for part in ((s.inputs if code == "DRIFT_INPUT" else s.outputs) for s in one.stretches)
    ]
    assert drifted == [False, False, True, True]
    assert found(one) == {code}
    assert next(iter(change)) in one.reasons[0].message or len(change) > 1


def test_a_change_of_how_traits_hang_together_is_found() -> None:
    rng = np.random.default_rng(2)
    reference = [Traits(f"{n}", {"a": x, "b": x + e}) for n, (x, e) in enumerate(rng.normal(0, [1, 0.05], (150, 2)))]
    apart = [Traits(f"{n}", {"a": x, "b": y}) for n, (x, y) in enumerate(rng.normal(0, 1, (60, 2)))]
    one = drift(profile(reference), apart, size=60).stretches[0].inputs
    assert one.shifts[0].p > 0.05
    assert one.discrepancy_p < 0.005
    assert one.has_drifted


def test_a_trait_that_is_no_longer_known_is_a_change() -> None:
    rng = np.random.default_rng(3)
    lost = [Traits(c.id, {**c.inputs, "noise": float("nan")}, c.outputs) for c in cases(30, rng)]
    one = drift(profile(cases(60, rng)), lost)
    assert one.stretches[0].inputs.shifts[0].name == "noise"
    assert one.has_drifted


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        (1.00002, 0.99998, "b 1 then, 0.99998 now"),
        (12.0, 15.123456, "b 12 then, 15.12 now"),
        (1.0, 1.0, "b spread otherwise around the same median, 1 (shares apart by up to 42%)"),
        (float("nan"), 3.0, "b unknown then, 3 now"),
    ],
)
def test_a_shift_is_told_in_as_many_digits_as_it_needs(then: float, now: float, said: str) -> None:
    assert str(Shift("b", then, now, psi=1.0, ks=0.42, p=0.001)) == said


def test_traits_of_one_side_alone_are_told() -> None:
    rng = np.random.default_rng(3)
    stream = [Traits(c.id, {**c.inputs, "new": 1.0}) for c in cases(30, rng)]
    one = drift(profile(cases(60, rng)), stream)
    assert found(one) == {"NOT_WATCHED"}
    assert "new" in one.reasons[0].message
    assert one.stretches[0].outputs is None


def test_too_few_cases_are_said_to_be_so() -> None:
    rng = np.random.default_rng(4)
    one = drift(profile(cases(40, rng)), cases(5, rng))
    assert found(one) == {"TOO_FEW_TO_TELL"}
    assert not one.has_drifted
    assert one.stretches[0].inputs is None
    assert [len(s.cases) for s in drift(profile(cases(40, rng)), cases(70, rng)).stretches] == [30, 40]
    assert [len(s.cases) for s in drift(profile(cases(40, rng)), cases(80, rng)).stretches] == [30, 30, 20]


def test_a_profile_is_kept_as_json_without_names() -> None:
    rng = np.random.default_rng(5)
    one = profile(cases(30, rng))
    text = json.dumps(one.to_dict())
    assert "case_" not in text
    again = Profile.from_dict(json.loads(text))
    stream = cases(30, rng)
    assert drift(again, stream).stretches == drift(one, stream).stretches
    assert profile(cases(900, rng)).count == 500
    for broken in ({}, {"format": 1}, {"format": 9}, {"format": 1, "inputs": {"a": [1], "b": [1, 2]}, "outputs": {}}):
        with pytest.raises(InputError):
            Profile.from_dict(broken)


def test_the_index_of_stability_is_nought_of_equals_and_great_of_others() -> None:
    rng = np.random.default_rng(6)
    one = rng.normal(0, 1, 5000)
    assert psi(one, one) == pytest.approx(0)
    assert psi(one, rng.normal(0, 1, 5000)) < 0.02
    assert psi(one, one + 1) > 0.5
    assert psi([1.0] * 30, [1.0] * 30) == pytest.approx(0)
    assert psi([1.0] * 30, [2.0] * 30) > 1


def test_traits_are_those_of_the_image() -> None:
    rng = np.random.default_rng(7)
    grid = Grid.from_vectors((40, 30, 20), spacing_mm=(2, 1, 0.5))
    image = Volume(rng.normal(100, 7, grid.shape).astype(np.float32), grid, codes.ONE)
    traits = input_traits(image)
    assert traits["intensity_p50"] == pytest.approx(100, abs=1)
    assert traits["noise"] == pytest.approx(7, rel=0.1)
    assert (traits["spacing_slice_mm"], traits["extent_slice_mm"], traits["extent_column_mm"]) == (2, 80, 10)
    mask = np.zeros(grid.shape, np.uint8)
    mask[5:10, 5:10, 5:10] = mask[20, 20, 10] = 1
    segments = (Segment.named("organ", 1), Segment.named("lesion", 2))
    outputs = output_traits(Segmentation((mask,), grid, segments, Algorithm("t", "1")))
    assert outputs == {
        "volume_ml organ": pytest.approx(0.126),
        "pieces organ": 2,
        "volume_ml lesion": 0,
        "pieces lesion": 0,
    }
    with pytest.raises(InputError):
        input_traits(image.with_array(np.full(grid.shape, np.nan, np.float32)))


def test_a_single_slice_and_colours_have_traits() -> None:
    grid = Grid.from_vectors((1, 32, 32))
    flat = Volume(np.zeros(grid.shape, np.int16), grid, codes.ONE)
    assert input_traits(flat)["intensity_p99"] == 0
    colour = Volume(np.zeros((1, 32, 32, 3), np.uint8), grid, codes.ONE, axes=("color",))
    assert np.isnan(input_traits(colour)["noise"])


def test_wrong_calls_are_told() -> None:
    rng = np.random.default_rng(8)
    reference = profile(cases(30, rng))
    for call in (
        lambda: profile(cases(3, rng)),
        lambda: drift(reference, []),
        lambda: drift(reference, cases(30, rng), size=3),
        lambda: drift(reference, cases(30, rng), alpha=5),
        lambda: drift(reference, [Traits("a", {"other": 1})]),
    ):
        with pytest.raises(UsageError):
            call()
