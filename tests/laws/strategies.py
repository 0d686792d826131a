"""Random grids and images for the laws."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

from isocenter.codes import HU, LUNG
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.volume import Source, Volume

spacings = st.tuples(*[st.floats(0.2, 8.0)] * 3)
shapes = st.tuples(*[st.integers(1, 7)] * 3)
orientations = (
    st.permutations(("LR", "PA", "SI")).flatmap(lambda axes: st.tuples(*map(st.sampled_from, axes))).map("".join)
)


def examples(share: float) -> settings:
    """A share of the profile's number of examples, for laws that take long."""
    return settings(max_examples=max(1, round(settings.default.max_examples * share)))


@st.composite
def grids(draw, *, sheared=False) -> Grid:
    """Oblique, anisotropic, left- or right-handed grids; sheared ones on demand."""
    turn = Rotation.from_euler("xyz", draw(st.tuples(*[st.floats(-180, 180)] * 3)), degrees=True).as_matrix()
    if draw(st.booleans()):
        turn = turn * np.array([1, 1, -1])
    if sheared:
        turn = turn @ np.array([[1, 0, 0], [draw(st.floats(0.05, 0.5)), 1, 0], [draw(st.floats(-0.3, 0.3)), 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn * draw(spacings)
    affine[:3, 3] = draw(st.tuples(*[st.floats(-500, 500)] * 3))
    return Grid(draw(shapes), affine, draw(st.sampled_from([None, "1.2.3"])))


@st.composite
def volumes(draw, *, sheared=False, dtypes=(np.int16, np.uint8, np.float32)) -> Volume:
    """Volumes in HU with a source behind each slice."""
    grid = draw(grids(sheared=sheared))
    dtype = draw(st.sampled_from(dtypes))
    low = 0 if np.dtype(dtype).kind == "u" else -1024
    array = draw(hnp.arrays(np.int16, grid.shape, elements=st.integers(low, 255))).astype(dtype)
    return Volume(array, grid, HU, modality="CT", sources=tuple(Source(f"1.{k}") for k in range(grid.shape[0])))


@st.composite
def segmentations(draw, *, sheared=False) -> Segmentation:
    """Label maps with two segments."""
    grid = draw(grids(sheared=sheared))
    array = draw(hnp.arrays(np.uint8, grid.shape, elements=st.integers(0, 2)))
    segments = (Segment("one", 1, "One", LUNG), Segment("two", 2, "Two", LUNG, color=(1, 2, 3)))
    return Segmentation((array,), grid, segments, Algorithm("test", "1"))


@st.composite
def indices(draw, grid: Grid) -> tuple[int, int, int]:
    """A voxel of a grid."""
    return tuple(draw(st.integers(0, n - 1)) for n in grid.shape)
