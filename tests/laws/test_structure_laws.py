"""Laws of RT Structure Sets: where a grid lies changes nothing in what is drawn on it."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from isocenter.dicom.annotations.segmentation import read_segmentation
from isocenter.errors import IsocenterError
from isocenter.findings import Segmentation
from isocenter.geometry import Grid

from .strategies import grids

FRAME = "1.2.3"


def written(dataset: Dataset) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = io.BytesIO()
    dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def structures_on(dataset: Dataset, grid: Grid) -> Segmentation:
    return read_segmentation(written(dataset), grid=grid)


def structure_set(grid: Grid, k: int, polygons: list[np.ndarray]) -> Dataset:
    """One structure: polygons of (row, column) in slice ``k``."""
    dataset, roi, drawn = Dataset(), Dataset(), Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.481.3", "1.2.9"
    roi.ROINumber = drawn.ReferencedROINumber = 1
    roi.ROIName, roi.ReferencedFrameOfReferenceUID = "Organ", FRAME
    drawn.ContourSequence = []
    for polygon in polygons:
        item = Dataset()
        item.ContourGeometricType = "CLOSED_PLANAR"
        item.ContourData = [f"{x:.8f}" for x in grid.to_world([(k, r, c) for r, c in polygon]).ravel()]
        drawn.ContourSequence.append(item)
    dataset.StructureSetROISequence, dataset.ROIContourSequence = [roi], [drawn]
    return dataset


@given(st.booleans().flatmap(lambda sheared: grids(sheared=sheared)), st.integers(0, 10**6))
def test_a_mask_is_the_same_wherever_the_grid_lies(grid: Grid, seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(grid.shape[0]))
    corners = np.array(grid.shape[1:]) - 0.5
    polygons = [rng.uniform(-0.5, corners, (6, 2)) for _ in range(2)]
    straight = Grid.from_vectors(grid.shape, frame_of_reference_uid=FRAME)
    found = structures_on(structure_set(grid, k, polygons), grid)
    expected = structures_on(structure_set(straight, k, polygons), straight)
    assert np.array_equal(found.array, expected.array)


@given(st.booleans().flatmap(lambda sheared: grids(sheared=sheared)), st.integers(0, 10**6))
def test_every_mask_comes_back_from_its_own_outline(grid: Grid, seed: int) -> None:
    """The faces of a mask's pixels, drawn as one contour for each pixel, give the mask."""
    rng = np.random.default_rng(seed)
    mask = rng.random(grid.shape[1:]) < 0.5
    mask.flat[rng.integers(mask.size)] = True
    square = np.array([(-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5)])
    polygons = [square + pixel for pixel in np.argwhere(mask)]
    found = structures_on(structure_set(grid, 0, polygons), grid)
    assert np.array_equal(found.array[0], mask)
    assert not found.array[1:].any()


@given(st.integers(0, 10**6), st.integers(1, 8))
def test_damaged_bytes_are_refused_or_read_and_never_crash(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    grid = Grid.from_vectors((3, 8, 9), frame_of_reference_uid=FRAME)
    damaged = bytearray(written(structure_set(grid, 1, [rng.uniform(0, 8, (5, 2))])))
    for place in rng.integers(132, len(damaged), count):
        damaged[place] = rng.integers(256)
    with suppress(IsocenterError):
        read_segmentation(bytes(damaged), grid=grid)


@given(st.floats(0, 1, exclude_max=True), st.booleans())
def test_a_cut_file_gives_all_of_a_structure_or_nothing(share: float, is_undefined: bool) -> None:
    grid = Grid.from_vectors((3, 8, 9), frame_of_reference_uid=FRAME)
    square = np.array([(1, 1), (1, 6), (6, 6), (6, 1)], float) + 0.5
    dataset = structure_set(grid, 1, [square, square / 4 + 3])
    for keyword in ("StructureSetROISequence", "ROIContourSequence"):
        dataset[keyword].is_undefined_length = is_undefined
    dataset.ROIContourSequence[0]["ContourSequence"].is_undefined_length = is_undefined
    content = written(dataset)
    whole = read_segmentation(content, grid=grid).array
    with suppress(IsocenterError):
        found = read_segmentation(content[: int(share * len(content))], grid=grid)
        assert np.array_equal(found.array, whole)
