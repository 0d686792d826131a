"""Laws of series: where slices lie, in which order they come, and which volume they belong to."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from isocenter.dicom.reading.pixels import read
from isocenter.dicom.reading.regrid import plan
from isocenter.dicom.scan import scan
from isocenter.dicom.sorting.grouping import series_from, together
from isocenter.geometry import Grid, Space
from isocenter.reasons import Verdict
from isocenter.testing.dicom import Style, uid_of, write_series

from .strategies import examples, grids

GRID = Grid.from_vectors((4, 3, 2), spacing_mm=(2, 0.5, 0.75), origin_mm=(1, 2, 50))


def put(folder, grid=GRID, name="a", value=0, **attributes):
    """A small MR series whose stored values are its voxels' numbers from a value on."""

    def edit(index, data_set):
        data_set.SOPInstanceUID = uid_of(name, index)

    style = Style(modality="MR", rescale=None, attributes=attributes, edit=edit, file_name=f"{name}-{{:03d}}".format)
    values = value + np.arange(np.prod(grid.shape)).reshape(grid.shape)
    return values, write_series(values, grid, folder, style=style)


def in_slice_order(grid):
    return grid if grid.is_right_handed else grid.flip(0)


@examples(0.5)
@given(st.one_of(grids(), grids(sheared=True)))
def test_a_grid_that_was_written_is_read(grid):
    assume(grid.shape[0] > 1 or not grid.is_sheared)
    with tempfile.TemporaryDirectory() as folder:
        values, _ = put(folder, grid)
        (series,) = scan(folder)
        assert series.verdict.usable
        assert series.grid.coincides(in_slice_order(grid), 1e-4)
        if not grid.is_sheared:
            array = read(series).array
            assert np.array_equal(array, values if grid.is_right_handed else values[::-1])


@examples(0.5)
@given(st.data())
def test_the_order_of_files_does_not_matter(data):
    """Nor which names they bear: three volumes of one series, told by echo, in any order."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [path for echo in (1, 2, 3) for path in put(folder, name=f"v{echo}", EchoNumbers=echo)[1]]
        plain = facts(folder)
        order = data.draw(st.permutations(range(len(paths))))
        for number, path in zip(order, paths, strict=True):
            path.rename(Path(folder) / f"{number:02d}.dcm")
        assert facts(folder) == plain


def facts(folder):
    return {
        (series.part, series.grid, tuple(instance.sop_instance_uid for instance in series.instances))
        for series in scan(folder)
    }


@examples(0.3)
@given(st.permutations(range(12)))
def test_the_order_of_frames_does_not_matter(order):
    with tempfile.TemporaryDirectory() as folder:
        for time in (1, 2, 3):
            put(folder, name=f"t{time}", TemporalPositionIdentifier=time)
        parts = scan(folder)
        frames = [frame for series in parts for frame in series.frames]
        again = series_from([frames[place] for place in order], lambda one, other: False)
        assert again == tuple(parts)


@examples(0.3)
@given(st.integers(2, 6), st.sampled_from(["TemporalPositionIdentifier", "EchoNumbers", "AcquisitionNumber"]))
def test_what_was_split_comes_together_again(count, keyword):
    with tempfile.TemporaryDirectory() as folder:
        written = [put(folder, name=f"v{n}", value=100 * n, **{keyword: n + 1})[0] for n in range(count)]
        parts = scan(folder)
        whole = together(parts, "time")
        assert np.array_equal(read(whole).array, np.stack(written, axis=-1))
        assert series_from(whole.frames, lambda one, other: False) == tuple(parts)


@examples(0.5)
@given(st.sets(st.integers(1, 8), max_size=4))
def test_slices_that_were_not_lost_are_kept_by_regridding(lost):
    grid = Grid.from_vectors((10, 2, 3), spacing_mm=(1.5, 1, 1))
    with tempfile.TemporaryDirectory() as folder:
        values, paths = put(folder, grid)
        for index in lost:
            paths[index].unlink()
        (series,) = scan(folder)
        ways = plan(series)
        assert (ways is None) == (series.verdict is not Verdict.HELD)
        if ways is None or not ways.grid.coincides(grid):
            return  # what is left is even by itself, or of a larger common step
        volume = read(series, gaps="regrid")
        made = {place for place, source in enumerate(volume.sources) if source is None}
        assert made == lost
        assert np.abs(volume.array - values).max() <= 0.5  # linear along the slices: what was made is right as well


marks = st.fixed_dictionaries(
    {},
    optional={
        "temporal_position": st.integers(1, 3),
        "echo_number": st.integers(1, 2),
        "b_value": st.sampled_from([0.0, 1000.0]),
        "acquisition_number": st.integers(1, 2),
        "trigger_time_ms": st.sampled_from([0.0, 40.0, 80.0]),
    },
)
slices = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([0.0, 0.0, 0.4]), marks, st.integers(1, 20)), min_size=1, max_size=14
)


@given(slices)
def test_no_slice_is_lost_and_none_is_woven_in(told):
    """Whatever the marks say: each frame is in one series, and a series that may be read is an even stack."""
    template = one_frame()
    frames = [
        replace(
            template,
            instance=template.instance._replace(sop_instance_uid=f"1.{index}", instance_number=number),
            position_mm=(0.0, 0.0, -2.0 * place - shift),
            mark=replace(template.mark, **mark),
        )
        for index, (place, shift, mark, number) in enumerate(told)
    ]
    found = series_from(frames, lambda one, other: False)
    names = [frame.name for series in found for frame in series.frames]
    assert sorted(names) == sorted(frame.name for frame in frames)
    assert len({series.name for series in found}) == len(found)
    for series in found:
        if series.verdict.usable and series.grid.space is Space.PATIENT:
            depths = np.diff([-frame.position_mm[2] for frame in series.frames])
            assert (depths > 0).all()
            assert np.ptp(depths) < 0.2 if len(depths) else True


@cache
def one_frame():
    """A frame to make others of."""
    with tempfile.TemporaryDirectory() as folder:
        put(folder, GRID.crop((0, 0, 0), (1, 3, 2)))
        return scan(folder)[0].frames[0]
