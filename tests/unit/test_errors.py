from isocenter.errors import Bug, InputError, IsocenterError, MissingExtra, Refused, TryLater, UsageError
from isocenter.reasons import Reason


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
