"""Masks: equal to SciPy, SimpleITK and scikit-image over random masks and spacings; the laws of morphology."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from scipy.spatial.distance import cdist
from skimage import filters, segmentation
from tests.laws.strategies import examples

from isocenter.geometry import Grid
from isocenter.ops import masks
from isocenter.ops.masks import levels, morphology
from isocenter.volume import Volume

shapes = st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9))
spacings = st.tuples(*[st.sampled_from([0.5, 0.7, 1.0, 1.3, 3.0, 5.0])] * 3)
radii = st.sampled_from([0.0, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 30.0, 70.0])


@st.composite
def scenes(draw, labels=1):
    """A segmentation of one or more labels, sparse or dense, empty or full."""
    shape, spacing = draw(shapes), draw(spacings)
    seed, share = draw(st.integers(0, 2**31)), draw(st.sampled_from([0.0, 0.05, 0.3, 0.7, 0.95, 1.0]))
    random = np.random.default_rng(seed)
    array = np.where(random.random(shape) < share, random.integers(1, labels + 1, shape), 0).astype(np.uint8)
    grid = Grid.from_vectors(shape, spacing_mm=spacing, origin_mm=(-20, 30, 5))
    like = Volume(np.zeros(shape, np.uint8), grid)
    return masks.of(array, like, name={f"part_{label}": label for label in range(1, labels + 1)})


def values(shape, seed, dtype=np.int16, high=200):
    return np.random.default_rng(seed).integers(-high, high, shape).astype(dtype)


def image(mask: np.ndarray, spacing) -> sitk.Image:
    made = sitk.GetImageFromArray(mask.astype(np.uint8))
    made.SetSpacing(spacing[::-1])
    return made


def ball_around(mask, grid, radius):
    """Voxels within the radius of the mask, by trying all pairs."""
    points = grid.to_world(np.moveaxis(np.indices(mask.shape), 0, -1))
    if not mask.any():
        return mask.copy()
    apart = cdist(points.reshape(-1, 3), points[mask]).min(axis=1).reshape(mask.shape)
    return apart <= radius + 1e-6


@given(scenes(), radii)
def test_a_ball_is_that_of_brute_force(found, radius):
    mask = found.mask("part_1")
    np.testing.assert_array_equal(masks.dilated(found, radius).mask("part_1"), ball_around(mask, found.grid, radius))
    shrunk = ~ball_around(~mask, found.grid, radius) & mask
    np.testing.assert_array_equal(masks.eroded(found, radius).mask("part_1"), shrunk)
    closed = ~ball_around(~ball_around(mask, found.grid, radius), found.grid, radius) | mask
    np.testing.assert_array_equal(masks.closed(found, radius).mask("part_1"), closed)
    opened = ball_around(shrunk, found.grid, radius) & mask
    np.testing.assert_array_equal(masks.opened(found, radius).mask("part_1"), opened)


@given(scenes(), radii)
def test_closing_and_opening_are_idempotent_extensive_and_dual(found, radius):
    mask = found.mask("part_1")
    spacing = found.grid.spacing_mm
    closed, opened = masks.closed(found, radius), masks.opened(found, radius)
    assert (closed.mask("part_1") >= mask).all()
    assert (opened.mask("part_1") <= mask).all()
    np.testing.assert_array_equal(masks.closed(closed, radius).array, closed.array)
    np.testing.assert_array_equal(masks.opened(opened, radius).array, opened.array)
    np.testing.assert_array_equal(morphology.erode(mask, radius, spacing), ~morphology.dilate(~mask, radius, spacing))


@given(scenes(labels=3), radii, st.sampled_from([masks.dilated, masks.closed]))
def test_segments_grow_into_background_alone_and_the_nearer_has_the_voxel(found, radius, grown):
    made = grown(found, radius)
    kept = found.array > 0
    np.testing.assert_array_equal(made.array[kept], found.array[kept])
    points = found.grid.to_world(np.moveaxis(np.indices(found.grid.shape), 0, -1))
    new = (made.array > 0) & ~kept
    if not new.any():
        return
    far = {n: cdist(points[new], points[found.mask(n)]).min(axis=1) for n in found.names if found.mask(n).any()}
    won = np.choose(made.array[new] - 1, [far.get(name, np.full(new.sum(), np.inf)) for name in found.names])
    assert (won <= radius + 1e-6).all()
    if grown is masks.dilated:
        np.testing.assert_allclose(won, np.min(list(far.values()), axis=0), atol=1e-4)


@given(scenes(labels=2), radii)
def test_segments_that_are_not_named_stay(found, radius):
    for change in (masks.dilated, masks.eroded, masks.opened, masks.closed, masks.smoothed):
        made = change(found, radius, names=["part_1"])
        np.testing.assert_array_equal(made.mask("part_2"), found.mask("part_2"))


@given(scenes())
def test_distances_are_those_of_scipy_and_simpleitk(found):
    mask, spacing = found.mask("part_1"), found.grid.spacing_mm
    assume(mask.any() and not mask.all())
    inside, outside = masks.depth(found).array, masks.distance(found).array
    np.testing.assert_allclose(inside, ndimage.distance_transform_edt(mask, spacing), rtol=1e-5)
    np.testing.assert_allclose(outside, ndimage.distance_transform_edt(~mask, spacing), rtol=1e-5)
    np.testing.assert_array_equal(masks.signed_distance(found).array, outside - inside)
    maurer = sitk.SignedMaurerDistanceMap(image(mask, spacing), False, False, True)
    np.testing.assert_allclose(outside[~mask], sitk.GetArrayFromImage(maurer)[~mask], rtol=1e-5)


@given(scenes(), st.sampled_from([6, 18, 26]))
def test_components_are_those_of_scipy(found, connectivity):
    mask = found.mask("part_1")
    structure = ndimage.generate_binary_structure(3, {6: 1, 18: 2, 26: 3}[connectivity])
    labels, count = ndimage.label(mask, structure)
    made = masks.labelled(found, connectivity=connectivity)
    table = masks.components(found, connectivity=connectivity)
    assert len(made.names) == len(table) == count
    assert len(set(zip(labels[mask], made.array[mask], strict=True))) == count  # one to one
    assert [each.voxels for each in table] == sorted(np.bincount(labels[mask])[1:], reverse=True)
    for each, name in zip(table, made.names, strict=True):
        index = np.argwhere(made.mask(name))
        np.testing.assert_allclose(each.centroid_mm, found.grid.to_world(index).mean(axis=0), atol=1e-4)
        assert each.box.start == tuple(index.min(axis=0))
        assert each.box.stop == tuple(index.max(axis=0) + 1)
        assert each.volume_ml == len(index) * found.grid.voxel_volume_ml


@given(scenes(labels=2), st.integers(1, 3), st.sampled_from([6, 18, 26]))
def test_the_largest_components_are_kept_and_small_ones_go(found, count, connectivity):
    sizes = {name: [] for name in found.names}
    for each in masks.components(found, connectivity=connectivity):
        sizes[each.segment].append(each.voxels)
    kept = masks.largest(found, count, connectivity=connectivity)
    limit = 3 * found.grid.voxel_volume_ml
    big = masks.without_small(found, limit, connectivity=connectivity)
    for name in found.names:
        assert np.count_nonzero(kept.mask(name)) == sum(sizes[name][:count])
        assert np.count_nonzero(big.mask(name)) == sum(size for size in sizes[name] if size >= 3)


@given(scenes())
def test_holes_are_filled_as_by_scipy(found):
    mask = found.mask("part_1")
    np.testing.assert_array_equal(masks.filled(found).mask("part_1"), ndimage.binary_fill_holes(mask))
    planes = [ndimage.binary_fill_holes(plane) for plane in mask]
    np.testing.assert_array_equal(masks.filled_in_plane(found).mask("part_1"), planes)


@given(shapes, st.integers(0, 2**31), st.sampled_from([np.int16, np.uint8, np.int32, np.uint16]))
def test_otsu_and_li_are_those_of_skimage(shape, seed, dtype):
    array = values(shape, seed, dtype=np.int16)
    array = (array - array.min()).astype(dtype)
    assume(len(np.unique(array)) > 1)
    ct = Volume(array, Grid.from_vectors(shape))
    np.testing.assert_array_equal(masks.otsu(ct).array, array > filters.threshold_otsu(array.ravel()))
    level = dict(masks.li(ct).algorithm.settings)["level"]
    assert abs(level - filters.threshold_li(array.astype(np.float64), tolerance=1e-6)) < 1e-3


def spread(array, cuts):
    """Sum of squares within the classes that the cuts make."""
    parts = np.digitize(array, cuts, right=True)
    return sum(np.var(array[parts == part]) * np.sum(parts == part) for part in np.unique(parts))


@examples(0.3)
@given(st.integers(0, 2**31), st.sampled_from([2, 3, 4]))
def test_multi_otsu_and_kmeans_are_no_worse_than_those_of_skimage_and_scikit_learn(seed, classes):
    from sklearn.cluster import KMeans

    array = values((3, 7, 8), seed, high=25)
    ct = Volume(array, Grid.from_vectors(array.shape))
    own = dict(masks.multi_otsu(ct, classes).algorithm.settings)["levels"]
    theirs = filters.threshold_multiotsu(array, classes)  # in single precision
    assert spread(array, own) <= spread(array, theirs) * (1 + 1e-9)
    clusters = KMeans(classes, n_init=3, random_state=0).fit(array.reshape(-1, 1))
    assert spread(array, own) <= clusters.inertia_ * (1 + 1e-9)
    np.testing.assert_array_equal(masks.kmeans(ct, classes).array, np.digitize(array, own, right=True) + 1)


@given(hnp.arrays(np.int64, st.integers(4, 9), elements=st.integers(1, 50)), st.integers(2, 4), st.integers(0, 99))
def test_the_classes_are_the_best_of_all_partitions(counts, number, seed):
    from itertools import combinations

    points = np.sort(np.random.default_rng(seed).choice(1000, len(counts), replace=False)).astype(float)

    def cost(cuts):
        parts = zip((0, *cuts), (*cuts, len(points)), strict=True)
        return sum(counts[a:b] @ (points[a:b] - np.average(points[a:b], weights=counts[a:b])) ** 2 for a, b in parts)

    found, _ = levels.classes(levels.Histogram(counts, points, points), number)
    cuts = tuple(1 + np.searchsorted(points, found))
    best = min(cost(cuts) for cuts in combinations(range(1, len(points)), number - 1))
    assert cost(cuts) <= best * (1 + 1e-9) + 1e-9


@given(hnp.arrays(np.float32, (2, 3, 4), elements=st.sampled_from([0, 0.1, 0.3, 0.5, 0.7, 1.0])), st.integers(2, 3))
def test_values_that_are_not_whole_fall_into_the_classes_that_their_levels_make(array, classes):
    assume(len(np.unique(array)) >= classes)
    ct = Volume(array, Grid.from_vectors(array.shape))
    occurring, counts = np.unique(array.astype(np.float64), return_counts=True)
    best, _ = levels.classes(levels.Histogram(counts, occurring, occurring), classes)
    np.testing.assert_array_equal(masks.kmeans(ct, classes).array, np.searchsorted(best, array) + 1)


@given(shapes, st.integers(0, 2**31), st.booleans())
def test_a_watershed_is_that_of_skimage_where_no_two_levels_are_equal(shape, seed, is_limited):
    random = np.random.default_rng(seed)
    relief = random.permutation(np.prod(shape)).reshape(shape).astype(np.int16)
    markers = (random.random(shape) < 0.1) * random.integers(1, 4, shape)
    room = random.random(shape) < 0.7 if is_limited else np.ones(shape, bool)
    ct = Volume(relief, Grid.from_vectors(shape))
    seeds = masks.of(markers, ct, name={"a": 1, "b": 2, "c": 3})
    found = masks.watershed(ct, seeds, inside=masks.of(room, ct))
    np.testing.assert_array_equal(found.array, segmentation.watershed(relief, markers, mask=room))


@given(shapes, st.integers(0, 2**31))
def test_a_watershed_reaches_each_voxel_over_the_lowest_pass(shape, seed):
    random = np.random.default_rng(seed)
    relief = random.integers(0, 4, shape).astype(np.uint8)  # many equal levels
    markers = (random.random(shape) < 0.1) * random.integers(1, 3, shape)
    assume(markers.any())
    ct = Volume(relief, Grid.from_vectors(shape))
    found = masks.watershed(ct, masks.of(markers, ct, name={"a": 1, "b": 2})).array
    assert (found > 0).all()
    for height in range(4):  # a voxel that one marker reaches lower than the other belongs to it
        pools, _ = ndimage.label(relief <= height)
        for pool in range(1, pools.max() + 1):
            held = np.unique(markers[(pools == pool) & (markers > 0)])
            if len(held) == 1:
                assert (found[pools == pool] == held[0]).all()


@given(scenes(), st.integers(0, 2**31), st.integers(-50, 0), st.integers(1, 150))
def test_growing_from_seeds_is_that_of_simpleitk(found, seed, low, high):
    grid = found.grid
    array = ndimage.gaussian_filter(values(grid.shape, seed).astype(np.float32), 1)
    random = np.random.default_rng(seed)
    seeds = random.integers(0, grid.shape, (2, 3))
    ct = Volume(array, grid)
    itk = sitk.GetImageFromArray(array)
    places = [tuple(map(int, place[::-1])) for place in seeds]
    region = masks.connected_threshold(ct, grid.to_world(seeds), low=low, high=high)
    theirs = sitk.ConnectedThreshold(itk, places, lower=low, upper=high)
    np.testing.assert_array_equal(region.array, sitk.GetArrayFromImage(theirs))
    limited = masks.connected_threshold(ct, grid.to_world(seeds), low=low, high=high, inside=found)
    assert (limited.array <= found.mask("part_1")).all()


@given(scenes(), st.sampled_from([0.3, 1.0, 3.0]))
def test_smoothing_keeps_what_is_alike_all_round(found, sigma):
    smooth = masks.smoothed(found, sigma)
    reach = 4 * sigma + max(found.grid.spacing_mm)
    deep, far = masks.depth(found).array > reach, masks.distance(found).array > reach
    assert smooth.mask("part_1")[deep].all()
    assert not smooth.mask("part_1")[far].any()
    np.testing.assert_array_equal(masks.smoothed(found, 0).array, found.array)


@given(scenes(labels=2), st.integers(0, 2**31))
def test_union_intersection_difference_and_dice_are_those_of_sets(found, seed):
    other = masks.of(np.random.default_rng(seed).random(found.grid.shape) < 0.5, found, name="other")
    mask, both = found.mask("part_1", "part_2"), other.mask("other")
    np.testing.assert_array_equal(masks.union(found, other).mask("union"), mask | both)
    np.testing.assert_array_equal(masks.intersection(found, other).array, np.where(both, found.array, 0))
    np.testing.assert_array_equal(masks.difference(found, other).array, np.where(both, 0, found.array))
    one = masks.dice(masks.union(found), other)["union"]
    total = mask.sum() + both.sum()
    assert one == 2 * (mask & both).sum() / total if total else np.isnan(one)
