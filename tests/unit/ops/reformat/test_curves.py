import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import UsageError
from isocenter.geometry import Grid, Space
from isocenter.ops.reformat import Curve, curved
from isocenter.volume import Volume

GRID = Grid.from_vectors((60, 64, 64), spacing_mm=(1.5, 1, 1), origin_mm=(-32, -32, 90))
PLACES = GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1))
ANGLES = np.linspace(0, np.pi / 2, 9)
ARC = np.stack(
    [20 * np.cos(ANGLES) - 10, np.full(9, 2.0), 40 + 20 * np.sin(ANGLES)], axis=1
)  # a quarter of 20 mm radius


def _tube(points, radius=3.0):
    """A bright tube of a radius around a curve."""
    from scipy.spatial import cKDTree

    away = cKDTree(Curve.through(points, spacing_mm=0.2).points_mm).query(PLACES.reshape(-1, 3))[0]
    return Volume(np.where(away.reshape(GRID.shape) < radius, 300, -50).astype(np.int16), GRID, codes.HU)


def test_a_curve_through_points_is_as_long_as_the_arc_they_lie_on_and_passes_them():
    curve = Curve.through(ARC, spacing_mm=0.5)
    assert curve.length_mm == pytest.approx(10 * np.pi, abs=0.6)
    np.testing.assert_allclose(np.linalg.norm(np.diff(curve.points_mm, axis=0), axis=1), 0.5, rtol=0.01)
    away = np.linalg.norm(curve.points_mm[:, None] - ARC[None], axis=2).min(axis=0)
    assert away.max() < 0.5
    line = Curve.through([(0, 0, 0), (0, 0, 10)], spacing_mm=2.5)
    np.testing.assert_allclose(line.points_mm[:, 2], [0, 2.5, 5, 7.5, 10])


@pytest.mark.parametrize("towards", [None, (0, 1, 0), (0, -1, 0), (1, 0, 0)])
def test_straightened_a_bent_tube_is_a_straight_band_of_its_width(towards):
    picture = curved(_tube(ARC), Curve.through(ARC, spacing_mm=0.5), width_mm=20, towards=towards)
    widths = (picture.array[0] > 125).sum(axis=1) * 0.5
    assert np.abs(widths[4:-4] - 6).max() <= 1.5
    middle = (picture.array[0] > 125) @ np.arange(picture.shape[2]) / (picture.array[0] > 125).sum(axis=1)
    assert np.abs(middle - (picture.shape[2] - 1) / 2).max() < 2


def test_stretched_a_tube_keeps_its_bend_along_the_lines_and_the_length_of_its_shadow():
    picture = curved(_tube(ARC), Curve.through(ARC, spacing_mm=0.5), width_mm=40, towards=(1, 0, 0), layout="stretched")
    assert picture.shape[1] * 0.5 == pytest.approx(20, abs=0.6)  # seen along x, the arc is 20 mm high
    bright = picture.array[0] > 125
    middle = bright @ np.arange(picture.shape[2]) / np.maximum(bright.sum(axis=1), 1) * 0.5 - 20
    height = np.arange(picture.shape[1]) * 0.5
    expected = np.sqrt(np.maximum(400 - height**2, 0)) - 10  # of the arc about the middle of its x
    assert np.abs(middle - expected)[:30].max() < 1.5


def test_a_picture_along_a_straight_line_shows_each_value_at_its_place():
    slope = Volume((PLACES @ [2.0, -3.0, 1.0]).astype(np.float32), GRID, codes.HU)
    line = Curve.through([(-5, 3, 20), (-5, 3, 60)], spacing_mm=1)
    picture = curved(slope, line, width_mm=20, towards=(0, 1, 0))
    down, right = np.indices(picture.shape[1:])
    np.testing.assert_allclose(picture.array[0], -10 - 3 * (3 + right - 10) + 20 + down, atol=1e-3)


def test_a_curved_plane_is_said_to_have_no_place_in_the_patient():
    picture = curved(_tube(ARC), Curve.through(ARC), width_mm=20)
    assert picture.grid.space is Space.PLANE
    assert picture.spacing_mm[1:] == (1, 1)
    assert [reason.code for reason in picture.reasons] == ["CURVED_PLANE"]
    assert picture.sources == ()


def test_outside_lies_air_and_elsewhere_what_is_stated():
    line = Curve.through([(0, 0, 80), (0, 0, 120)])
    ct = Volume(np.zeros(GRID.shape, np.int16), GRID, codes.HU)
    picture = curved(ct, line, width_mm=4)
    assert (picture.array[0, :10] == 0).all()
    assert (picture.array[0, -20:] == -1024).all()
    mr = Volume(np.zeros((*GRID.shape, 2), np.float32), GRID, axes=("time",))
    with pytest.raises(UsageError, match="outside=VALUE"):
        curved(mr, line, width_mm=4)
    assert curved(mr, line, width_mm=4, outside=-3).array.shape == (1, 41, 5, 2)


def test_what_is_no_curve_is_refused():
    for points in ([(0, 0, 0)], [(0, 0, 0), (0, 0, 0)], [(0, 0), (1, 1)], [(0, 0, 0), (0, 0, np.inf)]):
        with pytest.raises(UsageError):
            Curve.through(points)
    with pytest.raises(UsageError, match="positive"):
        Curve.through(ARC, spacing_mm=0)
    with pytest.raises(UsageError, match="shorter"):
        Curve.through([(0, 0, 0), (0, 0, 1)], spacing_mm=2)
    line, ct = Curve.through([(0, 0, 20), (0, 0, 60)]), _tube(ARC)
    for options, said in (
        ({"width_mm": -1}, "width"),
        ({"width_mm": 5, "layout": "flat"}, "straightened, stretched"),
        ({"width_mm": 5, "towards": (0, 0, 1)}, "along the direction"),
        ({"width_mm": 5, "towards": (0, 0, 1), "layout": "stretched"}, "along the direction"),
        ({"width_mm": 5, "towards": (0, 0, 0)}, "direction"),
    ):
        with pytest.raises(UsageError, match=said):
            curved(ct, line, **options)
    flat = Volume(ct.array, Grid(GRID.shape, GRID.affine, space=Space.PLANE), codes.HU)
    with pytest.raises(UsageError, match="no"):
        curved(flat, line, width_mm=5)
    with pytest.raises(UsageError, match="int64"):
        curved(ct.with_array(ct.array.astype(np.int64)), line, width_mm=5)
