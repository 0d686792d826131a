"""A header told from the layout of its series is the one that is found by walking it, whatever its bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from isocenter.dicom.file import walk
from isocenter.dicom.file.elements import NotDicomError
from isocenter.dicom.file.files import FileRef, MemoryBytes
from isocenter.dicom.file.layouts import Layouts
from isocenter.dicom.frames.frame import only_frame
from isocenter.dicom.frames.instance import instance_from
from isocenter.geometry import Grid
from isocenter.testing.dicom import Style, write_series

GRID = Grid.from_vectors((12, 4, 6), spacing_mm=(3, 1, 1))


def edit(index: int, data_set: Dataset) -> None:
    item = Dataset()
    item.CodeValue = "1"
    data_set.ProcedureCodeSequence = [item]
    data_set.ContentTime = f"1012{index:02d}.5" if index % 3 else ""
    data_set.RedPaletteColorLookupTableData = bytes(2 * index)
    data_set.private_block(0x0019, "MAKER", create=True).add_new(1, "UN", bytes(index))


@pytest.fixture(scope="module", params=["explicit", "implicit", "RLE"])
def two_series(request, tmp_path_factory) -> list[list[bytes]]:
    found = []
    for seed in ("one", "another"):
        style = Style(syntax=request.param, seed=seed, edit=edit)
        paths = write_series(np.zeros(GRID.shape), GRID, tmp_path_factory.mktemp("series"), style=style)
        found.append([Path(path).read_bytes() for path in paths])
    return found


@pytest.fixture(scope="module")
def series(two_series) -> list[bytes]:
    return two_series[0]


def walked(content: bytes):
    try:
        return walk.read_header(MemoryBytes(content))
    except (walk.UnusualError, KeyError, NotDicomError):
        return None


def told(layouts: Layouts, content: bytes):
    header = layouts.header_of(MemoryBytes(content))
    return header and header._replace(memo=None)


def taught(contents: list[bytes]) -> tuple[Layouts, int]:
    """Layouts that have met files, and how many of these they knew beforehand."""
    layouts, known = Layouts(), 0
    for content in contents:
        found, expected = told(layouts, content), walked(content)
        assert found in (None, expected)
        known += found is not None
        if found is None and expected is not None:
            layouts.learn(MemoryBytes(content), expected)
    return layouts, known


def test_most_files_of_a_series_are_known_by_the_others(series):
    assert taught(series)[1] > len(series) // 2


def test_of_a_second_series_of_the_kind_all_but_two_are_known(two_series):
    one, another = two_series
    assert taught([*one, *another])[1] >= taught(one)[1] + len(another) - 2


def test_frames_of_what_a_series_shares_are_those_made_alone(series):
    layouts, _ = taught(series)
    shared = [
        header for content in series if (header := layouts.header_of(MemoryBytes(content))) and header.memo is not None
    ]
    assert len(shared) > len(series) // 2
    for header in shared:
        assert frame_of(header) == frame_of(header._replace(memo=None))


def frame_of(header):
    return only_frame(instance_from(FileRef("a file"), header), header)


@given(st.data())
def test_a_changed_file_is_told_as_it_is_walked(series, data):
    layouts, _ = taught(series)
    content = bytearray(data.draw(st.sampled_from(series)))
    end = walked(bytes(content)).pixels.offset
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))])
    assert told(layouts, cut) in (None, walked(cut))


@given(st.data())
def test_files_of_any_order_teach_nothing_wrong(series, data):
    taught(data.draw(st.lists(st.sampled_from(series), max_size=20)))
