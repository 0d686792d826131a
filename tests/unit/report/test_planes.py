from __future__ import annotations

import numpy as np
import pytest

from isocenter import codes
from isocenter.geometry import Grid, Space
from isocenter.report.planes import LUNG_WINDOW, Plane, Window, letters, stack, window_of
from isocenter.volume import Volume

ORIENTATIONS = ("IPL", "SPL", "IPR", "IAL", "LIP", "PIL", "RSA", "ASR", "PLI")


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_edges_follow_the_radiological_convention_from_any_orientation(orientation):
    grid = Grid.from_vectors((4, 5, 6), spacing_mm=(3, 1, 2)).reorient(orientation)
    array = np.zeros(grid.shape)
    edges = {plane: stack(array, grid, plane).edges for plane in Plane}  # left, right, upper, lower
    assert edges[Plane.AXIAL] == ("R", "L", "A", "P")
    assert edges[Plane.CORONAL] == ("R", "L", "H", "F")
    assert edges[Plane.SAGITTAL] == ("A", "P", "H", "F")


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("plane", list(Plane))
def test_a_marker_lands_where_its_place_in_the_patient_says(orientation, plane):
    grid = Grid.from_vectors((4, 5, 6), spacing_mm=(3, 1, 2), origin_mm=(-5, 7, 30)).reorient(orientation)
    place = grid.to_world((1, 1, 1))
    array = np.zeros(grid.shape)
    array[1, 1, 1] = 1
    seen = stack(array, grid, plane)
    section, down, right = (int(i) for i in np.argwhere(seen.array)[0])
    step = {Plane.AXIAL: (2, 1, 0), Plane.CORONAL: (1, 2, 0), Plane.SAGITTAL: (0, 2, 1)}[plane]
    sign = {0: 1, 1: 1, 2: -1}  # right to left, front to back, head to feet
    low = {axis: min(sign[axis] * corner[axis] for corner in _corners(grid)) for axis in range(3)}
    size = {axis: {0: 2.0, 1: 1.0, 2: 3.0}[axis] for axis in range(3)}
    expected = [round((sign[axis] * place[axis] - low[axis]) / size[axis]) for axis in step]
    assert [section, down, right] == expected


def _corners(grid: Grid) -> np.ndarray:
    return grid.to_world(np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1).T)


def test_a_stack_is_a_view_and_no_copy():
    array = np.zeros((4, 5, 6))
    assert all(np.shares_memory(stack(array, Grid.from_vectors(array.shape), plane).array, array) for plane in Plane)


def test_a_position_is_that_of_the_section_in_the_patient():
    grid = Grid.from_vectors((4, 5, 6), spacing_mm=(3, 1, 2), origin_mm=(-5, 7, 30))
    array = np.zeros(grid.shape)
    assert stack(array, grid, Plane.AXIAL).position(2) == "z 24.0 mm"
    assert stack(array, grid, Plane.CORONAL).position(0) == "y 7.0 mm"
    assert stack(array, grid, Plane.SAGITTAL).position(1) == "x −3.0 mm"


def test_an_oblique_axis_has_two_letters_nearest_first():
    assert letters((1, 0, 0)) == "L"
    assert letters((-0.9, 0.43, 0.0)) == "RP"
    assert letters((0, 0.3, -0.95)) == "FP"
    assert letters((np.cos(0.1), np.sin(0.1), 0)) == "L"


def test_no_letter_and_no_position_is_made_up_without_a_place_in_the_patient():
    grid = Grid((4, 5, 6), np.eye(4), space=Space.PLANE)
    seen = stack(np.zeros(grid.shape), grid, Plane.AXIAL)
    assert seen.edges == ("", "", "", "")
    assert seen.position(0) == ""
    assert seen.counted_from == ""


def test_the_window_is_the_linear_function_of_dicom():
    # PS3.3 C.11.2.1.2.1: black at or below c - 0.5 - (w-1)/2, white above c - 0.5 + (w-1)/2
    window = Window(50, 100)
    assert window.grey(np.array([0.0, 99.0])).tolist() == [0, 255]
    assert window.grey(np.array([-1000.0, 3000.0])).tolist() == [0, 255]
    assert window.grey(np.array([49.5]))[0] == 128


def test_only_ct_gets_the_lung_window():
    values = np.arange(1000, dtype=np.float32).reshape(10, 10, 10)
    grid = Grid.from_vectors(values.shape)
    assert window_of(Volume(values, grid, codes.HU)) is LUNG_WINDOW
    found = window_of(Volume(values, grid))
    assert (found.center, found.width) == pytest.approx((499.5, 979.02), abs=0.1)


def test_a_position_has_no_minus_zero():
    grid = Grid.from_vectors((1, 2, 1), origin_mm=(0.0, -0.52, 0.0))
    assert stack(np.zeros(grid.shape), grid, Plane.CORONAL).position(0) == "y −0.5 mm"
    near = Grid.from_vectors((1, 2, 1), origin_mm=(0.0, -0.02, 0.0))
    assert stack(np.zeros(near.shape), near, Plane.CORONAL).position(0) == "y 0.0 mm"
