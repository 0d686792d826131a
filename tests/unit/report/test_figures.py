from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from isocenter import codes
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.report import canvas, figures
from isocenter.report.planes import Plane
from isocenter.report.sections import scene, section
from isocenter.volume import Volume


def reoriented(volume, segmentation, orientation):
    order, flips = volume.grid.axes_towards(orientation)
    grid = volume.grid.reorient(orientation)
    labels = np.flip(segmentation.array.transpose(order), flips)
    return (
        volume.on(grid, np.flip(volume.array.transpose(order), flips)),
        replace(segmentation, layers=(labels,), grid=grid),
    )


@pytest.mark.parametrize("orientation", ["SPL", "LIP", "PIL", "RSA"])
def test_reorienting_the_arrays_does_not_change_a_picture(volume, segmentation, orientation):
    there = figures.draw(*reoriented(volume, segmentation, orientation))
    for one, other in zip(figures.draw(volume, segmentation), there, strict=True):
        assert (one.name, one.title) == (other.name, other.title)
        assert one.caption == other.caption
        assert np.abs(one.image.astype(int) - other.image).max() <= (24 if one.name == "surface" else 0)


def test_a_report_has_four_axial_two_coronal_and_two_sagittal_key_slices(volume, segmentation):
    names = [figure.name for figure in figures.key_slices(volume, segmentation)]
    assert names == ["axial_1", "axial_2", "axial_3", "axial_4", "coronal_1", "coronal_2", "sagittal_1", "sagittal_2"]


def test_the_sagittal_key_slices_go_through_the_right_and_then_the_left_lung(volume, segmentation):
    titles = [f.title for f in figures.key_slices(volume, segmentation) if f.name.startswith("sagittal")]
    right, left = (int(title.split()[1]) - 1 for title in titles)
    assert 6 <= right < 20
    assert 28 <= left < 42


def test_pixels_are_square_whatever_the_voxels(volume, segmentation):
    for plane, (height_mm, width_mm) in {
        Plane.AXIAL: (80.0, 96.0),
        Plane.CORONAL: (72.0, 96.0),
        Plane.SAGITTAL: (72.0, 80.0),
    }.items():
        picture, px_per_mm = section(scene(volume, segmentation, plane), 10, (700, 700), line_px=1.5)
        assert picture.shape[0] / height_mm == pytest.approx(px_per_mm, rel=0.003)
        assert picture.shape[1] / width_mm == pytest.approx(px_per_mm, rel=0.003)


def test_the_right_lung_is_on_the_left_of_the_picture(volume, segmentation):
    picture, _ = section(scene(volume, segmentation, Plane.AXIAL), 10, (480, 480), line_px=2)
    columns = {segment.name: np.nonzero(_near(picture, segment.color))[1].mean() for segment in segmentation.segments}
    assert columns["lung_right"] < 240 < columns["lung_left"]


def _near(picture, color):
    return np.abs(picture.astype(int) - color).max(axis=2) < 40


def _outlined(mask, shape, width_px):
    """The outline of a mask in the whole of a picture."""
    line = canvas.outline(canvas.area(mask, shape), width_px)
    whole = np.zeros(shape, np.float32)
    whole[line.part] = line.cover
    return whole


def test_an_outline_runs_along_the_border_of_the_voxels():
    mask = np.zeros((20, 30), bool)
    mask[5:12, 8:21] = True
    line = _outlined(mask, (200, 300), 2.0)
    rows, columns = np.nonzero(line > 0.5)
    assert (rows.min(), rows.max()) == (pytest.approx(50, abs=2), pytest.approx(119, abs=2))
    assert (columns.min(), columns.max()) == (pytest.approx(80, abs=2), pytest.approx(209, abs=2))
    assert line[70:100, 100:190].max() == 0  # nothing inside
    assert line[:40].max() == 0  # nothing far outside
    across = line[85, 60:100]
    assert across.sum() == pytest.approx(2.0, abs=0.4)  # as wide as asked


def test_what_fills_the_whole_picture_or_a_single_row_has_no_outline():
    assert _outlined(np.ones((5, 5), bool), (50, 50), 2.0).max() == 0
    assert _outlined(np.ones((1, 5), bool), (1, 50), 2.0).max() == 0


@pytest.mark.parametrize("shape", [(211, 300), (64, 48), (23, 31), (9, 200), (3, 2)])
@pytest.mark.parametrize("corner", [(0, 0), (10, 20), (19, 27)])
def test_an_area_is_the_same_as_cut_out_of_the_whole(shape, corner):
    mask = np.zeros((23, 31), bool)
    mask[corner[0] : corner[0] + 4, corner[1] : corner[1] + 4] = np.eye(4)[: 23 - corner[0], : 31 - corner[1]]
    area = canvas.area(mask, shape)
    image = Image.fromarray(mask.astype(np.float32))
    whole = np.asarray(image.resize(shape[::-1], Image.Resampling.BILINEAR))
    np.testing.assert_allclose(area.cover, whole[area.part], atol=1e-6)
    whole = whole.copy()
    whole[area.part] = 0
    assert whole.max() == 0


def test_a_scale_bar_is_as_long_as_it_says():
    assert canvas.bar_mm(120) == 100
    assert canvas.bar_mm(99) == 50
    assert canvas.bar_label(50) == "5 cm"
    assert canvas.bar_label(5) == "5 mm"
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (400, 100))
    canvas.scale_bar(ImageDraw.Draw(image), (390, 90), 3.0, room_px=330, size=16)
    columns = np.flatnonzero(np.asarray(image)[90].max(axis=1) > 150)
    assert np.ptp(columns) == pytest.approx(300, abs=3)  # 10 cm at 3 px per mm


def test_letters_stand_at_the_edges_of_every_key_slice(volume, segmentation):
    for figure in figures.key_slices(volume, segmentation):
        rows, columns = figure.image.shape[:2]
        middle = slice(rows // 2 - 16, rows // 2 + 16)
        for edge in (figure.image[middle, :30], figure.image[middle, columns - 30 :]):
            assert edge.min(axis=2).max() > 200  # white ink ...
            assert edge.max(axis=2).min() < 30  # ... with a dark rim


def test_an_oblique_grid_is_shown_with_its_letters(volume, segmentation):
    turn = np.array([[np.cos(0.5), -np.sin(0.5), 0], [np.sin(0.5), np.cos(0.5), 0], [0, 0, 1]])
    affine = volume.grid.affine.copy()
    affine[:3, :3] = turn @ affine[:3, :3]
    grid = replace(volume.grid, affine=affine)
    turned = volume.on(grid, volume.array)
    assert scene(turned, replace(segmentation, grid=grid), Plane.AXIAL).image.edges == ("RA", "LP", "AL", "PR")
    assert len(figures.draw(turned, replace(segmentation, grid=grid))) == 11


@pytest.mark.parametrize("shape", [(1, 30, 40), (2, 30, 40), (30, 2, 3), (3, 3, 3)])
def test_a_volume_with_few_slices_or_rows_is_drawn(shape):
    labels = np.ones(shape, np.uint8)
    grid = Grid.from_vectors(shape, spacing_mm=(5, 1, 1))
    volume = Volume(np.zeros(shape, np.int16), grid, codes.HU)
    found = Segmentation((labels,), grid, (Segment("all", 1, "All", codes.LUNG),), Algorithm("made up", "1"))
    drawn = figures.draw(volume, found)
    assert {"axial_1", "contact_sheet", "histogram"} <= {figure.name for figure in drawn}
    assert all(figure.image.dtype == np.uint8 and min(figure.image.shape[:2]) > 50 for figure in drawn)


def test_empty_segments_leave_the_pictures_and_no_surface(volume, segmentation):
    empty = replace(segmentation, layers=(np.zeros(volume.grid.shape, np.uint8),))
    names = [figure.name for figure in figures.draw(volume, empty)]
    assert "surface" not in names
    assert {"axial_1", "contact_sheet", "histogram"} <= set(names)
    no_segments = replace(empty, segments=())
    assert len(figures.draw(volume, no_segments)) == len(names)


def test_the_contact_sheet_says_which_sections_it_shows(volume, segmentation):
    sheet = figures.contact_sheet(volume, segmentation)
    assert "16 of 24 axial sections, evenly spread from number 5 to 20" in sheet.caption


def test_a_volume_alone_has_a_sheet_and_a_histogram(volume):
    assert [figure.name for figure in figures.draw_volume(volume)] == ["contact_sheet", "histogram"]


def test_a_segmentation_on_another_grid_is_refused(volume, segmentation):
    moved = replace(segmentation, grid=volume.grid.flip(0))
    with pytest.raises(ValueError, match="another grid"):
        figures.key_slices(volume, moved)


def test_a_volume_with_a_time_axis_is_refused_where_segments_are_drawn(volume, segmentation):
    moving = Volume(np.zeros((*volume.grid.shape, 2)), volume.grid, axes=("time",))
    with pytest.raises(ValueError, match="spatial axes"):
        figures.contact_sheet(moving, segmentation)


def test_the_airways_shine_through_the_lung_in_front_of_them(volume, segmentation):
    labels = segmentation.array.copy()
    labels[8:14, 18:23, 11:16] = 3
    tube = Segment("airways", 3, "Airways", codes.TRACHEA_AND_BRONCHUS, color=(232, 60, 148))
    plain = figures.surface(segmentation)
    shining = figures.surface(replace(segmentation, layers=(labels,), segments=(*segmentation.segments, tube)))
    front = slice(60, 400), slice(0, 200)
    changed = np.abs(shining.image[front].astype(int) - plain.image[front]).max(axis=2)
    assert (changed > 30).sum() > 500


def test_encoded_pictures_are_the_same_each_time(volume, segmentation):
    first, second = (figures.contact_sheet(volume, segmentation) for _ in range(2))
    assert first.data == second.data
    assert first.data.startswith(b"\xff\xd8")
    assert first.png.startswith(b"\x89PNG")


def test_axial_sections_bear_the_instance_numbers_of_their_slices(volume, segmentation):
    labels = [str(100 + k) for k in range(24)]
    plain, named = (figures.draw(volume, segmentation, labels=given) for given in ((), labels))
    turned, there = reoriented(volume, segmentation, "SPL")  # feet to head: the slices in the opposite order
    again = figures.draw(turned, there, labels=labels[::-1])
    for before, figure, other in zip(plain, named, again, strict=True):
        if figure.name.startswith("axial"):
            number = int(figure.title.split()[1])
            assert figure.caption == other.caption == f"Instance Number {99 + number}; {before.caption}"
        assert (figure.image == before.image).all() != figure.name.startswith(("axial", "contact_sheet"))


def test_sections_across_the_slices_bear_no_instance_number(volume, segmentation):
    turned, there = reoriented(volume, segmentation, "PIL")  # a coronal stack
    for figure in figures.key_slices(turned, there, labels=[str(k) for k in range(turned.grid.shape[0])]):
        assert ("Instance Number" in figure.caption) == figure.name.startswith("coronal")


def test_labels_that_do_not_fit_the_slices_are_refused(volume, segmentation):
    with pytest.raises(ValueError, match="3 labels for 24 slices"):
        figures.draw(volume, segmentation, labels=("1", "2", "3"))


def test_a_rim_runs_around_a_contour_and_not_far():
    line = np.zeros((11, 11), np.float32)
    line[5, 5] = 1
    rim = canvas.halo(line) > 0
    assert rim[5, 3:8].all()
    assert rim.sum() == 13  # all within two steps


def test_the_histogram_says_where_the_lungs_end(volume, segmentation):
    lungs = replace(segmentation, algorithm=Algorithm("lungs", "1", (("air_hu", -400),)))
    assert "about −400 HU" in figures.histogram(volume, lungs).caption
    assert "end at" not in figures.histogram(volume, segmentation).caption


def test_the_histogram_counts_every_voxel_or_says_which(volume, segmentation):
    spike = volume.array.copy()
    spike[8, 8:32, 6:20] = -700  # one slice of the right lung
    deep = volume.on(replace(volume.grid, shape=(24, 40, 48)), spike)
    assert "from every voxel." in figures.histogram(deep, segmentation).caption
    assert not np.array_equal(
        figures.histogram(deep, segmentation).image, figures.histogram(volume, segmentation).image
    )
    shape = (100, 4, 4)
    grid = Grid.from_vectors(shape)
    labels = Segmentation((np.ones(shape, np.uint8),), grid, segmentation.segments[:1], Algorithm("m", "1"))
    of_reals = figures.histogram(Volume(np.linspace(0, 1, 1600, dtype=np.float32).reshape(shape), grid), labels)
    assert "the voxels of every 3rd slice" in of_reals.caption


def test_values_with_counts_have_the_percentiles_of_the_values(volume):
    from isocenter.report.histogram import Group

    values = np.random.default_rng(1).normal(-800, 60, 5000).round()
    once = Group("a", (0, 0, 0), values, None)
    counted = Group("a", (0, 0, 0), *np.unique(values, return_counts=True))
    np.testing.assert_allclose(counted.percentiles((0.2, 99.0)), once.percentiles((0.2, 99.0)), atol=2)
    bins = np.arange(-1100.0, -400.0, 10)
    np.testing.assert_allclose(counted.percent(bins), once.percent(bins))
