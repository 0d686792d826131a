"""Units by their names in the header and by their codes."""

from __future__ import annotations

import pytest
from pydicom import Dataset
from pydicom.sr._concepts_dict import concepts

from isocenter import codes
from isocenter.codes import Code
from isocenter.dicom.values.units import unit_coded, unit_named

STANDARD = {value: entry[value][0] for entry in concepts["UCUM"].values() for value in entry}
PET = ("BQML", "CNTS", "CPS", "PROPCNTS", "PROPCPS", "CM2", "GML", "CM2ML", "UMOLML", "UMOLMINML", "MGMINML")
PET += ("MLMING", "MLG", "1CM")


@pytest.mark.parametrize("name", PET)
def test_the_units_of_pet_are_those_of_the_context_group(name):
    unit = unit_named(name)
    assert unit.meaning == STANDARD[unit.value]


def test_what_tells_no_unit_has_none():
    assert [unit_named(name) for name in ("US", "", "NORMALIZED", "UCUM ")] == [None] * 4


def test_a_unit_may_come_from_a_code():
    assert unit_named("UCUM Hz") == Code("Hz", "UCUM", "Hertz")
    assert unit_named("UCUM mm2/s") == Code("mm2/s", "UCUM", "mm2/s")
    assert unit_named("UCUM 1") == codes.ONE


@pytest.mark.parametrize("keyword", ["CodeValue", "LongCodeValue", "URNCodeValue"])
def test_a_coded_unit_keeps_its_code(keyword):
    item = Dataset()
    item.CodingSchemeDesignator, item.CodeMeaning = "UCUM", "square millimetres per second"
    setattr(item, keyword, "mm2/s")
    assert unit_coded(item) == Code("mm2/s", "UCUM", "square millimetres per second")
    assert unit_coded(Dataset()) == codes.ONE
