"""Plans follow from what a data set is like; each decision has its sentence, and what cannot fit is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isocenter import codes, formats
from isocenter.datasets import Case, Dataset, open_dataset
from isocenter.errors import InputError, Refused, UsageError
from isocenter.nets.networks import build
from isocenter.nets.networks.cost import cost
from isocenter.nets.plan import Network, Plan, load_plan, save_plan
from isocenter.nets.planning.decisions import facts_in_short, largest_only_of, lattice_of, mirror_axes_of
from isocenter.nets.planning.fingerprint import CaseFacts, Fingerprint, Intensity, Structure, fingerprint
from isocenter.nets.planning.planner import plan_for
from isocenter.testing.labelled import labelled_case, write_labelled
from isocenter.volume import Volume

CT = (CaseFacts((300, 512, 512), (1.5, 0.8, 0.8), "IPL", "CT", "int16", 1, {}),)
PROSTATE = (CaseFacts((20, 320, 320), (3.6, 0.6, 0.6), "IPL", "MR", "int16", 1, {}),)
SAGITTAL = (CaseFacts((320, 320, 20), (0.6, 0.6, 3.6), "LIP", "MR", "int16", 1, {}),)
PICTURES = (CaseFacts((1, 64, 64), None, "LPS", "", "uint8", 1, {}),)
SOME = Intensity(-100, 50, 200, 40, 30, 1000)


def seen(
    facts: Sequence[CaseFacts],
    labels: Sequence[str] = ("prostate",),
    *,
    count: int = 20,
    categories: Sequence[str] = (),
) -> Fingerprint:
    cases = tuple(
        Case(f"c{n}", (Path("x"),), category=categories[n % len(categories)] if categories else "")
        for n in range(count)
    )
    channel = "CT" if facts[0].modality == "CT" else "image"
    listed = {name: value for value, name in enumerate(labels, 1)}
    dataset = Dataset("d", cases, (channel,), listed, tuple(categories))
    return Fingerprint(dataset, {f"c{n}": facts[n % len(facts)] for n in range(count)}, (SOME,))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Fingerprint:
    return fingerprint(open_dataset(write_labelled(tmp_path_factory.mktemp("labelled") / "set", 12)))


# --- the fingerprint -------------------------------------------------------------------------------------------------


def test_the_fingerprint_measures_what_is_there(labelled: Fingerprint) -> None:
    image, labels = labelled_case(3)
    facts = labelled.cases["case_003"]
    assert (facts.shape, facts.spacing_mm) == (image.shape, pytest.approx((1.5, 1, 1)))
    organ = facts.structures["organ"]
    assert organ.voxels == labels.mask("organ").sum()
    assert organ.volume_ml == pytest.approx(labels.volume_ml("organ"))
    assert (facts.structures["lesion"].pieces, facts.structures["lesion"].largest_share) == (1, 1.0)
    assert labelled.intensities[0].median == pytest.approx(150, abs=3)  # of the labelled voxels: most are organ
    assert labelled.to_dict()["labels"]["lesion"]["cases"] == 12
    assert facts_in_short(labelled)["cases"] == "12"


def test_the_sample_of_values_is_bounded_and_even(tmp_path: Path) -> None:
    dataset = open_dataset(write_labelled(tmp_path / "set", 2))
    whole = [labelled_case(seed) for seed in range(2)]
    values = np.concatenate([image.array[labels.array > 0] for image, labels in whole])
    found = fingerprint(dataset).intensities[0]
    assert found.values == len(values)  # a small set is taken whole
    assert found.mean == pytest.approx(values.mean(), rel=1e-6)
    assert (found.low, found.high) == pytest.approx(np.percentile(values, (0.5, 99.5)), rel=1e-5)


def test_no_usable_case_is_refused_with_the_reasons_of_all(tmp_path: Path) -> None:
    folder = write_labelled(tmp_path / "set", 2)
    for path in (folder / "imagesTr").iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(Refused, match=r"case_000.*case_001"):
        fingerprint(open_dataset(folder))


# --- the grid --------------------------------------------------------------------------------------------------------


def test_label_files_that_are_all_empty_are_told(tmp_path: Path) -> None:
    image, _ = labelled_case(0)
    for room, array in (("images", image.array), ("labels", np.zeros(image.grid.shape, np.uint8))):
        (tmp_path / room).mkdir()
        for number in range(2):
            formats.save(Volume(array, image.grid, codes.ONE), tmp_path / room / f"c{number}.nii.gz")
    with pytest.raises(UsageError, match="neither labels nor categories"):
        plan_for(fingerprint(open_dataset(tmp_path)))


def test_the_spacing_is_the_median(labelled: Fingerprint) -> None:
    lattice = lattice_of(labelled)
    assert (lattice.orientation, lattice.spacing_mm) == ("IPL", pytest.approx((1.5, 1, 1)))
    assert lattice.median == tuple(np.round(np.median(labelled.shapes, axis=0)))


def test_along_thick_slices_that_vary_the_tenth_percentile_is_taken() -> None:
    facts = [replace(PROSTATE[0], spacing_mm=(thick, 0.6, 0.6)) for thick in (3, 4, 5, 6, 8)]
    lattice = lattice_of(seen(facts))
    assert lattice.spacing_mm == pytest.approx((3.0, 0.6, 0.6))  # nnU-Net's rule, by hand
    assert "10th percentile" in lattice.why_spacing


def test_slices_run_along_the_coarsest_axis() -> None:
    lattice = lattice_of(seen(SAGITTAL))
    assert (lattice.orientation, lattice.spacing_mm, lattice.median) == ("LIP", (3.6, 0.6, 0.6), (20, 320, 320))


def test_cases_of_two_kinds_are_refused() -> None:
    with pytest.raises(Refused, match="CASES_UNLIKE"):
        plan_for(seen((CT[0], PICTURES[0])))
    with pytest.raises(Refused, match="CASES_UNLIKE"):
        plan_for(seen((PICTURES[0], replace(PICTURES[0], samples=3)), (), categories=("a", "b")))


# --- plans -----------------------------------------------------------------------------------------------------------


def test_small_images_are_seen_whole_on_a_cpu(labelled: Fingerprint) -> None:
    plan = plan_for(labelled)
    assert (plan.task, plan.labels, plan.channels) == ("segmentation", ("organ", "lesion"), ("MR",))
    whole = lattice_of(labelled).median
    assert all(whole[n] <= plan.patch[n] < whole[n] + 8 for n in range(3))
    assert plan.network.options["features"][:2] == (16, 32)
    assert plan.batch == 3  # a quarter of the cases
    assert plan.normalisation[0].scale == "zscore"
    assert plan.largest_only == ("organ", "lesion")
    assert set(plan.why) >= {"patch", "batch", "network", "spacing_mm", "normalisation", "mirror_axes", "largest_only"}
    assert sum(one.numel() for one in build(plan).parameters()) > 100_000


def test_a_plan_fits_into_its_memory() -> None:
    plan = plan_for(seen(CT, ("tumor",)), memory_bytes=1 << 30)
    assert cost(plan).training_bytes < 0.7 * (1 << 30)
    assert plan.normalisation[0].scale == "ct"
    assert (plan.normalisation[0].low, plan.normalisation[0].high) == (-100, 200)
    assert plan.coarse is not None
    assert min(plan.coarse.spacing_mm) > 2 * max(plan.spacing_mm)
    assert cost(plan.coarse).training_bytes < 0.7 * (1 << 30)


def test_more_memory_gives_a_larger_patch() -> None:
    patches = [plan_for(seen(PROSTATE), memory_bytes=n << 20).patch for n in (200, 800)]
    assert np.prod(patches[0]) < np.prod(patches[1])


def test_thick_slices_give_flat_kernels() -> None:
    plan = plan_for(seen(PROSTATE), device="cuda", memory_bytes=24 << 30)
    assert plan.network.options["kernels"][0] == (1, 3, 3)
    assert plan.network.options["strides"][1] == (1, 2, 2)
    assert plan.patch[0] <= 20 < plan.patch[1]


def test_few_slices_are_seen_one_at_a_time() -> None:
    plan = plan_for(seen([replace(PROSTATE[0], shape=(5, 200, 200))]))
    assert (plan.patch[0], plan.dimensions) == (1, 2)
    assert all(len(one) == 2 for one in plan.network.options["strides"])
    assert plan.mirror_axes == (2,)
    across = plan_for(seen([replace(SAGITTAL[0], shape=(200, 200, 5))]))
    assert (across.orientation, across.patch[0], across.mirror_axes) == ("LIP", 1, ())


def test_what_cannot_fit_is_refused_in_plain_words() -> None:
    with pytest.raises(Refused, match=r"PLAN_TOO_LARGE.*MiB to learn from") as error:
        plan_for(seen(CT), memory_bytes=1 << 20)
    assert "1 MiB were stated" in str(error.value)


@pytest.mark.parametrize(
    ("labels", "axes"),
    [
        (("prostate", "tumor"), (2,)),
        (("kidney_left", "kidney_right"), ()),
        (("lh_hippocampus",), ()),
        (("Right ear",), ()),
        (("liver", "tumor"), ()),
        (("label_1", "label_2"), ()),
    ],
)
def test_left_and_right_are_mirrored_only_where_no_label_is_sided(
    labels: tuple[str, ...], axes: tuple[int, ...]
) -> None:
    plan = Plan("segmentation", ("MR",), labels, Network("unet"), (8, 8, 8), spacing_mm=(1, 1, 1))
    found, why = mirror_axes_of(plan)
    assert found == axes
    assert why
    assert mirror_axes_of(replace(plan, orientation="LIP"))[0] == ((0,) if axes else ())
    assert mirror_axes_of(replace(plan, spacing_mm=None))[0] == ()


def test_one_piece_is_kept_only_where_every_case_has_one() -> None:
    def with_share(*shares: float) -> Fingerprint:
        facts = [replace(CT[0], structures={"a": Structure(100, 1.0, 2, share)}) for share in shares]
        return seen(facts, ("a",), count=max(10, len(shares)))

    assert largest_only_of(with_share(1.0, 0.995))[0] == ("a",)
    assert largest_only_of(with_share(1.0, 1.0, 0.8))[0] == ()
    assert largest_only_of(replace(with_share(1.0), cases=dict(list(with_share(1.0).cases.items())[:9])))[0] == ()


def test_pictures_are_told_apart_as_they_are_and_larger_ones_stretched() -> None:
    plan = plan_for(seen(PICTURES, (), categories=("a", "b")))
    assert (plan.task, plan.patch, plan.shape, plan.labels) == ("classification", (1, 64, 64), None, ("a", "b"))
    assert (plan.normalisation[0].scale, plan.normalisation[0].high, plan.orientation) == ("range", 255.0, "LPS")
    large = plan_for(seen([replace(PICTURES[0], shape=(1, 600, 800), samples=3)], (), categories=("a", "b")))
    assert (large.shape, large.channels, large.inputs) == ((1, 168, 224), ("red", "green", "blue"), 3)
    assert len(large.normalisation) == 3


def test_volumes_are_told_apart_at_a_spacing_at_which_they_are_seen_whole() -> None:
    plan = plan_for(seen(CT, (), categories=("a", "b")))
    assert plan.patch == (64, 64, 64)
    assert plan.spacing_mm == pytest.approx((7.03125, 6.4, 6.4))


@pytest.mark.parametrize("task", ["denoising", "super_resolution"])
def test_images_are_given_back_on_their_own_voxels(task: str) -> None:
    plan = plan_for(seen(CT, ()), task=task)
    assert (plan.task, plan.spacing_mm, plan.labels) == (task, None, ())
    assert plan.normalisation[0].scale == "zscore"  # nothing is cut
    assert build(plan) is not None


def test_a_task_that_the_set_cannot_teach_is_told() -> None:
    with pytest.raises(UsageError, match="neither labels nor categories"):
        plan_for(seen(CT, ()))
    with pytest.raises(UsageError, match="no labels"):
        plan_for(seen(CT, ()), task="segmentation")
    with pytest.raises(UsageError, match="two are needed"):
        plan_for(seen(PICTURES, (), categories=("a",)))
    with pytest.raises(UsageError, match="Plans are made for"):
        plan_for(seen(CT), task="registration")
    with pytest.raises(UsageError, match="The device is one of"):
        plan_for(seen(CT), device="tpu")
    with pytest.raises(UsageError, match="number of bytes"):
        plan_for(seen(CT), memory_bytes=-1)


# --- as a file -------------------------------------------------------------------------------------------------------


def test_a_plan_comes_back_from_its_file_equal(tmp_path: Path) -> None:
    plan = plan_for(seen(CT, ("tumor",)), memory_bytes=300 << 20)
    save_plan(plan, tmp_path / "plan.json")
    back = load_plan(tmp_path / "plan.json")
    assert back == plan
    assert back.sha256 == plan.sha256
    assert back.coarse == plan.coarse


def test_a_file_that_is_no_plan_is_told(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    with pytest.raises(UsageError, match="There is no plan"):
        load_plan(path)
    for text in ("{", "[]", "{}", json.dumps({"task": "segmentation", "colour": 1})):
        path.write_text(text)
        with pytest.raises(InputError):
            load_plan(path)


def test_a_detector_begins_where_its_outputs_lie() -> None:
    plan = plan_for(seen(PROSTATE, ("lesion",)), task="detection")
    assert plan.network.name == "heatmap"
    assert plan.output_channels == 1 + 2 * 3
    assert plan.network.options["stride"] == (1, 2, 2)
    assert not plan.largest_only
    assert plan.coarse is None
    network = build(plan)
    assert all(n % m == 0 for n, m in zip(plan.patch, network.multiple, strict=True))
