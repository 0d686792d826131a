import re

import pytest
from pydicom.sr._concepts_dict import concepts

from isocenter import codes
from isocenter.codes import Code

ALL = {name: value for name, value in vars(codes).items() if isinstance(value, Code)}


def test_there_are_codes_and_each_is_named_once():
    assert len(ALL) > 20
    assert len({(code.value, code.scheme) for code in ALL.values()}) == len(ALL)


@pytest.mark.parametrize("name", ALL)
def test_a_code_fits_the_limits_of_dicom(name):
    code = ALL[name]
    assert 1 <= len(code.value) <= 16  # SH
    assert len(code.meaning) <= 64  # LO
    assert code.scheme in {"SCT", "DCM", "UCUM", "LN", "RADLEX", "99ISOCENTER"}


@pytest.mark.parametrize("name", [name for name, code in ALL.items() if code.scheme in ("SCT", "DCM")])
def test_a_code_that_the_standard_lists_has_a_meaning_listed_there(name):
    code = ALL[name]
    meanings = {_bare(entry[code.value][0]) for entry in concepts[code.scheme].values() if code.value in entry}
    assert not meanings or code.meaning.lower() in meanings


def test_most_codes_are_in_the_tables_of_the_standard():
    listed = {value for scheme in ("SCT", "DCM") for entry in concepts[scheme].values() for value in entry}
    own = [code for code in ALL.values() if code.scheme in ("SCT", "DCM")]
    assert sum(code.value in listed for code in own) > 0.8 * len(own)


def _bare(meaning):
    """A meaning without the kind of thing that SNOMED CT puts after it."""
    return re.sub(r" \([a-z ]+\)$", "", meaning.lower())
