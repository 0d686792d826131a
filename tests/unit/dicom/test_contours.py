"""Polygons to pixels: against a slow test of each centre, analytic areas, and the laws of the even-odd rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dicom.annotations.contours import Floats, inside
from isocenter.findings import Mask

SHAPE = (12, 15)
# Binary fractions: the crossing of an edge with a row is then mostly exact, and centres often lie on edges.
coordinates = st.integers(-16, 64).map(lambda quarter: quarter / 4)
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9).map(np.array)


def drawn(polygons: list[Floats], shape: tuple[int, int] = SHAPE) -> Mask:
    row, column, mask = inside(polygons, shape)
    whole = np.zeros(shape, bool)
    whole[row : row + mask.shape[0], column : column + mask.shape[1]] = mask
    return whole


def is_inside(row: int, column: int, polygon: Floats) -> bool:
    """The even-odd rule by a ray towards smaller columns, edge by edge."""
    odd = False
    for (r0, c0), (r1, c1) in zip(polygon.tolist(), np.roll(polygon, -1, axis=0).tolist(), strict=True):
        if (r0 <= row) != (r1 <= row):
            (ra, ca), (rb, cb) = sorted([(r0, c0), (r1, c1)])
            odd ^= ca + (row - ra) * (cb - ca) / (rb - ra) <= column
    return odd


@given(st.lists(polygons, min_size=1, max_size=3))
def test_a_pixel_is_inside_where_its_centre_is(many: list[Floats]) -> None:
    expected = [
        [sum(is_inside(r, c, polygon) for polygon in many) % 2 == 1 for c in range(SHAPE[1])] for r in range(SHAPE[0])
    ]
    assert np.array_equal(drawn(many), expected)


@given(polygons, st.integers(0, 8), st.booleans())
def test_neither_the_first_point_nor_the_direction_matters(polygon: Floats, turn: int, backwards: bool) -> None:
    other = np.roll(polygon, turn, axis=0)[:: -1 if backwards else 1]
    assert np.array_equal(drawn([polygon]), drawn([other]))


@given(polygons)
def test_a_polygon_twice_is_nothing(polygon: Floats) -> None:
    assert not drawn([polygon, polygon[::-1]]).any()


@given(polygons, st.tuples(st.integers(-5, 5), st.integers(-5, 5)))
def test_polygons_move_with_the_pixels(polygon: Floats, shift: tuple[int, int]) -> None:
    wide = drawn([polygon + 10], (40, 40))
    assert np.array_equal(drawn([polygon + 10 + shift], (40, 40)), np.roll(wide, shift, axis=(0, 1)))


@given(st.tuples(coordinates, coordinates), st.lists(st.floats(0.5, 1), min_size=4, max_size=9))
def test_triangles_around_a_point_divide_the_pixels(middle: tuple[float, float], parts: list[float]) -> None:
    """A star-shaped polygon cut into triangles: none of its pixels is in two of them, none is lost."""
    angles = np.cumsum(parts) / sum(parts) * 2 * math.pi
    rim = np.array(middle) + 5 * np.column_stack([np.sin(angles), np.cos(angles)])
    triangles = [np.array([middle, a, b]) for a, b in zip(rim, np.roll(rim, -1, axis=0), strict=True)]
    assert np.array_equal(np.sum([drawn([t]) for t in triangles], axis=0), drawn([rim]).astype(int))


@pytest.mark.parametrize("radius", [3.0, 20.0, 60.3])
def test_the_area_of_a_disc_is_right_within_half_its_rim(radius: float) -> None:
    angles = np.linspace(0, 2 * math.pi, 2000, endpoint=False)
    circle = np.array([70.2, 71.7]) + radius * np.column_stack([np.sin(angles), np.cos(angles)])
    area = drawn([circle], (140, 144)).sum()
    assert abs(area - math.pi * radius**2) < math.pi * radius / 2
    ring = drawn([circle, (circle - [70.2, 71.7]) / 2 + [70.2, 71.7]], (140, 144)).sum()
    assert abs(ring - 0.75 * math.pi * radius**2) < math.pi * radius


def test_a_rectangle_from_centre_to_centre_takes_its_upper_left_rim_alone() -> None:
    found = drawn([np.array([(2, 3), (2, 6), (5, 6), (5, 3)], float)])
    assert np.argwhere(found).min(axis=0).tolist() == [2, 3]
    assert np.argwhere(found).max(axis=0).tolist() == [4, 5]


def test_a_hole_by_keyhole_is_the_hole_by_two_contours() -> None:
    outer = np.array([(1, 1), (1, 11), (10, 11), (10, 1)], float) + 0.3
    inner = np.array([(4, 4), (7, 4), (7, 8), (4, 8)], float) + 0.2
    keyhole = np.concatenate([outer, outer[:1], inner, inner[:1]])
    assert drawn([outer, inner])[5, 5] == False  # noqa: E712
    assert np.array_equal(drawn([keyhole]), drawn([outer, inner]))


def test_what_lies_beyond_the_slice_is_cut_off() -> None:
    around = np.array([(-50, -50), (-50, 50), (50, 50), (50, -50)], float)
    assert drawn([around]).all()
    for shift in ([100, 0], [-100, 0], [0, 100], [0, -100]):
        assert not drawn([around + shift]).any()


def test_no_polygon_and_flat_ones_hold_nothing() -> None:
    assert not drawn([]).any()
    assert not drawn([np.array([(1, 1), (5, 5), (1, 1)], float)]).any()
    assert not drawn([np.array([(2, 1), (2, 9)], float)]).any()
