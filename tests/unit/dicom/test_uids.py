from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from isocenter.dicom.derived.uids import derive


def test_the_same_parts_give_the_same_uid() -> None:
    assert derive("a", b"b") == derive("a", "b") == "2.25.80570676777572633702511940372177902698"


def test_where_one_part_ends_matters() -> None:
    assert derive("ab", "c") != derive("a", "bc") != derive("abc")


def test_a_uid_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one part"):
        derive()


@given(st.lists(st.text(), min_size=1))
def test_every_uid_is_valid_and_says_it_is_a_uuid_made_of_a_hash(parts: list[str]) -> None:
    uid = derive(*parts)
    number = int(uid.removeprefix("2.25."))
    assert UID(uid).is_valid
    assert re.fullmatch(r"2\.25\.[1-9]\d{0,38}", uid)
    assert number >> 76 & 0xF == 8
    assert number >> 62 & 0x3 == 2
