import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from isocenter import codes
from isocenter.errors import UsageError
from isocenter.geometry import Grid, Space
from isocenter.ops.reformat import plane, section
from isocenter.ops.resample import onto
from isocenter.volume import Volume

GRID = Grid.from_vectors((20, 24, 28), spacing_mm=(2, 1, 1), origin_mm=(10, -12, 40), frame_of_reference_uid="1.2")
POINTS = GRID.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1))
SLOPE = np.array([3.0, -2.0, 5.0])
CT = Volume((POINTS @ SLOPE).astype(np.float32), GRID, codes.HU, modality="CT")


def _places(grid):
    return grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))


def test_an_axial_plane_is_seen_as_radiologists_see_it_whichever_way_its_normal_points():
    for normal in ((0, 0, 1), (0, 0, -3)):
        axial = plane(CT, CT.grid.center_mm, normal)
        assert axial.orientation == "IPL"
        assert axial.shape == (1, 24, 28)
        assert axial.frame_of_reference_uid == "1.2"
    assert plane(CT, CT.grid.center_mm, (0, 1, 0)).orientation == "AIL"
    assert plane(CT, CT.grid.center_mm, (-1, 0, 0)).orientation == "LIP"


def test_a_plane_covers_what_it_cuts_of_the_image_and_no_more():
    coronal = plane(CT, CT.grid.center_mm, (0, 1, 0))
    assert coronal.extent_mm[1:] == (40, 28)
    np.testing.assert_allclose(coronal.center_mm, CT.grid.center_mm, atol=1e-9)
    axial = plane(CT, (0, 0, 33), (0, 0, 1))
    assert axial.origin_mm[2] == pytest.approx(33)
    np.testing.assert_allclose(axial.to_world((0, 0, 0))[:2], GRID.origin_mm[:2], atol=1e-9)


def test_an_oblique_section_shows_each_point_where_it_lies():
    oblique = plane(CT, CT.grid.center_mm, (0.3, -0.5, 0.8), spacing_mm=0.7)
    shown = section(CT, oblique)
    places = _places(oblique)
    index = GRID.to_index(places)
    within = ((index >= 0) & (index <= np.array(GRID.shape) - 1)).all(axis=-1)
    assert within.mean() > 0.4
    np.testing.assert_allclose(shown.array[within], (places @ SLOPE)[within], atol=1e-2)
    np.testing.assert_allclose((places - CT.grid.center_mm) @ np.array([0.3, -0.5, 0.8]), 0, atol=1e-9)
    far = ((index < -0.51) | (index > np.array(GRID.shape) - 0.49)).any(axis=-1)
    assert (shown.array[far] == -1024).all()


def test_rows_grow_towards_where_down_points():
    turned = plane(CT, CT.grid.center_mm, (0, 0, 1), down=(1, 1, 0.5), size_mm=(10, 12), spacing_mm=1)
    assert turned.shape == (1, 10, 12)
    np.testing.assert_allclose(turned.direction[:, 1], np.array([1, 1, 0]) / np.sqrt(2), atol=1e-12)
    assert turned.is_right_handed
    np.testing.assert_allclose(turned.center_mm, CT.grid.center_mm, atol=1e-9)


@pytest.mark.parametrize(("how", "projection"), [("max", sitk.MaximumProjection), ("min", sitk.MinimumProjection)])
def test_a_slab_of_whole_slices_is_their_projection(how, projection):
    noise = CT.with_array(np.random.default_rng(0).normal(0, 100, GRID.shape).astype(np.float32))
    axial = plane(noise, GRID.to_world((9.5, 0, 0)), (0, 0, 1), spacing_mm=1)
    shown = section(noise, axial, thickness_mm=4, how=how, interpolation="nearest")
    theirs = sitk.GetArrayFromImage(projection(sitk.GetImageFromArray(noise.array[9:11]), 2))
    np.testing.assert_array_equal(shown.array, theirs)
    assert shown.spacing_mm[0] == 4
    assert [reason.code for reason in shown.reasons] == ["PROJECTED"]


def test_a_mean_leaves_out_what_lies_beyond_the_image():
    one = CT.with_array(np.full(GRID.shape, 50, np.int16))
    edge = plane(one, GRID.to_world((0, 0, 0)), (0, 0, 1))
    shown = section(one, edge, thickness_mm=12)
    assert shown.array.dtype == np.float32
    assert (shown.array == 50).all()
    gap = CT.with_array(np.where(np.arange(20)[:, None, None] == 9, np.nan, np.full(GRID.shape, 7, np.float32)))
    inner = plane(gap, GRID.to_world((9.5, 0, 0)), (0, 0, 1))
    assert (section(gap, inner, thickness_mm=12, interpolation="nearest").array == 7).all()


def test_further_axes_come_along():
    film = Volume(np.stack([CT.array, -CT.array], axis=3), GRID, codes.HU, axes=("time",))
    oblique = plane(film, GRID.center_mm, (0.3, -0.5, 0.8))
    shown = section(film, oblique, thickness_mm=5, how="mean", outside=0)
    np.testing.assert_allclose(shown.array[..., 0], -shown.array[..., 1], atol=1e-3)


def test_what_is_no_plane_is_refused():
    center = GRID.center_mm
    for point, normal, options, said in (
        ((0, 0), (0, 0, 1), {}, "three finite numbers"),
        (center, (0, 0, 0), {}, "not all 0"),
        (center, (0, 0, np.nan), {}, "not all 0"),
        (center, (0, 0, 1), {"down": (0, 0, 2)}, "along the normal"),
        (center, (0, 0, 1), {"spacing_mm": 0}, "positive length"),
        (center, (0, 0, 1), {"size_mm": (3,)}, "two positive"),
        ((0, 0, 999), (0, 0, 1), {}, "does not pass"),
    ):
        with pytest.raises(UsageError, match=said):
            plane(CT, point, normal, **options)
    flat = Volume(CT.array, Grid(GRID.shape, GRID.affine, space=Space.PLANE))
    with pytest.raises(UsageError, match="no"):
        plane(flat, center, (0, 0, 1))
    axial = plane(CT, center, (0, 0, 1))
    for options, said in (({"thickness_mm": 0}, "positive"), ({"thickness_mm": 1, "how": "sum"}, "max, min, mean")):
        with pytest.raises(UsageError, match=said):
            section(CT, axial, **options)
    with pytest.raises(UsageError, match="one slice"):
        section(CT, GRID)
    with pytest.raises(UsageError, match="outside=VALUE"):
        section(Volume(CT.array, GRID), plane(CT, center, (1, 1, 1)), thickness_mm=3)
    np.testing.assert_array_equal(section(CT, axial).array, onto(CT, axial).array)
