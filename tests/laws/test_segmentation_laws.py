"""Laws of stored segmentations: what is written is read again, wherever it lies; damage is told and never crashes."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from isocenter import codes
from isocenter.dicom.annotations.segmentation import read_segmentation
from isocenter.dicom.derived import seg
from isocenter.dicom.derived.making import Making, encode
from isocenter.errors import IsocenterError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.testing.dicom import slice_data_set

from .strategies import examples, grids

MAKING = Making(datetime(2026, 11, 21, 2, 0, tzinfo=UTC), ("seed",))


@st.composite
def stored(draw: st.DrawFn) -> tuple[Segmentation, bytes]:
    """Up to three segments, which may overlap, in some slices of a grid; and the object made of them."""
    grid = draw(st.booleans().flatmap(lambda sheared: grids(sheared=sheared)))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    encoding = draw(st.sampled_from(seg.Encoding))
    depth = 1 if encoding is seg.Encoding.LABELMAP else 2
    layers = [rng.integers(0, 3, grid.shape).astype(np.uint8) for _ in range(depth)]
    for layer in layers:
        layer[rng.random(grid.shape[0]) < 0.4] = 0
    segments = tuple(
        Segment(f"s{layer}_{label}", label, f"S {layer} {label}", codes.LUNG, layer=layer)
        for layer in range(depth)
        for label in (1, 2)
    )
    found = Segmentation(tuple(layers), grid, segments, Algorithm("noise", "1"))
    assume(any(layer.any() for layer in layers))
    headers = [slice_data_set(np.zeros(grid.shape[1:]), grid, k) for k in range(grid.shape[0])]
    for header in headers:
        del header.PixelData
    return found, encode(seg.make(found, headers, MAKING, encoding=encoding))


@examples(2 / 3)
@given(stored())
def test_on_its_grid_every_voxel_comes_back(case: tuple[Segmentation, bytes]) -> None:
    segmentation, content = case
    found = read_segmentation(content, grid=segmentation.grid)
    assert found.names == segmentation.names
    assert found.grid == segmentation.grid
    for name in segmentation.names:
        assert np.array_equal(found.mask(name), segmentation.mask(name))


@examples(2 / 3)
@given(stored())
def test_without_a_grid_every_voxel_lies_where_it_lay(case: tuple[Segmentation, bytes]) -> None:
    segmentation, content = case
    found = read_segmentation(content)
    assert found.grid.is_right_handed
    for name in segmentation.names:
        assert np.allclose(places(found, name), places(segmentation, name), atol=1e-2)


def places(segmentation: Segmentation, name: str) -> np.ndarray:
    """World points of a segment's voxels, in an order that does not depend on the grid."""
    points = segmentation.grid.to_world(np.argwhere(segmentation.mask(name)))
    return points[np.lexsort(np.round(points, 1).T + 0.0)] if len(points) else points


@given(stored(), st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_bytes_are_refused_or_read_and_never_crash(
    case: tuple[Segmentation, bytes], changes: list[tuple[float, int]]
) -> None:
    segmentation, content = case
    damaged = bytearray(content)
    for place, value in changes:
        damaged[int(place * len(damaged))] = value
    for grid in (segmentation.grid, None):
        with suppress(IsocenterError):
            read_segmentation(bytes(damaged), grid=grid)


@given(stored(), st.floats(0, 1, exclude_max=True))
def test_cut_files_are_refused(case: tuple[Segmentation, bytes], share: float) -> None:
    segmentation, content = case
    with pytest.raises(IsocenterError):
        read_segmentation(content[: int(share * (len(content) - 20))], grid=segmentation.grid)
