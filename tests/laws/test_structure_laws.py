"""Laws of RT Structure Sets: where a grid lies changes nothing in what is drawn on it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from isocenter.dicom.structures import structures_on
from isocenter.geometry import Grid

from .strategies import grids

FRAME = "1.2.3"


def structure_set(grid: Grid, k: int, polygons: list[np.ndarray]) -> Dataset:
    """One structure: polygons of (row, column) in slice ``k``."""
    dataset, roi, drawn = Dataset(), Dataset(), Dataset()
    roi.ROINumber = drawn.ReferencedROINumber = 1
    roi.ROIName, roi.ReferencedFrameOfReferenceUID = "Organ", FRAME
    drawn.ContourSequence = []
    for polygon in polygons:
        item = Dataset()
        item.ContourGeometricType = "CLOSED_PLANAR"
        item.ContourData = grid.to_world([(k, r, c) for r, c in polygon]).ravel().tolist()
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
