"""Laws of the pictures: they follow the patient, not the order of the array."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isocenter.report import figures
from isocenter.report.planes import Plane, letters, stack
from isocenter.report.sections import scene, section

from .strategies import examples, grids, indices, orientations, segmentations

planes = st.sampled_from(list(Plane))
UNIT = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0), "H": (0, 0, 1), "F": (0, 0, -1)}
AWAY_FROM_VIEWER = {Plane.AXIAL: "F", Plane.CORONAL: "P", Plane.SAGITTAL: "L"}  # order of the sections


@given(st.data(), grids(), planes)
def test_every_voxel_keeps_its_place_in_a_stack(data, grid, plane):
    index = data.draw(indices(grid))
    array = np.zeros(grid.shape, bool)
    array[index] = True
    seen = stack(array, grid, plane)
    place = np.argwhere(seen.array)[0]
    np.testing.assert_allclose(seen.grid.to_world(place), grid.to_world(index), atol=1e-6)


@given(grids(), orientations, planes)
def test_the_order_of_the_array_does_not_change_the_stack(grid, orientation, plane):
    array = np.arange(np.prod(grid.shape)).reshape(grid.shape)
    order, flips = grid.axes_towards(orientation)
    one = stack(array, grid, plane)
    other = stack(np.flip(array.transpose(order), flips), grid.reorient(orientation), plane)
    np.testing.assert_array_equal(one.array, other.array)
    assert one.edges == other.edges
    assert one.position(0) == other.position(0)


@given(grids(), planes)
def test_letters_point_to_their_own_side(grid, plane):
    seen = stack(np.zeros(grid.shape), grid, plane)
    left, right, upper, lower = seen.edges
    for word, direction in (
        (left, -seen.grid.direction[:, 2]),
        (right, seen.grid.direction[:, 2]),
        (upper, -seen.grid.direction[:, 1]),
        (lower, seen.grid.direction[:, 1]),
    ):
        cosines = [float(np.dot(UNIT[letter], direction)) for letter in word]
        assert cosines
        assert min(cosines) > 0.16
        assert cosines == sorted(cosines, reverse=True) or max(np.diff(cosines)) < 1e-5


@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1))
def test_opposite_directions_have_opposite_letters(vector):
    unit = np.array(vector) / np.linalg.norm(vector)
    opposite = str.maketrans("LRPAHF", "RLAPFH")
    assert letters(-unit) == letters(unit).translate(opposite)


@given(segmentations(), orientations)
@examples(0.2)
def test_any_small_image_is_drawn_and_the_same_in_any_orientation(segmentation, orientation):
    from isocenter.codes import HU
    from isocenter.volume import Volume

    values = (segmentation.array.astype(np.int16) * 300) - 900
    volume = Volume(values, segmentation.grid, HU)
    order, flips = segmentation.grid.axes_towards(orientation)
    turned = np.flip(values.transpose(order), flips)
    labels = np.flip(segmentation.array.transpose(order), flips)
    grid = segmentation.grid.reorient(orientation)
    there = replace(segmentation, layers=(labels,), grid=grid)
    for one, other in zip(
        figures.key_slices(volume, segmentation), figures.key_slices(volume.on(grid, turned), there), strict=True
    ):
        assert (one.name, one.title, one.caption) == (other.name, other.title, other.caption)
        np.testing.assert_array_equal(one.image, other.image)
    assert all(figure.image.size for figure in figures.draw(volume, segmentation))


@given(grids(), planes)
def test_a_section_is_as_wide_and_high_as_its_millimetres(grid, plane):
    from isocenter.volume import Volume

    seen = scene(Volume(np.zeros(grid.shape, np.int16), grid), None, plane)
    picture, px_per_mm = section(seen, 0, (400, 400), line_px=1)
    assert abs(picture.shape[0] - max(1, seen.image.size_mm[0] * px_per_mm)) <= 0.51
    assert abs(picture.shape[1] - max(1, seen.image.size_mm[1] * px_per_mm)) <= 0.51
