"""Laws of data sets and plans: a split knows no order, a lock no name, a file of a plan no loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from isocenter.datasets import Case, Dataset, content_digest, folds, split
from isocenter.geometry import Grid
from isocenter.nets.networks.stages import stages
from isocenter.nets.plan import Network, Normalisation, Plan
from isocenter.ops.resample import to_orientation
from isocenter.volume import Volume

from .strategies import orientations, spacings, volumes

names = st.lists(st.text(min_size=1, max_size=8), min_size=2, max_size=20, unique=True)


def of_names(found: list[str], patients: list[str] | None = None) -> Dataset:
    cases = [
        Case(name, (Path("x"),), attributes={"patient": patients[n]} if patients else {})
        for n, name in enumerate(found)
    ]
    return Dataset("d", tuple(cases), ("CT",))


def ids(dataset: Dataset) -> set[str]:
    return {case.id for case in dataset.cases}


@given(names, st.data())
def test_a_split_is_whole_disjoint_and_knows_no_order(found: list[str], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(found) - 1))
    one = split(of_names(found), count)
    other = split(of_names(data.draw(st.permutations(found))), count)
    assert ids(one.held_out) == ids(other.held_out)
    assert len(one.held_out.cases) == count
    assert not ids(one.held_out) & ids(one.train)
    assert ids(one.held_out) | ids(one.train) == set(found)


@given(names, st.text(min_size=9, max_size=9), st.data())
def test_a_further_case_moves_one_at_most(found: list[str], further: str, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(found) - 1))
    before, after = (ids(split(of_names(cases), count).held_out) for cases in (found, [*found, further]))
    assert len(before - after) <= 1
    assert after - before <= {further}


@given(names, st.data())
def test_folds_hold_each_case_out_once_and_keep_patients_whole(found: list[str], data: st.DataObject) -> None:
    patients = data.draw(st.lists(st.sampled_from("abcdefgh"), min_size=len(found), max_size=len(found)))
    if len(set(patients)) < 2:
        return
    dataset = of_names(found, patients)
    made = folds(dataset, data.draw(st.integers(2, len(set(patients)))))
    held = [case.id for fold in made for case in fold.held_out.cases]
    assert sorted(held) == sorted(found)
    for fold in made:
        assert fold.held_out.cases
        assert not {case.attributes["patient"] for case in fold.train.cases} & {
            case.attributes["patient"] for case in fold.held_out.cases
        }


@given(volumes(), orientations)
def test_a_digest_knows_neither_orientation_nor_number_type_nor_place(volume: Volume, orientation: str) -> None:
    turned = to_orientation(volume, orientation)
    assert content_digest([volume]) == content_digest([turned])
    assert content_digest([volume]) == content_digest([volume.with_array(volume.array.astype("f8"))])
    affine = volume.grid.affine.copy()
    affine[:3, 3] += 5
    moved = Grid(volume.grid.shape, affine)
    assert content_digest([volume]) == content_digest([Volume(volume.array, moved)])


@given(volumes(), st.data())
def test_one_other_value_is_another_digest(volume: Volume, data: st.DataObject) -> None:
    place = tuple(data.draw(st.integers(0, n - 1)) for n in volume.shape)
    array = volume.array.copy()
    array[place] = 1 if array[place] == 0 else 0
    assert content_digest([volume]) != content_digest([volume.with_array(array)])


plain = st.one_of(st.integers(-5, 5), st.booleans(), st.text(max_size=4), st.floats(-1e3, 1e3))
options = st.dictionaries(
    st.text(max_size=5),
    st.recursive(plain, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6),
    max_size=4,
)
words = st.text(min_size=1, max_size=6)


@st.composite
def plans(draw: st.DrawFn, *, deep: bool = True) -> Plan:
    """Plans of any kind, with and without a coarse one."""
    channels = tuple(draw(st.lists(words, min_size=1, max_size=3)))
    numbers = st.floats(-1e4, 1e4)
    scale = st.builds(
        Normalisation,
        st.sampled_from(["none", "zscore", "ct", "percentile", "range"]),
        numbers,
        numbers,
        numbers,
        numbers,
    )
    further: dict[str, Any] = {"coarse": draw(st.one_of(st.none(), plans(deep=False)))} if deep else {}
    return Plan(
        draw(st.sampled_from(["segmentation", "classification", "denoising"])),
        channels,
        tuple(draw(st.lists(words, max_size=4, unique=True))),
        Network(draw(words), draw(options)),
        draw(st.tuples(*[st.integers(1, 200)] * 3)),
        draw(st.integers(1, 8)),
        spacing_mm=draw(st.one_of(st.none(), spacings)),
        orientation=draw(orientations),
        normalisation=tuple(draw(scale) for _ in channels),
        mirror_axes=tuple(draw(st.lists(st.integers(0, 2), unique=True))),
        why=draw(st.dictionaries(words, words, max_size=3)),
        **further,
    )


@given(plans())
def test_a_plan_comes_back_from_json_equal(plan: Plan) -> None:
    back = Plan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert back == plan
    assert back.sha256 == plan.sha256


@given(st.tuples(*[st.integers(1, 200)] * 3), spacings, st.integers(1, 6))
def test_stages_leave_every_axis_long_enough(patch: tuple[int, int, int], spacing: Any, most: int) -> None:
    found = stages(patch, spacing, most=most)
    assert 1 <= len(found.strides) == len(found.kernels) <= most
    for size, multiple in zip(patch, found.multiple, strict=True):
        assert multiple == 1 or -(-size // multiple) >= 4
