"""Pictures by OpenCV; the face is scikit-image's portrait of Eileen Collins (NASA, public domain)."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import InputError, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.ops import photos
from isocenter.volume import Volume

pytest.importorskip("cv2")


def _picture(array: np.ndarray, axes: tuple[str, ...] = ()) -> Volume:
    rows, columns = array.shape[:2]
    grid = Grid((1, rows, columns), np.eye(4), space=Space.PIXEL)
    return Volume(np.ascontiguousarray(array)[None], grid, codes.ONE, axes, "XC")


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    from skimage import data

    return np.asarray(data.astronaut())


def test_a_face_in_a_photograph_is_found(portrait: np.ndarray) -> None:
    (box,) = photos.faces(_picture(portrait, ("color",)))
    assert (box.start[0], box.stop[0]) == (0, 1)
    nose = (90, 225)  # row, column, by eye
    assert all(a < place < b for a, place, b in zip(box.start[1:], nose, box.stop[1:], strict=True))
    assert box.stop[1] - box.start[1] < 200


def test_a_face_in_16_bits_of_grey_is_found_too(portrait: np.ndarray) -> None:
    grey = (portrait.mean(axis=2) * 16).astype(np.uint16)
    assert len(photos.faces(_picture(grey))) == 1


def test_a_picture_with_a_face_says_so_and_one_without_does_not(portrait: np.ndarray) -> None:
    told = photos.face_checked(_picture(portrait, ("color",)))
    assert [reason.code for reason in told.reasons] == ["FACE_VISIBLE"]
    assert photos.face_checked(_picture(portrait[300:], ("color",))).reasons == ()


def test_a_face_in_one_frame_of_a_cine_is_found(portrait: np.ndarray) -> None:
    grey = portrait.mean(axis=2).astype(np.uint8)
    cine = np.stack([np.zeros_like(grey), grey], axis=-1)
    assert len(photos.faces(_picture(cine, ("time",)))) == 1
    with pytest.raises(UsageError, match="cine of 2 frames"):
        photos.edges(_picture(cine, ("time",)))


def test_volumes_and_missing_values_are_refused() -> None:
    with pytest.raises(UsageError, match="3 slices"):
        photos.faces(Volume(np.zeros((3, 8, 8)), Grid.from_vectors((3, 8, 8))))
    with pytest.raises(InputError, match="no numbers"):
        photos.edges(_picture(np.full((8, 8), np.nan)))


def test_what_is_brighter_than_its_surroundings_is_found_on_a_slope() -> None:
    slope = np.add.outer(np.zeros(60), np.linspace(0, 200, 80))
    slope[20:26, 10:16] += 40
    slope[40:46, 60:66] += 40
    found = photos.local_threshold(_picture(slope), width_px=21, offset=0.05).array[0]
    expected = np.zeros((60, 80), bool)
    expected[20:26, 10:16] = expected[40:46, 60:66] = True
    np.testing.assert_array_equal(found.astype(bool), expected)


def test_the_edge_of_a_square_is_one_pixel_wide() -> None:
    square = np.zeros((40, 40), np.uint8)
    square[10:30, 10:30] = 200
    found = photos.edges(_picture(square)).array[0]
    assert 60 <= found.sum() <= 84
    assert not found[14:26, 14:26].any()
    assert photos.edges(_picture(np.zeros((9, 9), np.uint8))).array.sum() == 0


def test_impossible_settings_are_refused() -> None:
    picture = _picture(np.zeros((9, 9), np.uint8))
    with pytest.raises(UsageError, match="odd"):
        photos.local_threshold(picture, width_px=4)
    with pytest.raises(UsageError, match="rise"):
        photos.edges(picture, low=0.5, high=0.5)


def test_outlines_lie_in_the_patient_and_know_holes() -> None:
    grid = Grid.from_vectors((3, 10, 10), spacing_mm=(5, 2, 1), origin_mm=(7, -3, 40))
    mask = np.zeros(grid.shape, bool)
    mask[1, 2:8, 3:9] = True
    mask[1, 4:6, 5:7] = False
    found = photos.outlines(
        Segmentation((mask.astype(np.uint8),), grid, (Segment.named("ring"),), Algorithm("hand", "1"))
    )
    assert [(one.name, one.slice_index, one.is_hole) for one in found] == [("ring", 1, False), ("ring", 1, True)]
    corners = {tuple(point) for point in found[0].points.tolist()}
    assert corners == {tuple(grid.to_world((1, r, c)).tolist()) for r in (2, 7) for c in (3, 8)}


def test_a_picture_with_transparency_is_refused() -> None:
    with pytest.raises(UsageError, match="4 samples"):
        photos.faces(_picture(np.zeros((9, 9, 4), np.uint8), ("color",)))
