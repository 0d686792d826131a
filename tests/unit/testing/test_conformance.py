"""The judge of the conformance suite: what is right passes in every case, and what is wrong in any way does not."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace

import numpy as np
import pytest

from isocenter.geometry import Grid, Space
from isocenter.testing.cases_geometry import AXIAL, sheared
from isocenter.testing.cases_plane import PIXELS, coloured, plane
from isocenter.testing.conformance import Answer, Case, Outcome, Picture, Refusal, Truth, cases, judge, write
from isocenter.testing.dicom import values_on
from isocenter.testing.truth import Ramp

VALUE, OTHER = Ramp(40.0), Ramp(260.0, (2.3, -4.1, 6.7))
READ = Case("a", "geometry", "", lambda folder: None, (Truth(VALUE, AXIAL),))
TWO = replace(READ, truths=(Truth(VALUE, AXIAL), Truth(OTHER, AXIAL)))
REFUSE = replace(READ, truths=(), refusals=frozenset({"SLICE_GAP"}))
EITHER = replace(READ, refusals=frozenset({"SLICE_GAP"}))

READABLE = [case for case in cases() if case.truths]


def picture(value=VALUE, grid=AXIAL, space="patient"):
    return Picture(values_on(value, grid), grid.affine, space)


def ideal(case):
    """The answer of a reader that makes no mistake."""
    return Answer([picture(truth.value, truth.grid, str(truth.grid.space)) for truth in case.truths])


def outcome(case, *pictures, **answer):
    return judge(case, Answer(pictures, **answer)).outcome


# --- the suite -------------------------------------------------------------------------------------------------------


def test_there_are_more_than_a_hundred_cases_of_unique_names():
    names = [case.name for case in cases()]
    assert len(names) > 100
    assert len(set(names)) == len(names)
    assert {case.right for case in cases()} == {"read", "refuse", "either"}


@pytest.mark.parametrize("case", READABLE, ids=lambda case: case.name)
def test_the_ideal_answer_is_right_and_any_other_is_not(case):
    answer = ideal(case)
    assert judge(case, answer).outcome is Outcome.RIGHT
    first, *rest = answer.pictures
    truth = case.truths[0]
    wrong = [replace(first, array=first.array + 2 * truth.tolerance + 1)]
    if min(truth.grid.shape) > 1 and truth.grid.space is Space.PATIENT:
        for axis in range(3):
            wrong.append(replace(first, array=np.flip(first.array, axis)))
            moved = first.affine.copy()
            moved[:3, 3] += moved[:3, axis] / 2
            wrong.append(replace(first, affine=moved))
    for one in wrong:
        assert not judge(case, replace(answer, pictures=[one, *rest])).outcome.is_right


@pytest.mark.parametrize("case", [case for case in cases() if len(case.truths) > 1], ids=lambda case: case.name)
def test_no_volume_of_a_case_passes_for_another(case):
    for one in case.truths:
        same = [picture(one.value, one.grid, str(one.grid.space))] * len(case.truths)
        required = [truth for truth in case.truths if truth is not one and not truth.is_optional]
        assert judge(case, Answer(same)).outcome.is_right is not bool(required)


def test_a_case_is_written_alike_twice(tmp_path):
    case = next(case for case in cases() if case.name == "Enhanced CT, frames shuffled")
    one, two = (write(case, tmp_path / name) / "many.dcm" for name in "ab")
    assert one.read_bytes() == two.read_bytes()


# --- the judge -------------------------------------------------------------------------------------------------------


def test_a_volume_in_any_order_of_its_axes_is_right():
    for order in ((2, 1, 0), (1, 0, 2)):
        grid = AXIAL.permute(order)
        assert outcome(READ, picture(grid=grid)) is Outcome.RIGHT
    assert outcome(READ, picture(grid=AXIAL.flip(0, 2))) is Outcome.RIGHT


def test_exchanged_spacings_are_wrong():
    affine = AXIAL.affine.copy()
    affine[:3, 1:3] = affine[:3, 1:3] / np.linalg.norm(affine[:3, 1:3], axis=0) * (1.5, 1.25)
    assert outcome(READ, replace(picture(), affine=affine)) is Outcome.SILENTLY_WRONG


def test_a_warning_makes_what_is_wrong_loud_and_what_is_right_no_less_right():
    wrong = picture(OTHER)
    assert outcome(READ, wrong) is Outcome.SILENTLY_WRONG
    assert outcome(READ, wrong, warnings=["careful"]) is Outcome.WRONG_LOUDLY
    assert outcome(READ, picture(), warnings=["careful"]) is Outcome.RIGHT_WITH_WARNING
    assert outcome(READ, picture(), warnings=["careful"]).is_right


def test_a_missing_volume_is_wrong_unless_it_is_said():
    assert outcome(TWO, picture(), picture(OTHER)) is Outcome.RIGHT
    assert outcome(TWO, picture()) is Outcome.SILENTLY_WRONG
    assert outcome(TWO, picture(), refusals=[Refusal("the other is damaged")]) is Outcome.REFUSED


def test_a_volume_too_many_is_wrong():
    assert outcome(READ, picture(), picture(OTHER)) is Outcome.SILENTLY_WRONG


def test_an_optional_volume_may_be_left_out_but_not_be_wrong():
    case = replace(TWO, truths=(TWO.truths[0], replace(TWO.truths[1], is_optional=True)))
    assert outcome(case, picture()) is Outcome.RIGHT
    assert outcome(case, picture(), picture(Ramp(1.0))) is Outcome.SILENTLY_WRONG


def test_slices_left_out_are_wrong():
    short = AXIAL.crop((0, 0, 0), (5, 8, 10))
    assert outcome(READ, picture(grid=short)) is Outcome.SILENTLY_WRONG


def test_refusing_is_right_only_where_it_may_be_and_for_the_right_reason():
    gap, other = [Refusal("gap", "SLICE_GAP")], [Refusal("damaged", "PIXELS_MISSING")]
    assert outcome(READ, refusals=gap) is Outcome.REFUSED
    assert outcome(REFUSE, refusals=gap) is Outcome.RIGHT
    assert outcome(EITHER, refusals=gap) is Outcome.RIGHT
    assert outcome(EITHER, picture()) is Outcome.RIGHT
    assert outcome(REFUSE, refusals=other) is Outcome.REFUSED
    assert outcome(REFUSE, refusals=[Refusal("a reader without codes")]) is Outcome.RIGHT
    assert outcome(REFUSE, picture()) is Outcome.SILENTLY_WRONG
    assert outcome(READ) is Outcome.REFUSED


def test_a_crash_is_a_crash():
    assert outcome(REFUSE, crash="SIGSEGV") is Outcome.CRASHED


def test_a_tilted_stack_may_be_straightened_but_not_passed_off_as_straight():
    grid = sheared(AXIAL, 15)
    case = replace(READ, truths=(Truth(VALUE, grid, may_be_resampled=True),))
    around = Grid.from_vectors(
        (6, 14, 10), spacing_mm=(2.5, 1.25, 1.5), origin_mm=grid.origin_mm - np.array((0, 2.5, 0))
    )
    assert outcome(case, picture(grid=around)) is Outcome.RIGHT
    assert outcome(case, picture(grid=grid)) is Outcome.RIGHT
    straight = replace(picture(grid=grid), affine=AXIAL.affine)
    assert outcome(case, straight) is Outcome.SILENTLY_WRONG
    cut = picture(grid=around.crop((0, 0, 0), (6, 9, 10)))
    assert outcome(case, cut) is Outcome.SILENTLY_WRONG
    assert outcome(replace(case, truths=(Truth(VALUE, grid),)), picture(grid=around)) is Outcome.SILENTLY_WRONG


def test_a_further_axis_is_taken_apart():
    both = np.stack([picture().array, picture(OTHER).array], axis=-1)
    assert outcome(TWO, Picture(both, AXIAL.affine)) is Outcome.RIGHT


def test_an_affine_that_is_none_is_wrong():
    assert outcome(READ, Picture(picture().array)) is Outcome.SILENTLY_WRONG
    assert outcome(READ, replace(picture(), affine=np.zeros((4, 4)))) is Outcome.SILENTLY_WRONG


def test_a_place_made_up_for_a_picture_is_wrong_of_readers_that_know_better():
    case = replace(READ, truths=(Truth(VALUE, plane((0.2, 0.15))),))
    grid = case.truths[0].grid
    assert outcome(case, picture(grid=grid, space="plane")) is Outcome.RIGHT
    assert outcome(case, picture(grid=grid, space="")) is Outcome.RIGHT
    assert outcome(case, picture(grid=grid, space="patient")) is Outcome.SILENTLY_WRONG
    assert outcome(case, replace(picture(grid=grid, space=""), affine=np.eye(4))) is Outcome.SILENTLY_WRONG


def test_colour_is_judged_in_all_three_samples():
    case = replace(READ, truths=(Truth(coloured, PIXELS),))
    right = picture(coloured, PIXELS, "pixel")
    assert outcome(case, right) is Outcome.RIGHT
    assert outcome(case, replace(right, array=right.array[..., ::-1])) is Outcome.SILENTLY_WRONG
    assert outcome(case, replace(right, array=right.array[..., 0])) is Outcome.SILENTLY_WRONG


# --- other readers --------------------------------------------------------------------------------------------------


@pytest.fixture
def bench(request):
    """The script that runs the suite against readers in child processes."""
    path = request.config.rootpath / "bench" / "conformance.py"
    spec = importlib.util.spec_from_file_location("conformance_bench", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def written(tmp_path):
    names = ("axial", "oblique", "one slice missing", "coronal")
    chosen = [case for name in names for case in cases() if case.name == name]
    return [(case, write(case, tmp_path / case.name)) for case in chosen]


def test_a_reader_is_run_in_a_child_process(bench, written):
    versions, verdicts = bench.run("Isocenter", sys.executable, written)
    assert list(versions) == ["isocenter"]
    assert [verdict.outcome for verdict in verdicts.values()] == [Outcome.RIGHT] * 4


def test_a_reader_that_dies_hangs_or_errs_is_counted_and_started_anew(bench, written, tmp_path, monkeypatch):
    (tmp_path / "with_death.py").write_text(
        """
import os, time
from isocenter.testing.conformance import Answer

VERSIONS = {"death": "1"}

def read(folder):
    if folder.name == "oblique":
        os.abort()
    if folder.name == "one slice missing":
        time.sleep(60)
    if folder.name == "coronal":
        print("Warning: nothing is read")
        raise IndexError("list index out of range")
    raise ValueError("not for me")
""",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setitem(bench.READERS, "death", "with_death")
    monkeypatch.setattr(bench, "LIMIT_S", 3.0)
    _, verdicts = bench.run("death", sys.executable, written)
    assert [verdict.outcome for verdict in verdicts.values()] == [Outcome.REFUSED, *[Outcome.CRASHED] * 3]
    assert [verdict.detail for verdict in verdicts.values()][1:] == [
        "SIGABRT",
        "no answer within 3 s",
        "IndexError: list index out of range",
    ]


def test_a_reader_that_is_not_installed_is_left_out(bench, written, monkeypatch):
    monkeypatch.setitem(bench.READERS, "absent", "with_nothing")
    assert bench.run("absent", sys.executable, written) is None


def test_the_page_holds_every_case_and_reader(bench):
    verdicts = {case.name: judge(case, Answer(crash="it died")) for case in cases()}
    page = bench.page({"some reader": ({"some": "1.2"}, verdicts)})
    assert f"| some reader | 0 | 0 | 0 | 0 | {len(cases())} |" in page
    for case in cases():
        assert f"| {case.name} |" in page
