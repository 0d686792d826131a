"""Isocenter on the conformance suite: right in every voxel, or refused for a reason that holds."""

from __future__ import annotations

import pytest

from isocenter.testing.conformance import cases, judge, write
from isocenter.testing.own_answer import own_answer


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_isocenter_is_right_or_refuses_for_a_reason_that_holds(case, tmp_path):
    answer = own_answer(write(case, tmp_path / "case"))
    verdict = judge(case, answer)
    assert verdict.outcome.is_right, f"{verdict.outcome}: {verdict.detail}"
    if answer.pictures:
        assert case.says <= set(answer.codes)
