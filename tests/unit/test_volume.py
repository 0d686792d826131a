import numpy as np
import pytest

from isocenter import codes
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.ops.intensity import percentiles
from isocenter.reasons import Reason
from isocenter.volume import Source, Volume

GRID = Grid.from_vectors((2, 2, 2))
TILT = Reason("TILT", "Tilted.")
VALUES = np.arange(8, dtype=np.int16).reshape(2, 2, 2)


def test_values_cannot_be_written_through_a_volume_and_are_not_copied():
    volume = Volume(VALUES, GRID)
    assert np.shares_memory(volume.array, VALUES)
    assert VALUES.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        volume.array[0, 0, 0] = 1


@pytest.mark.parametrize("dtype", [">i2", ">u2", ">i4", ">f4", ">f8"])
def test_values_in_the_byte_order_of_another_machine_keep_their_numbers(dtype):
    volume = Volume(VALUES.astype(dtype), GRID)
    assert volume.array.dtype.isnative
    np.testing.assert_array_equal(volume.array, VALUES)
    assert percentiles(volume, (50,)) == (3.5,)
    labels = Segmentation((VALUES.astype(">u2"),), GRID, (Segment.named("part", 7),), Algorithm("hand", "1"))
    assert labels.layers[0].dtype.isnative
    assert labels.mask("part").sum() == 1


def test_an_array_that_does_not_fit_is_refused():
    for array, axes in ((VALUES[:1], ()), (VALUES[..., None], ()), (VALUES, ("time",))):
        with pytest.raises(ValueError, match="does not fit"):
            Volume(array, GRID, axes=axes)
    with pytest.raises(ValueError, match="sources"):
        Volume(VALUES, GRID, sources=(Source("1"),))


def test_the_next_volume_keeps_what_is_not_changed():
    volume = Volume(VALUES, GRID, codes.HU, modality="CT", sources=(Source("1"), None), reasons=(TILT,))
    doubled = volume.with_array(VALUES * 2)
    assert (doubled.unit, doubled.sources, doubled.reasons) == (codes.HU, volume.sources, (TILT,))
    elsewhere = volume.on(GRID.crop((0, 0, 0), (1, 2, 2)), VALUES[:1])
    assert (elsewhere.unit, elsewhere.modality, elsewhere.sources, elsewhere.reasons) == (codes.HU, "CT", (), (TILT,))


def test_reasons_are_added_once():
    volume = Volume(VALUES, GRID).with_reasons([TILT, TILT]).with_reasons([TILT])
    assert volume.reasons == (TILT,)


def test_a_volume_says_in_a_line_what_it_is():
    film = Volume(np.zeros((2, 2, 2, 5), np.int16), GRID, codes.HU, ("time",), "CT", reasons=(TILT,))
    assert repr(film) == f"Volume(CT, int16, in [hnsf'U], time 5, {GRID}, TILT)"
    assert repr(Volume(np.zeros((2, 2, 2), np.uint8), GRID)) == f"Volume(uint8, in 1, {GRID})"


def test_further_axes_follow_the_spatial_ones():
    film = Volume(np.zeros((2, 2, 2, 5)), GRID, axes=("time",))
    assert film.shape == (2, 2, 2, 5)
    assert film.spacing_mm == (1, 1, 1)


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf")])
def test_a_time_step_is_a_positive_number_of_seconds(wrong):
    with pytest.raises(ValueError, match="time step"):
        Volume(np.zeros((1, 2, 2, 3)), Grid.from_vectors((1, 2, 2)), axes=("time",), time_step_s=wrong)
