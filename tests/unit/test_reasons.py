import importlib
import json
import pkgutil

import pytest

from isocenter import reason_codes
from isocenter.reasons import CODES, Reason, Severity, Verdict, merge, verdict_of


def _of(severity):
    code = next(code for code, entry in CODES.items() if entry.severity == severity)
    return Reason(code, "So it was.")


def test_every_code_is_in_capitals_and_says_what_was_met_done_and_advised():
    for code, entry in CODES.items():
        assert code == code.upper()
        for sentence in (entry.meaning, entry.done, entry.advice):
            assert sentence.endswith(".")
            assert sentence[0].isupper() or sentence.startswith("--")


def test_an_unknown_code_is_refused():
    with pytest.raises(ValueError, match="Unknown reason code"):
        Reason("NO_SUCH_CODE", "x")


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        CODES["NEW"] = None


@pytest.mark.parametrize(
    ("severities", "verdict"),
    [
        ((), Verdict.OK),
        ((Severity.INFO, Severity.REVIEW), Verdict.OK),
        ((Severity.INFO, Severity.REPAIRED), Verdict.REPAIRED),
        ((Severity.GUESSED,), Verdict.REPAIRED),
        ((Severity.HELD, Severity.REPAIRED), Verdict.HELD),
        ((Severity.REJECTED, Severity.HELD), Verdict.REJECTED),
    ],
)
def test_the_heaviest_reason_makes_the_verdict(severities, verdict):
    assert verdict_of(map(_of, severities)) == verdict
    assert verdict.usable == (verdict in ("ok", "repaired"))


def test_severities_are_ordered_from_light_to_heavy():
    assert [severity.rank for severity in Severity] == list(range(6))
    assert Severity.INFO.rank < Severity.HELD.rank < Severity.REJECTED.rank


def test_reasons_merge_in_order_each_once():
    a, b = Reason("TILT", "a"), Reason("TILT", "b")
    assert merge([a, b], [b], [], [a]) == (a, b)


def test_a_reason_becomes_plain_values():
    reason = Reason("SLICE_GAP", "One slice is missing.", ("1.2",))
    plain = json.loads(json.dumps(reason.to_dict()))
    assert plain["code"] == "SLICE_GAP"
    assert plain["severity"] == "held"
    assert plain["instances"] == ["1.2"]
    assert str(reason) == "SLICE_GAP: One slice is missing."
    assert reason.advice == CODES["SLICE_GAP"].advice


def test_no_code_stands_in_two_rooms():
    names = [module.name for module in pkgutil.iter_modules(reason_codes.__path__) if module.name != "entry"]
    rooms = [importlib.import_module(f"{reason_codes.__name__}.{name}") for name in names]
    assert sum(len(room.CODES) for room in rooms) == len(reason_codes.CODES)
