"""Laws of DICOM objects: what goes into a SEG or an SR comes out of it again, whatever it is."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from isocenter import codes
from isocenter.dicom.derived import seg, sr
from isocenter.dicom.derived.making import Making, encode
from isocenter.errors import Bug
from isocenter.findings import Algorithm, Measurement, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.testing.dicom import slice_data_set

from .strategies import examples, grids

MAKING = Making(datetime(2026, 11, 21, 2, 0, tzinfo=UTC), ("seed",))
NAMES = ("lung_right", "lung_left", "trachea", "body")


@st.composite
def segmentations(draw: st.DrawFn) -> Segmentation:
    """Up to four segments in one or two label maps, among other labels that no segment has."""
    grid = draw(st.booleans().flatmap(lambda sheared: grids(sheared=sheared)))  # as by a tilted gantry, or not
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    layers = tuple(rng.integers(0, 5, grid.shape).astype(draw(st.sampled_from(["u1", "u2", "i4"]))) for _ in range(2))
    places = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 4)), min_size=1, max_size=4, unique=True))
    segments = tuple(
        Segment(name, label, name.title(), codes.LUNG, layer=layer)
        for name, (layer, label) in zip(NAMES, places, strict=False)
    )
    return Segmentation(layers, grid, segments, Algorithm("noise", "1"))


def headers_on(grid: Grid) -> list[Dataset]:
    headers = [slice_data_set(np.zeros(grid.shape[1:]), grid, k) for k in range(grid.shape[0])]
    for header in headers:
        del header.PixelData
    return headers


def read_again(dataset: Dataset) -> Dataset:
    return dcmread(io.BytesIO(encode(dataset)))


@examples(2 / 3)
@given(segmentations(), st.sampled_from(seg.Encoding))
def test_every_mask_comes_back_from_a_seg(segmentation: Segmentation, encoding: seg.Encoding) -> None:
    masks = [segmentation.mask(name) for name in segmentation.names]
    assume(any(mask.any() for mask in masks))
    overlap = (np.sum(masks, axis=0) > 1).any()
    assume(not (overlap and encoding is seg.Encoding.LABELMAP))
    made = seg.make(segmentation, headers_on(segmentation.grid), MAKING, encoding=encoding)
    assert (made.SegmentsOverlap == "YES") == overlap
    back = read_again(made)
    seg.check(back, segmentation)
    found = seg.read_back(back, segmentation.grid)
    assert all(np.array_equal(a, b) for a, b in zip(found, masks, strict=True))


@examples(2 / 3)
@given(segmentations(), st.data())
def test_any_other_mask_is_told_apart(segmentation: Segmentation, data: st.DataObject) -> None:
    assume(any(segmentation.mask(name).any() for name in segmentation.names))
    back = read_again(seg.make(segmentation, headers_on(segmentation.grid), MAKING))
    segment = data.draw(st.sampled_from(segmentation.segments))
    place = tuple(data.draw(st.integers(0, n - 1)) for n in segmentation.grid.shape)
    layers = [layer.copy() for layer in segmentation.layers]
    layers[segment.layer][place] = 0 if layers[segment.layer][place] == segment.label else segment.label
    other = Segmentation(tuple(layers), segmentation.grid, segmentation.segments, segmentation.algorithm)
    with pytest.raises(Bug, match="read back"):
        seg.check(back, other)


@examples(2 / 3)
@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([codes.ML, codes.HU, codes.PERCENT])
        ),
        min_size=1,
        max_size=5,
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20),
)
def test_every_finite_number_comes_back_from_an_sr(values: list[tuple[float, codes.Code]], method: str) -> None:
    grid = Grid.from_vectors((2, 3, 3))
    labels = np.ones(grid.shape, np.uint8)
    one = Segmentation((labels,), grid, (Segment("lung", 1, "Lung", codes.LUNG),), Algorithm("noise", "1"))
    measurements = tuple(
        Measurement(f"m{i}", "M", value, unit, codes.VOLUME, ("lung",), method=method)
        for i, (value, unit) in enumerate(values)
    )
    headers = headers_on(grid)
    made = sr.make(measurements, headers, MAKING, segmentation=one, seg=seg.make(one, headers, MAKING))
    back = read_again(made)
    sr.check(back, measurements)
    assert [value for _, value, _ in sr.read_back(back)] == [value for value, _ in values]
