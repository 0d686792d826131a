import numpy as np
import pytest

from isocenter import codes
from isocenter.geometry import Grid, Space
from isocenter.report import figures
from isocenter.report.stills import still
from isocenter.volume import Volume

PLANE = Grid((1, 30, 40), np.diag([1, 0.2, 0.2, 1]), space=Space.PLANE)
PIXEL = Grid((1, 30, 40), np.eye(4), space=Space.PIXEL)
STACK = Grid.from_vectors((6, 30, 40))


def ramp(*shape):
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape)


def test_a_series_over_time_is_shown_at_its_middle_time():
    volume = Volume(ramp(6, 30, 40, 4), STACK, axes=("time",))
    shown = still(volume)
    np.testing.assert_array_equal(shown.array, volume.array[..., 2])
    assert shown.grid == volume.grid


def test_the_pictures_of_a_cine_are_shown_side_by_side():
    cine = Volume(ramp(1, 30, 40, 5), PLANE, axes=("time",))
    shown = still(cine)
    np.testing.assert_array_equal(shown.array, np.moveaxis(cine.array[0], 2, 0))
    assert shown.grid.spacing_mm[1:] == pytest.approx((0.2, 0.2))
    assert shown.grid.space is Space.PLANE
    assert "5 of 5 pictures" in figures.draw_volume(cine)[0].caption


def test_colours_are_drawn_as_they_are():
    red = np.zeros((1, 30, 40, 3), np.uint8)
    red[..., 0] = 200
    sheet, histogram = figures.draw_volume(Volume(red, PIXEL, axes=("color",)))
    middle = sheet.image[sheet.image.shape[0] // 2, sheet.image.shape[1] // 2]
    assert tuple(middle) == (200, 0, 0)
    assert "Window" not in sheet.caption
    assert histogram.image.shape[2] == 3


def test_the_sheet_says_which_place_of_an_axis_it_shows():
    grid = Grid.from_vectors((3, 8, 8))
    assert "Shown: time 3 of 4." in figures.volume_sheet(Volume(np.zeros((3, 8, 8, 4)), grid, axes=("time",))).caption
    assert "Shown" not in figures.volume_sheet(Volume(np.zeros((3, 8, 8)), grid)).caption


def test_a_ct_without_lungs_is_shown_in_the_soft_tissue_window():
    values = np.full((6, 20, 20), -1000, np.int16)
    values[:, 4:16, 4:16] = 40
    head = Volume(values, Grid.from_vectors(values.shape), codes.HU)
    assert "Soft tissue W 400 / L 40 HU" in figures.volume_sheet(head).caption
    chest = values.copy()
    chest[:, 8:12, 8:12] = -850
    assert "Lung W 1500 / L −600 HU" in figures.volume_sheet(head.with_array(chest)).caption
