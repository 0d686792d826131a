"""Prompts on balls of known truth: each is honoured, and the pose and the scale of the scene do not matter."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.ops.prompting import begin, next_click
from isocenter.volume import Volume

BALL, TWIN = (14.0, 20.0, 18.0), (14.0, 20.0, 40.0)
"""Voxel centres of two balls alike."""


def scene(noise=6.0, spacing_mm=(2.0, 1.5, 1.5), bridge=False):
    shape = (28, 40, 58)
    grid = Grid.from_vectors(shape, spacing_mm=spacing_mm, origin_mm=(30, -20, 5))
    index = np.indices(shape)

    def ball(center):
        apart = [(axis - at) * step for axis, at, step in zip(index, center, (2.0, 1.5, 1.5), strict=True)]
        return np.sqrt(sum(part**2 for part in apart)) < 12

    truth = ball(BALL)
    array = np.where(truth | ball(TWIN), 60.0, 0.0)
    if bridge:
        array[11:18, 17:24, 18:40] = 60.0
    array += np.random.default_rng(3).normal(0, noise, shape)
    return Volume(array.astype(np.float32), grid), mask_of(truth, grid)


def mask_of(mask, grid):
    return Segmentation((mask.astype(np.uint8),), grid, (Segment.named("ball"),), Algorithm("truth", "1"))


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def at(volume, voxel):
    return volume.grid.to_world(voxel)


def codes_of(found):
    return {reason.code for reason in found.reasons}


@pytest.fixture(scope="module")
def ball():
    return scene()


@pytest.fixture(scope="module")
def begun(ball):
    return begin(ball[0], name="ball")


def test_one_click_finds_a_ball_and_not_its_twin(ball, begun):
    found = begun.click(at(ball[0], BALL)).segmentation
    assert dice(found.mask("ball"), ball[1].mask("ball")) > 0.97
    assert not codes_of(found)
    assert found.algorithm.settings[0][1].startswith("inside (")


def test_a_click_outside_parts_what_hangs_together():
    volume, truth = scene(bridge=True)
    leaked = begin(volume, name="ball").click(at(volume, BALL))
    assert dice(leaked.segmentation.mask("ball"), truth.mask("ball")) < 0.8
    parted = leaked.click(at(volume, TWIN), "outside").segmentation
    assert dice(parted.mask("ball"), truth.mask("ball")) > 0.88


def test_a_scribble_a_painted_mask_and_a_box_find_it_too(ball, begun):
    volume, truth = ball
    inner = np.zeros(volume.shape, bool)
    inner[12:16, 17:23, 16:20] = True
    ends = [at(volume, (10, 20, 18)), at(volume, (17, 22, 21))]
    corners = [at(volume, (7, 11, 9)), at(volume, (21, 29, 27))]
    for session in (begun.scribble(ends), begun.paint(mask_of(inner, volume.grid)), begun.box(*corners)):
        assert dice(session.segmentation.mask("ball"), truth.mask("ball")) > 0.95


def test_nothing_outside_a_box_is_taken(ball, begun):
    volume, _ = ball
    found = begun.box(at(volume, (0, 0, 0)), at(volume, (14, 39, 57))).click(at(volume, (10, 20, 18))).segmentation
    assert found.array.any()
    assert not found.array[15:].any()


def test_clicks_are_honoured_wherever_they_fall(ball):
    volume, _ = ball
    random = np.random.default_rng(5)
    session, clicked = begin(volume, name="ball"), {}
    for number in range(8):
        voxel = tuple(int(random.integers(n)) for n in volume.shape)
        session = session.click(at(volume, voxel), "inside" if number % 2 == 0 else "outside")
        clicked[voxel] = number % 2 == 0
        mask = session.segmentation.mask("ball")
        assert all(mask[place] == inside for place, inside in clicked.items())


def test_flipping_and_permuting_the_axes_flips_and_permutes_the_mask(ball):
    volume, _ = ball
    clicks = [(at(volume, BALL), "inside"), (at(volume, (14, 20, 27)), "inside"), (at(volume, TWIN), "outside")]

    def found_in(image):
        session = begin(image, name="ball")
        for point, side in clicks:
            session = session.click(point, side)
        return session.segmentation.array

    turned = Volume(np.ascontiguousarray(volume.array.transpose(2, 0, 1)), volume.grid.permute((2, 0, 1)))
    flipped = Volume(np.ascontiguousarray(turned.array[::-1, :, ::-1]), turned.grid.flip(0, 2))
    assert np.array_equal(found_in(flipped), found_in(volume).transpose(2, 0, 1)[::-1, :, ::-1])


def test_scaling_the_spacing_and_the_clicks_changes_nothing(ball):
    volume, _ = ball
    affine = volume.grid.affine * np.array([[3.7]] * 3 + [[1]])
    scaled = Volume(volume.array, Grid(volume.grid.shape, affine))
    one, other = (
        begin(image, name="ball").click(at(image, BALL)).click(at(image, TWIN), "outside").segmentation.array
        for image in (volume, scaled)
    )
    assert np.array_equal(one, other)


def test_a_scale_and_an_offset_of_the_values_change_next_to_nothing(ball, begun):
    volume, _ = ball
    other = begin(volume.with_array(volume.array * 40 - 1000), name="ball").click(at(volume, BALL)).segmentation
    assert dice(begun.click(at(volume, BALL)).segmentation.mask("ball"), other.mask("ball")) > 0.999


def test_the_same_clicks_give_the_same_mask_and_a_session_never_changes(ball, begun):
    volume, _ = ball
    first = begun.click(at(volume, BALL))
    before = first.segmentation.array.copy()
    one, other = (first.click(at(volume, TWIN), "outside").segmentation.array for _ in range(2))
    assert np.array_equal(one, other)
    assert np.array_equal(first.segmentation.array, before)
    assert begun.prompts == ()
    assert first.before is begun


def test_a_large_image_is_worked_on_coarsely_and_answered_finely():
    grid = Grid.from_vectors((60, 140, 140), spacing_mm=(1.0, 0.5, 0.5))
    k, r, c = np.ogrid[:60, :140, :140]
    inside = np.sqrt((k - 30.0) ** 2 + (0.5 * (r - 70)) ** 2 + (0.5 * (c - 70)) ** 2) < 16
    noise = np.random.default_rng(0).normal(0, 8, inside.shape)
    volume = Volume((100 * inside + noise).astype(np.int16), grid)
    session = begin(volume)
    assert session.scene.values.size <= 410_000 < volume.array.size
    found = session.click(grid.to_world((30, 70, 70))).segmentation
    assert found.grid == grid
    assert dice(found.mask("structure"), inside) > 0.97


def test_the_border_lies_half_way_between_its_sides_on_the_voxels_of_the_image():
    """A ball of a radius between two voxels, on working voxels twice as long as those of the image."""
    grid = Grid.from_vectors((100, 150, 150), spacing_mm=(1.0, 1.0, 1.0))
    k, r, c = np.ogrid[:100, :150, :150]
    share = np.clip(22.5 - np.sqrt((k - 50.0) ** 2 + (r - 75.0) ** 2 + (c - 75.0) ** 2) + 0.5, 0, 1)
    noise = np.random.default_rng(1).normal(0, 5, share.shape)
    session = begin(Volume((100 * share + noise).astype(np.float32), grid))
    assert min(session.scene.grid.spacing_mm) > 1.7
    found = session.click(grid.to_world((50, 75, 75))).segmentation.mask("structure")
    assert dice(found, share >= 0.5) > 0.99
    assert abs(np.count_nonzero(found) / np.count_nonzero(share >= 0.5) - 1) < 0.01


def test_a_click_changes_only_what_hangs_together_with_it_and_to_its_side():
    volume, _ = scene(bridge=True)
    first = begin(volume, name="ball").click(at(volume, BALL))
    before = first.segmentation.mask("ball")
    added = first.click(at(volume, (14, 20, 9))).state.mask
    assert (added >= first.state.mask).all()
    removed = first.click(at(volume, TWIN), "outside").segmentation.mask("ball")
    changed = before ^ removed
    assert changed.any()
    assert not changed[:, :, :14].any()


def test_a_mask_that_reaches_the_border_says_so(ball, begun):
    volume, _ = ball
    assert "PROMPTED_TO_BORDER" in codes_of(begun.click(at(volume, (2, 2, 2))).segmentation)


def test_a_voxel_alone_is_said_to_be_nothing(ball, begun):
    volume, _ = ball
    around = np.zeros(volume.shape, bool)
    around[11:18, 17:24, 15:22] = True
    around[14, 20, 18] = False
    found = begun.click(at(volume, BALL)).paint(mask_of(around, volume.grid), "outside").segmentation
    assert np.count_nonzero(found.array[11:18, 17:24, 15:22]) == 1
    only = begun.box(at(volume, (14, 20, 18)), at(volume, (14, 20, 18))).click(at(volume, BALL)).segmentation
    assert np.count_nonzero(only.array) == 1
    assert codes_of(only) == {"PROMPTED_NOTHING"}


def test_prompts_that_contradict_each_other_are_told_and_the_later_counts(ball, begun):
    volume, _ = ball
    found = begun.click(at(volume, BALL)).click(at(volume, (14, 20, 20))).click(at(volume, (14, 20, 20)), "outside")
    assert "PROMPTS_CONTRADICT" in codes_of(found.segmentation)
    assert not found.segmentation.array[14, 20, 20]


def test_one_slice_a_constant_image_and_integers_can_be_marked():
    volume, truth = scene()
    grid = volume.grid.crop((14, 0, 0), (15, 40, 58))
    slice_ = Volume(volume.array[14:15].astype(np.int16), grid)
    found = begin(slice_, name="ball").click(grid.to_world((0, 20, 18))).segmentation
    assert dice(found.mask("ball"), truth.mask("ball")[14:15]) > 0.95
    assert not codes_of(found)
    flat = begin(volume.with_array(np.zeros(volume.shape, np.uint8))).click(at(volume, BALL)).segmentation
    assert flat.array[14, 20, 18]


def test_nan_is_never_inside(ball):
    volume, truth = ball
    array = volume.array.copy()
    array[:, 20:22] = np.nan
    session = begin(volume.with_array(array), name="ball").click(at(volume, (14, 16, 18)))
    found = session.segmentation.mask("ball")
    assert not found[:, 20:22].any()
    assert dice(found[:, :20], truth.mask("ball")[:, :20]) > 0.9
    with pytest.raises(UsageError, match="no value"):
        session.click(at(volume, (14, 20, 18)))


def test_wrong_calls_are_told(ball, begun):
    volume, _ = ball
    inside = begun.click(at(volume, BALL))
    wrong = {
        "outside the image": lambda: begun.click((1e4, 0, 0)),
        "three finite numbers": lambda: begun.click((np.nan, 0, 0)),
        "three numbers": lambda: begun.click(("a", 0, 0)),
        "one point": lambda: begun.click([at(volume, BALL)] * 2),
        "not 'left'": lambda: begun.click(at(volume, BALL), "left"),
        "no voxel": lambda: begun.paint(mask_of(np.zeros(volume.shape, bool), volume.grid)),
        "another grid": lambda: begun.paint(mask_of(np.ones((2, 2, 2), bool), Grid.from_vectors((2, 2, 2)))),
        "No voxel": lambda: begun.box((1e4, 0, 0), (1e4 + 1, 1, 1)),
        "outside this box": lambda: inside.box(at(volume, (0, 0, 0)), at(volume, (3, 3, 3))),
        "Nothing is marked": lambda: begun.click(at(volume, BALL), "outside").segmentation,
    }
    for words, call in wrong.items():
        with pytest.raises(UsageError, match=words):
            call()


def test_images_that_cannot_be_marked_are_told(ball):
    volume, _ = ball
    many = Volume(np.zeros((2, 2, 2, 3)), Grid.from_vectors((2, 2, 2)), axes=("time",))
    pixels = Volume(np.zeros((1, 4, 4)), Grid((1, 4, 4), np.eye(4), space=Space.PIXEL))
    empty = volume.with_array(np.full(volume.shape, np.nan))
    for image, words in ((many, "time"), (pixels, "unknown"), (empty, "finite"), (volume.array, "Expected a Volume")):
        with pytest.raises(UsageError, match=words):
            begin(image)


def test_simulated_clicks_fall_on_the_deepest_error(ball):
    volume, truth = ball
    first = next_click(truth, None, name="ball")
    assert volume.grid.to_index(first.point_mm) == pytest.approx(BALL, abs=1.01)
    assert next_click(truth, truth, name="ball") is None
    more = truth.mask("ball").copy()
    more[2:7, 2:7, 2:7] = True
    second = next_click(truth, mask_of(more, volume.grid), name="ball")
    assert second.side == "outside"
    assert volume.grid.to_index(second.point_mm) == pytest.approx((4, 4, 4))
    less = next_click(truth, mask_of(np.zeros_like(more), volume.grid), name="ball")
    assert less.side == "inside"
    with pytest.raises(UsageError, match="empty"):
        next_click(mask_of(np.zeros_like(more), volume.grid), None, name="ball")
