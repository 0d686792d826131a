import numpy as np
import pytest

from isocenter.errors import Bug, InputError, IsocenterError, MissingExtra, Refused, TryLater, UsageError, expect
from isocenter.findings import Segmentation
from isocenter.reasons import Reason
from isocenter.volume import Volume
from isocenter.windows import Window


def test_each_error_has_the_exit_status_of_what_the_caller_can_do():
    statuses = {UsageError: 2, MissingExtra: 2, InputError: 1, Refused: 1, TryLater: 3, Bug: 1}
    for kind, status in statuses.items():
        assert issubclass(kind, IsocenterError)
        assert kind.exit_status == status


def test_a_missing_package_names_its_extra():
    assert "pip install 'isocenter[nets]'" in str(MissingExtra("torch", "nets"))


def test_a_refusal_carries_and_tells_its_reasons():
    gap = Reason("SLICE_GAP", "One slice is missing.")
    tilt = Reason("TILT", "Tilted.")
    refused = Refused(iter([gap, tilt]))
    assert refused.reasons == (gap, tilt)
    assert str(refused) == "[SLICE_GAP] One slice is missing. [TILT] Tilted."


@pytest.mark.parametrize(
    ("value", "kinds", "way"),
    [
        (np.zeros(3), (Segmentation,), r"not a ndarray: isocenter\.masks\.of"),
        (np.zeros(3), (Volume, Segmentation), r"Volume or a Segmentation, not a ndarray: volume\.with_array"),
        ((40, 400), (Window,), r"not a tuple: write isocenter\.Window\(center, width\)"),
        (3, (Volume,), r"not a int\.$"),
    ],
)
def test_a_wrong_kind_of_value_is_told_how_it_becomes_a_right_one(value, kinds, way):
    with pytest.raises(UsageError, match=way):
        expect(value, *kinds)
