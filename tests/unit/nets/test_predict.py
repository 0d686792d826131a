"""From a model and images to findings on the images' own grid."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from isocenter import codes
from isocenter.errors import InputError, Refused, UsageError
from isocenter.geometry import Grid, Space
from isocenter.nets.certainty.checks import domain_of, merged, modalities_of
from isocenter.nets.detecting import detections
from isocenter.nets.models.model import Model, save_model
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Normalisation, Plan
from isocenter.nets.pool import Pool
from isocenter.nets.predict import Inference, classified, predict, restored, segmentation_of, segmented, shares_of
from isocenter.nets.prepare import prepared
from isocenter.nets.structures import segments_of
from isocenter.nets.windows.mirrored import Mirrored, flips_of
from isocenter.ops.resample import onto
from isocenter.volume import Source, Volume

NET = Network("residual_unet", {"features": [4, 8], "blocks": [1, 1]})
RANGE = (Normalisation("range", 0, 100),)


def plan_of(**changes):
    facts = {
        "task": "segmentation",
        "channels": ("MR",),
        "labels": ("liver", "dot"),
        "network": NET,
        "patch": (16, 16, 16),
        "spacing_mm": (2.0, 2.0, 2.0),
        "normalisation": RANGE,
    }
    return Plan(**(facts | changes))


def model_of(folder, **changes):
    plan = plan_of(**changes)
    torch.manual_seed(1)
    return save_model(
        Model("small", "1.2", plan, folder / "small", {}, licence="CC-BY-4.0"), [build(plan).state_dict()]
    )


def image(shape=(20, 24, 28), spacing_mm=(3.0, 1.5, 1.5), modality="MR"):
    """A ball of 100 in the lower left front on noise around 0, oblique and flipped."""
    turn = np.array([[0.0, 0.995, -0.0998], [0.0, 0.0998, 0.995], [-1.0, 0.0, 0.0]])
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing_mm
    grid = Grid(shape, affine)
    k, r, c = np.indices(shape)
    far = np.sqrt((3 * (k - 6)) ** 2 + (1.5 * (r - 14)) ** 2 + (1.5 * (c - 9)) ** 2)
    array = np.where(far < 9, 100, np.random.default_rng(0).integers(0, 20, shape)).astype(np.int16)
    sources = tuple(Source(f"1.2.{n}") for n in range(shape[0]))
    return Volume(array, grid, codes.ONE, modality=modality, sources=sources)


class Above:
    """A network that calls the first label what lies above a half."""

    name, device, head = "above", "cpu", None

    def __call__(self, batch):
        first = batch[:, :1] - 0.5
        return np.concatenate([np.zeros_like(first), first, np.full_like(first, -9)], axis=1)


def test_what_is_found_lies_on_the_images_grid_where_it_is():
    volume, plan = image(), plan_of()
    found = segmentation_of(prepared([volume], plan), plan, Above())
    assert found.grid == volume.grid
    assert found.sources == volume.sources
    assert found.names == ("liver", "dot")
    truth = volume.array > 50
    assert 2 * (found.mask("liver") & truth).sum() / (found.mask("liver").sum() + truth.sum()) > 0.93
    assert {reason.code for reason in found.reasons} == {"STRUCTURES_ABSENT"}


def test_on_the_plans_own_grid_labels_are_exact():
    volume, plan = image(), plan_of(spacing_mm=None, orientation=image().grid.orientation)
    found = segmentation_of(prepared([volume], plan), plan, Above())
    assert np.array_equal(found.mask("liver"), volume.array > 50)


def test_a_turned_image_gives_turned_labels():
    volume, plan = image(), plan_of(spacing_mm=None)
    found = segmentation_of(prepared([volume], plan), plan, Above())
    assert np.array_equal(found.mask("liver"), volume.array > 50)


def test_only_the_largest_piece_is_kept_where_the_plan_says_so():
    array = image().array.copy()
    array[17, 3:5, 20:22] = 100
    volume, plan = image().with_array(array), plan_of(spacing_mm=None, largest_only=("liver",))
    found = segmentation_of(prepared([volume], plan), plan, Above())
    assert np.array_equal(found.mask("liver"), image().array > 50)


def test_a_structure_at_the_border_is_told():
    array = image().array.copy()
    array[:, :, 0] = 100
    volume, plan = image().with_array(array), plan_of(spacing_mm=None)
    found = segmentation_of(prepared([volume], plan), plan, Above())
    said = {reason.code: reason.message for reason in found.reasons}
    assert "Liver" in said["SEGMENT_AT_BORDER"]


def test_an_empty_result_is_told():
    volume, plan = image().with_array(image().array // 10), plan_of(spacing_mm=None)
    found = segmentation_of(prepared([volume], plan), plan, Above())
    assert {reason.code for reason in found.reasons} == {"NETWORK_FOUND_NOTHING"}


def test_a_single_slice_does_not_touch_its_faces():
    array = np.zeros((1, 16, 16), np.int16)
    array[0, 5:9, 5:9] = 100
    volume, plan = Volume(array, Grid(array.shape, np.eye(4)), modality="MR"), plan_of(spacing_mm=None, patch=(1, 8, 8))
    found = segmentation_of(prepared([volume], plan), plan, Above())
    assert np.array_equal(found.mask("liver"), array > 50)
    assert "SEGMENT_AT_BORDER" not in {reason.code for reason in found.reasons}


def test_the_finding_names_the_model_its_digest_and_licence(tmp_path):
    model = model_of(tmp_path)
    found = segmented(model, image(), pool=Pool())
    settings = dict(found.algorithm.settings)
    assert (found.algorithm.name, found.algorithm.version) == ("small", "1.2")
    assert found.algorithm.family == codes.ARTIFICIAL_INTELLIGENCE
    assert settings["model_sha256"] == model.sha256
    assert settings["licence"] == "CC-BY-4.0"
    assert found.grid == image().grid


def test_equal_runs_give_equal_labels(tmp_path):
    model = model_of(tmp_path)
    first, second = (predict(model, image(), pool=Pool()) for _ in range(2))
    assert np.array_equal(first.array, second.array)


def test_bfloat16_and_batches_give_nearly_the_same(tmp_path):
    model = model_of(tmp_path)
    first = segmented(model, image(), pool=Pool())
    second = segmented(model, image(), how=Inference(precision="bfloat16", batch=4), pool=Pool())
    assert np.mean(first.array == second.array) > 0.97


def test_mirror_images_are_averaged_only_where_the_plan_allows(tmp_path):
    model = model_of(tmp_path, mirror_axes=(2,))
    plain, both = (segmented(model, image(), how=Inference(mirror=way), pool=Pool()) for way in ("none", "plan"))
    assert (plain.array != both.array).any()
    none = model_of(tmp_path)
    assert np.array_equal(segmented(none, image(), how=Inference(mirror="plan"), pool=Pool()).array, plain.array)


@pytest.mark.parametrize("doubt", ["none", "agreement"])
def test_labels_of_two_sides_are_not_mirrored_from_left_to_right(tmp_path, doubt):
    how = Inference(mirror="plan", doubt=doubt)
    for name, axes in (("across", (2,)), ("along", (0,))):
        model = model_of(tmp_path / name, labels=("left_kidney", "Kidney R"), mirror_axes=axes)
        if name == "along":
            segmented(model, image(), how=how, pool=Pool())
            continue
        with pytest.raises(Refused, match=r"axis 2, from left to right, .*left kidney, kidney r") as caught:
            segmented(model, image(), how=how, pool=Pool())
        assert caught.value.reasons[0].code == "SIDES_MIRRORED"
        segmented(model, image(), how=Inference(doubt=doubt), pool=Pool())


def test_mirroring_gives_a_mirrored_answer_for_a_mirrored_image(tmp_path):
    plan = plan_of(mirror_axes=(1, 2))
    torch.manual_seed(0)
    net = build(plan).eval()

    class Run:
        name, device, head = "torch", "cpu", None

        def __call__(self, batch):
            with torch.inference_mode():
                return net(torch.from_numpy(batch)).numpy()

    flips = flips_of(plan.mirror_axes, 3)
    run, batch = Mirrored(Run(), flips), np.random.default_rng(0).normal(size=(2, 1, 16, 16, 16))
    batch = batch.astype(np.float32)
    assert len(flips) == 4
    for axes in ((3,), (4,), (3, 4)):
        turned = np.ascontiguousarray(np.flip(batch, axes))
        assert np.allclose(np.flip(run(turned), axes), run(batch), atol=1e-5)


def test_categories_come_with_probabilities_the_likeliest_first(tmp_path):
    plan = plan_of(task="classification", labels=("a", "b", "c"))

    class Rise:
        name, device, head = "rise", "cpu", None

        def __call__(self, batch):
            assert batch.shape == (1, 1, 16, 16, 16)
            return np.log([[0.2, 0.7, 0.1]]).astype(np.float32)

    class Ready(Pool):
        def opened(self, model, how):
            return Rise()

    model = Model("m", "1", plan, tmp_path, {})
    found = classified(model, image(), pool=Ready())
    assert [label.name for label in found] == ["b", "a", "c"]
    assert np.allclose([label.probability for label in found], [0.7, 0.2, 0.1])
    assert predict(model, image(), pool=Ready()) == found


def test_an_image_that_is_made_has_the_values_and_place_of_the_first(tmp_path):
    class Same:
        name, device, head = "same", "cpu", None

        def __call__(self, batch):
            return batch[:, :1]

    class Ready(Pool):
        def opened(self, model, how):
            return Same()

    for scale in (Normalisation("zscore"), Normalisation("range", -5, 120), Normalisation("none")):
        plan = plan_of(task="denoising", labels=(), outputs=1, spacing_mm=None, normalisation=(scale,))
        made = restored(Model("m", "1", plan, tmp_path, {}), image(), pool=Ready())
        assert made.array.dtype == np.float32
        assert made.grid == image().grid
        assert np.abs(made.array - image().array).max() < 1e-3
        assert made.unit == image().unit


@pytest.mark.parametrize(("scale", "patch", "most"), [(2, 32, 1e-3), ((1, 2, 3), 32, 1e-3), (2, 16, 1)])
def test_a_network_of_more_voxels_gives_an_image_of_the_same_extent(tmp_path, scale, patch, most):
    network = Network("super_resolution", {"scale": scale, "features": 4, "blocks": 1})
    changes = {"task": "super_resolution", "labels": (), "outputs": 1, "spacing_mm": None, "orientation": "IPL"}
    changes |= {"network": network, "patch": (patch,) * 3, "normalisation": (Normalisation("none"),)}
    model = model_of(tmp_path, **changes)
    volume = image()
    made = predict(model, volume, pool=Pool())  # untaught, it interpolates linearly
    assert sorted(np.divide(made.grid.shape, volume.grid.shape)) == sorted((2, 2, 2) if scale == 2 else scale)
    assert made.grid.coincides(volume.grid.with_shape(made.grid.shape))
    inside = tuple(slice(4, -4) for _ in range(3))
    plain = onto(volume.with_array(volume.array.astype(np.float32)), made.grid)  # whole numbers would be rounded
    assert np.abs(made.array - plain.array)[inside].max() < most


def test_a_network_of_more_voxels_sees_slices_too(tmp_path):
    network = Network("super_resolution", {"features": 4, "blocks": 1})
    changes = {"task": "super_resolution", "labels": (), "outputs": 1, "spacing_mm": None, "patch": (1, 16, 16)}
    made = predict(model_of(tmp_path, network=network, **changes), image(), pool=Pool())
    assert sorted(made.grid.shape) == [20, 48, 56]
    assert np.allclose(made.grid.extent_mm, image().grid.extent_mm)


def test_images_that_a_model_does_not_take_are_refused(tmp_path):
    model = model_of(tmp_path)
    with pytest.raises(Refused, match="WRONG_MODALITY"):
        segmented(model, image(modality="CT"), pool=Pool())
    with pytest.raises(UsageError, match="1 images"):
        segmented(model, [image(), image()], pool=Pool())
    with pytest.raises(UsageError, match="not for classification"):
        classified(model, image(), pool=Pool())
    with pytest.raises(UsageError):
        segmented(model, image().array, pool=Pool())
    ct = model_of(tmp_path, channels=("CT",), normalisation=(Normalisation("ct", -100, 200, 20, 60),))
    with pytest.raises(Refused, match="WRONG_MODALITY"):
        segmented(ct, image(modality=""), pool=Pool())


def test_images_unlike_those_taught_on_are_told(tmp_path):
    model = model_of(tmp_path)
    coarse = segmented(model, image((6, 24, 28), (10.0, 1.5, 1.5)), pool=Pool())
    assert any(reason.code == "OUT_OF_DOMAIN" and "10 mm" in reason.message for reason in coarse.reasons)
    near = segmented(model, image(), pool=Pool())
    assert not any(reason.code == "OUT_OF_DOMAIN" for reason in near.reasons)


def test_a_modality_that_nobody_tells_is_told_and_one_that_differs_refused(tmp_path):
    def codes_of(model, modality):
        return {reason.code for reason in segmented(model, image(modality=modality), pool=Pool()).reasons}

    silent = model_of(tmp_path, channels=("image",))
    for modality in ("MR", ""):
        assert "MODEL_MODALITY_UNKNOWN" in codes_of(silent, modality)
    knowing = replace(silent, facts={"domain": domain_of([image(), image()])})
    assert modalities_of(knowing) == ("MR",)
    assert not codes_of(knowing, "MR") & {"MODEL_MODALITY_UNKNOWN", "IMAGE_MODALITY_UNKNOWN"}
    assert "IMAGE_MODALITY_UNKNOWN" in codes_of(knowing, "")
    with pytest.raises(Refused, match="takes MR, and this is CT"):
        segmented(knowing, image(modality="CT"), pool=Pool())
    assert "modalities" not in domain_of([image(), image(modality="")])
    assert merged([domain_of([image()]), domain_of([image(modality="CT")])])["modalities"] == ["CT", "MR"]
    assert "modalities" not in merged([domain_of([image()]), domain_of([image(modality="")])])


def test_values_beyond_those_taught_on_are_told(tmp_path):
    images = [image().with_array(image().array + np.int16(n)) for n in range(5)]
    model = replace(model_of(tmp_path), facts={"domain": domain_of(images)})
    assert not any(reason.code == "OUT_OF_DOMAIN" for reason in segmented(model, images[2], pool=Pool()).reasons)
    other = segmented(model, image().with_array(image().array * np.int16(30)), pool=Pool())
    assert any(reason.code == "OUT_OF_DOMAIN" and "percentile" in reason.message for reason in other.reasons)


def test_what_is_said_of_a_model_is_said_of_what_it_finds(tmp_path):
    said = {"code": "MODEL_UNLIKE", "message": "Its own software smooths nothing."}
    for changes in ({}, {"task": "denoising", "labels": (), "outputs": 1, "network": Network("denoiser", NET.options)}):
        model = replace(model_of(tmp_path / changes.get("task", "segmentation"), **changes), facts={"reasons": [said]})
        assert "MODEL_UNLIKE" in {reason.code for reason in predict(model, image(), pool=Pool()).reasons}


def test_names_are_coded_where_that_is_sure():
    names = ("liver", "kidney_left", "Right lung", "vertebrae_L1", "rib_left_4", "lung_upper_lobe_left", "tumor", "x")
    liver, kidney, lung, vertebra, rib, lobe, tumor, unknown = segments_of(names)
    assert liver.property_type.value == "10200004"
    assert (kidney.property_type.meaning, kidney.modifier) == ("Kidney", codes.LEFT)
    assert (lung.name, lung.modifier, lung.title) == ("Right lung", codes.RIGHT, "Right lung")
    assert vertebra.property_type.meaning == "Vertebra"
    assert (rib.property_type.meaning, rib.modifier) == ("Rib", codes.LEFT)
    assert lobe.property_type == unknown.property_type == codes.TISSUE
    assert tumor.property_category == codes.MORPHOLOGIC_ABNORMALITY
    assert [one.label for one in segments_of(names)] == list(range(1, 9))


def test_a_warm_model_is_not_opened_again(tmp_path):
    model, pool, how = model_of(tmp_path), Pool(), Inference()
    first = pool.opened(model, how)
    assert pool.opened(model, how) is first
    assert pool.opened(model, Inference(precision="bfloat16")) is not first
    assert [one.name for one in pool.warm] == ["small", "small"]
    assert pool.held_bytes == 2 * (model.folder / "weights_0.safetensors").stat().st_size
    pool.clear()
    assert pool.warm == ()


def test_the_model_used_longest_ago_makes_room(tmp_path):
    first, second = model_of(tmp_path / "a"), model_of(tmp_path / "b", labels=("liver",))
    size = (first.folder / "weights_0.safetensors").stat().st_size
    pool = Pool(int(size * 1.5))
    opened = pool.opened(first, Inference())
    pool.opened(second, Inference())
    assert len(pool.warm) == 1
    assert pool.opened(first, Inference()) is not opened


def test_threads_that_ask_at_once_get_one_model(tmp_path):
    model, pool, found = model_of(tmp_path), Pool(), []
    threads = [threading.Thread(target=lambda: found.append(pool.opened(model, Inference()))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(one) for one in found}) == 1


def test_damaged_weights_are_refused_and_not_kept(tmp_path):
    model, pool = model_of(tmp_path), Pool()
    (model.folder / "weights_0.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match="missing, or not those"):
        pool.opened(model, Inference())
    assert pool.warm == ()


@pytest.mark.parametrize("strange", [np.nan, np.inf])
def test_a_network_that_gives_no_numbers_is_refused(strange):
    class Broken:
        name, device, head = "broken", "cpu", None

        def __init__(self, outputs, space=()):
            self.shape = outputs, space

        def __call__(self, batch):
            outputs, space = self.shape
            given = np.zeros((len(batch), outputs, *(space or batch.shape[2:])), np.float32)
            given.reshape(-1)[0] = strange
            return given

    plan = plan_of()
    with pytest.raises(InputError, match="no numbers"):
        segmentation_of(prepared([image()], plan), plan, Broken(3))
    sorting = plan_of(task="classification")
    with pytest.raises(InputError, match="no numbers"):
        shares_of(prepared([image()], sorting), sorting, Broken(2, (1,)))
    finding = plan_of(task="detection", network=Network("heatmap", {"stride": 1}))
    with pytest.raises(InputError, match="no numbers"):
        detections(prepared([image()], finding), finding, Broken(8))


def test_a_last_layer_that_holds_no_numbers_is_refused(tmp_path):
    plan = plan_of(labels=tuple(f"part {n}" for n in range(9)))
    state = build(plan).state_dict()
    state["head.bias"][3] = np.nan
    model = save_model(Model("torn", "1", plan, tmp_path / "torn", {}), [state])
    with pytest.raises(InputError, match="no finite numbers"):
        segmented(model, image(), pool=Pool())


def test_values_too_large_for_a_network_are_refused():
    huge = image().with_array(image().array * 1e38)
    for how in (Normalisation("none"), Normalisation("zscore")):
        with pytest.raises(Refused, match="NOT_A_NUMBER"):
            prepared([huge], plan_of(normalisation=(how,), spacing_mm=None))


def test_an_image_without_pixel_size_is_not_given_to_a_network_in_millimetres():
    grid = Grid((1, 24, 28), np.eye(4), space=Space.PIXEL)
    picture = Volume(image().array[:1], grid)
    with pytest.raises(Refused, match="PIXELS_WITHOUT_SIZE"):
        prepared([picture], plan_of())


@pytest.mark.parametrize("space", [Space.PIXEL, Space.PLANE])
def test_a_picture_without_a_place_is_seen_as_it_is_whatever_its_axes_are_called(space):
    turned = np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]])  # as DICOM has it, and other formats
    seen = [
        prepared([Volume(image().array[:1], Grid((1, 24, 28), affine, space=space))], plan_of(spacing_mm=None))
        for affine in (turned, np.eye(4))
    ]
    assert np.array_equal(seen[0].array, seen[1].array)
    assert seen[0].array.shape == (1, 1, 24, 28)


def test_what_is_no_volume_or_holds_no_real_numbers_is_told(tmp_path):
    model = model_of(tmp_path)
    with pytest.raises(UsageError, match="not a NoneType"):
        segmented(model, None)
    with pytest.raises(UsageError, match="real numbers, not complex"):
        segmented(model, image().with_array(image().array.astype(complex)))


def test_a_picture_in_colour_is_not_taken_for_three_ct_images(tmp_path):
    model = model_of(tmp_path, channels=("CT",) * 3, normalisation=RANGE * 3)
    colours = np.zeros((4, 20, 20, 3), np.uint8)
    picture = Volume(colours, Grid((4, 20, 20), np.eye(4)), codes.ONE, axes=("color",), modality="US")
    with pytest.raises(Refused, match="WRONG_MODALITY"):
        segmented(model, picture)
