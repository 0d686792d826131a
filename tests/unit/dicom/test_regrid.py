"""Regridding: uneven slices onto an even grid, asked for and told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.dicom.reading.pixels import read
from isocenter.dicom.scan import scan
from isocenter.errors import Refused, UsageError
from isocenter.geometry import Grid
from isocenter.reasons import Verdict
from isocenter.testing.dicom import Style, uid_of, write_series

GRID = Grid.from_vectors((9, 5, 6), spacing_mm=(2, 0.5, 0.75), origin_mm=(1, 2, 50))


def ramp(points):
    """Linear along every axis: linear interpolation gives it back."""
    x, y, z = np.moveaxis(points, -1, 0)
    return 2 * x + 3 * y - 4 * z


def write(folder, grid=GRID, without=(), depths=None):
    """Slices of the ramp; without some of them, or at other depths."""

    def edit(index, data_set):
        if depths is not None:
            data_set.ImagePositionPatient[2] = f"{GRID.origin_mm[2] - depths[index]:g}"

    if depths is not None:
        grid = Grid((len(depths), *GRID.shape[1:]), GRID.affine)
    values = np.stack([ramp(_points(grid, index, depths)) for index in range(grid.shape[0])])
    style = Style(modality="MR", rescale=(0.01, 0.0), edit=edit)
    paths = write_series(values, grid, folder, style=style)
    for index in without:
        paths[index].unlink()
    (series,) = scan(folder)
    return series


def _points(grid, index, depths):
    rows, columns = np.indices(grid.shape[1:])
    points = grid.to_world(np.stack([np.full_like(rows, index), rows, columns], axis=-1))
    if depths is not None:
        points[..., 2] = GRID.origin_mm[2] - depths[index]
    return points


def codes(value):
    return [reason.code for reason in value.reasons]


def test_missing_slices_are_made_between_their_neighbours_and_told(tmp_path: Path):
    series = write(tmp_path, without=[3, 4, 6])
    assert series.verdict is Verdict.HELD
    volume = read(series, gaps="regrid")
    assert volume.grid.coincides(GRID)
    assert np.abs(volume.array - ramp(volume.grid.to_world(np.moveaxis(np.indices(GRID.shape), 0, -1)))).max() < 0.02
    assert [place for place, source in enumerate(volume.sources) if source is None] == [3, 4, 6]
    assert volume.sources[5].sop_instance_uid == uid_of("isocenter", "instance", 5)
    assert codes(volume) == ["SLICES_MADE"]
    assert "3 of 9 slices, 2 mm apart, were made between their neighbours (3, 4, 6)." in volume.reasons[0].message


def test_a_gap_is_held_unless_asked_otherwise(tmp_path: Path):
    series = write(tmp_path, without=[3])
    with pytest.raises(Refused, match="SLICE_GAP"):
        read(series)


def test_varying_distances_become_the_smallest_that_recurs(tmp_path: Path):
    depths = [0, 2, 4, 6, 9.5, 13, 16.5]
    volume = read(write(tmp_path, depths=depths), gaps="regrid")
    assert volume.grid.spacing_mm[0] == pytest.approx(16.5 / 8)
    assert volume.shape[0] == 9
    expected = ramp(volume.grid.to_world(np.moveaxis(np.indices(volume.shape), 0, -1)))
    assert np.abs(volume.array - expected).max() < 0.3  # slices within their tolerance are kept as they are
    assert volume.sources[0] is not None
    assert volume.sources[-1] is not None


def test_a_tilted_stack_with_a_gap_comes_onto_an_upright_grid(tmp_path: Path):
    affine = GRID.affine.copy()
    affine[:3, 0] += (0, 0.5, 0)
    sheared = Grid(GRID.shape, affine)
    volume = read(write(tmp_path, grid=sheared, without=[4]), gaps="regrid")
    assert not volume.grid.is_sheared
    assert codes(volume) == ["SLICES_MADE", "TILT"]
    assert set(volume.sources) == {None}
    inside = sheared.to_index(volume.grid.to_world(np.moveaxis(np.indices(volume.shape), 0, -1)))
    inside = ((inside >= 0) & (inside <= np.array(GRID.shape) - 1)).all(axis=-1)
    expected = ramp(volume.grid.to_world(np.moveaxis(np.indices(volume.shape), 0, -1)))
    assert inside.sum() > 100
    assert np.abs(volume.array - expected)[inside].max() < 0.05


@pytest.mark.parametrize("depths", [[0, 2, 4, 6, 30], [0, 0.1, 0.2, 2, 4, 6, 8]])
def test_absurd_gaps_are_refused(tmp_path: Path, depths):
    series = write(tmp_path, depths=depths)
    with pytest.raises(Refused, match="GAPS_ABSURD"):
        read(series, gaps="regrid")


def test_slices_shifted_within_their_planes_are_refused(tmp_path: Path):
    def move(index, data_set):
        if index == 2:
            data_set.ImagePositionPatient[0] = 9

    write_series(np.zeros(GRID.shape), GRID, tmp_path, style=Style(edit=move))
    (series,) = scan(tmp_path)
    with pytest.raises(Refused, match="one line"):
        read(series, gaps="regrid")


def test_regridding_mends_nothing_else(tmp_path: Path):
    paths = write_series(np.zeros(GRID.shape), GRID, tmp_path)
    paths[3].unlink()
    paths[5].write_bytes(paths[5].read_bytes()[:-20])
    (series,) = scan(tmp_path)
    with pytest.raises(Refused, match="PIXELS_TRUNCATED"):
        read(series, gaps="regrid")


def test_an_even_series_is_read_as_ever(tmp_path: Path):
    series = write(tmp_path)
    assert np.array_equal(read(series, gaps="regrid").array, read(series).array)


def test_whole_numbers_stay_whole(tmp_path: Path):
    values = np.broadcast_to(np.arange(9)[:, None, None] * 3, GRID.shape)
    paths = write_series(values, GRID, tmp_path, style=Style(rescale=(1.0, 0.0)))
    paths[4].unlink()
    volume = read(scan(tmp_path)[0], gaps="regrid")
    assert volume.array.dtype == np.int16
    assert (volume.array[4] == 12).all()


def test_another_policy_is_wrong_use(tmp_path: Path):
    with pytest.raises(UsageError, match="gaps"):
        read(write(tmp_path), gaps="fill")
