import json

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import UsageError
from isocenter.findings import Algorithm, Measurement, Segment, Segmentation, table
from isocenter.geometry import Grid
from isocenter.reasons import Reason

GRID = Grid.from_vectors((2, 2, 2), spacing_mm=(10, 10, 10))
LEFT = Segment("lung_left", 1, "Left lung", codes.LEFT_LUNG)
RIGHT = Segment("lung_right", 2, "Right lung", codes.RIGHT_LUNG)
NODULE = Segment("nodule", 1, "Nodule", codes.LUNG, layer=1)
ALGORITHM = Algorithm("test", "1")
MAP = np.array([[[0, 1], [1, 2]], [[2, 2], [0, 1]]], np.uint8)
OVER = np.array([[[0, 1], [0, 0]], [[0, 0], [0, 0]]], np.uint8)
LUNGS = Segmentation((MAP,), GRID, (LEFT, RIGHT), ALGORITHM)
LAYERED = Segmentation((MAP, OVER), GRID, (LEFT, RIGHT, NODULE), ALGORITHM)


def test_masks_and_volumes_are_had_by_name():
    np.testing.assert_array_equal(LUNGS.mask("lung_left"), MAP == 1)
    np.testing.assert_array_equal(LUNGS.mask("lung_left", "lung_right"), MAP > 0)
    assert LUNGS.volume_ml("lung_left") == pytest.approx(3.0)
    assert LUNGS.segment("lung_right") == RIGHT


def test_overlapping_segments_live_in_layers():
    np.testing.assert_array_equal(LAYERED.mask("nodule") & LAYERED.mask("lung_left"), OVER == 1)
    assert LAYERED.volume_ml("nodule") == pytest.approx(1.0)
    assert LAYERED.volume_ml("lung_left") == pytest.approx(3.0)
    with pytest.raises(ValueError, match="overlapping"):
        _ = LAYERED.array


def test_asking_for_a_mask_changes_no_layer():
    before = MAP.copy()
    LUNGS.mask("lung_left", "lung_right")[:] = False
    np.testing.assert_array_equal(MAP, before)


def test_an_unknown_name_says_which_there_are():
    with pytest.raises(UsageError, match="lung_left, lung_right"):
        LUNGS.mask("liver")


def test_without_names_a_mask_is_of_all_segments():
    np.testing.assert_array_equal(LUNGS.mask(), LUNGS.mask(*LUNGS.names))
    assert not LUNGS.only().mask().any()


@pytest.mark.parametrize(
    ("layers", "segments"),
    [
        ((MAP[:1],), (LEFT,)),
        ((MAP.astype(np.float32),), (LEFT,)),
        ((MAP.astype(bool),), (LEFT,)),
        ((-MAP.astype(np.int16),), (LEFT,)),
        ((MAP,), (LEFT, LEFT)),
        ((MAP,), (LEFT, Segment("other", 1, "Other", codes.LUNG))),
        ((MAP,), (Segment("zero", 0, "Zero", codes.LUNG),)),
        ((MAP,), (NODULE,)),
    ],
)
def test_what_cannot_be_a_segmentation_is_refused(layers, segments):
    with pytest.raises(ValueError, match=r"label|layer"):
        Segmentation(layers, GRID, segments, ALGORITHM)


def test_layers_cannot_be_written_through():
    with pytest.raises(ValueError, match="read-only"):
        LUNGS.array[0, 0, 0] = 1


def test_a_choice_of_segments_keeps_the_map():
    only = LUNGS.only("lung_right")
    assert only.names == ("lung_right",)
    assert only.array.base is not None
    np.testing.assert_array_equal(only.array, MAP)


def test_reasons_are_added_once():
    reason = Reason("LUNG_CUT", "Cut.")
    assert LUNGS.with_reasons([reason]).with_reasons([reason]).reasons == (reason,)


def test_measurements_become_plain_rows():
    volume = Measurement("volume", "Volume", 3.0, codes.ML, codes.VOLUME, ("lung_left", "lung_right"), method="Voxels.")
    assert json.loads(json.dumps(volume.to_dict()))["segments"] == ["lung_left", "lung_right"]
    (row,) = table([volume])
    assert (row["segments"], row["unit"], row["value"]) == ("lung_left+lung_right", "ml", 3.0)


def test_a_segmentation_says_in_a_line_what_it_is():
    assert repr(LUNGS) == f"Segmentation(lung_left, lung_right; {GRID})"
    many = [Segment.named(f"rib_{number}", number) for number in range(1, 12)]
    said = repr(Segmentation.of(MAP, LUNGS.with_reasons([Reason("LUNG_CUT", "Cut.")]), many, ALGORITHM))
    assert said.startswith("Segmentation(rib_1, rib_2,")
    assert said.endswith(f"rib_8 and 3 more; {GRID}, LUNG_CUT)")


def test_a_label_without_a_name_is_called_the_same_everywhere():
    assert Segment.named("label_2", 2).title == "label_2"
    assert Segment.named("hippocampus_left", 1).title == "Hippocampus left"
