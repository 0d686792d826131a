"""What images say of their cases: properties, skin tone."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import UsageError
from isocenter.evaluate import properties, skin_tone
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid, Space
from isocenter.volume import Volume


def wide(column: int, spacing_mm: float = 5.0) -> tuple[Volume, Segmentation]:
    grid = Grid.from_vectors((4, 10, 60), spacing_mm=(2, 3, spacing_mm), origin_mm=(-150, 0, 0))
    # columns grow to the patient's left in a common axial stack, as from_vectors has it with x negated
    image = Volume(np.arange(2400, dtype=np.float32).reshape(grid.shape), grid, codes.ONE)
    mask = np.zeros(grid.shape, np.uint8)
    mask[1:3, 2:5, column : column + 5] = 1
    return image, Segmentation((mask,), grid, (Segment.named("organ"),), Algorithm("t", "1"))


def test_the_side_is_that_of_the_patient() -> None:
    for column in (5, 50):
        image, truth = wide(column)
        place = truth.grid.to_world([1, 3, column + 2])[0] - truth.grid.center_mm[0]
        assert properties(image, truth)["side"] == ("left" if place > 0 else "right")
        flipped = Segmentation((truth.array[:, :, ::-1],), truth.grid.flip(2), truth.segments, truth.algorithm)
        turned = image.on(image.grid.flip(2), image.array[:, :, ::-1])
        assert properties(turned, flipped) == properties(image, truth)
    assert properties(*wide(28))["side"] == "unknown"
    assert properties(*wide(5, 1.0))["side"] == "unknown"


def test_other_properties_are_numbers() -> None:
    found = properties(*wide(5))
    assert float(found["volume_ml"]) == pytest.approx(2 * 3 * 5 * 30 / 1000)
    assert float(found["spacing_mm"]) == 5
    assert 2300 < float(found["intensity_range"]) < 2400


def photo(color: tuple[int, int, int]) -> Volume:
    array = np.full((1, 40, 40, 3), color, np.uint8)
    array[0, 10:20, 10:20] = 30, 20, 20
    return Volume(array, Grid((1, 40, 40), np.eye(4), space=Space.PIXEL), codes.ONE, axes=("color",))


def test_skin_tones_are_told_apart_with_a_reason() -> None:
    tones = [skin_tone(photo(color)) for color in ((250, 228, 215), (224, 180, 150), (150, 100, 70), (70, 45, 30))]
    angles = [tone.ita_degrees for tone in tones]
    assert angles == sorted(angles, reverse=True)
    assert tones[0].tone == "very light"
    assert tones[-1].tone == "dark"
    assert [reason.code for reason in tones[0].reasons] == ["SKIN_TONE_ESTIMATED"]


def test_the_angle_is_that_of_scikit_image() -> None:
    color = pytest.importorskip("skimage.color")
    for pixel in ((224, 180, 150), (120, 80, 60)):
        light, _, b = color.rgb2lab(np.array([[pixel]], np.uint8))[0, 0]
        expected = np.degrees(np.arctan2(light - 50, b))
        assert skin_tone(photo(pixel)).ita_degrees == pytest.approx(expected, abs=0.2)


def test_a_lesion_is_left_out_and_grey_is_no_skin() -> None:
    image = photo((224, 180, 150))
    mask = np.zeros(image.grid.shape, np.uint8)
    mask[0, 10:20, 10:20] = 1
    lesion = Segmentation((mask,), image.grid, (Segment.named("mole"),), Algorithm("t", "1"))
    assert skin_tone(image, lesion).pixels == 1500
    assert skin_tone(photo((128, 128, 128))) is None
    with pytest.raises(UsageError):
        skin_tone(image.with_array(image.array.astype(np.float32)))
