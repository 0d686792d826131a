"""Segmenters by name."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from isocenter import codes
from isocenter.errors import Refused, UsageError
from isocenter.findings import Algorithm, Segment, Segmentation
from isocenter.geometry import Grid
from isocenter.ops import anatomy
from isocenter.ops.anatomy import SegmenterInfo, segment, segmenters
from isocenter.volume import Volume

GRID = Grid.from_vectors((4, 5, 6))


def ct(**changes):
    return Volume(np.full(GRID.shape, -1000, np.int16), GRID, **{"unit": codes.HU, "modality": "CT", **changes})


def everything(volume):
    one = Segment("all", 1, "All", codes.BODY)
    return Segmentation((np.ones(volume.grid.shape, np.uint8),), volume.grid, (one,), Algorithm("all", "1"))


PLUG_IN = SegmenterInfo("all", "All", "Everything.", f"{__name__}:everything", ("all",), ("CT", "MR"))


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(UsageError, match=r"'liver'.*airways, body, bone, lungs, muscle, nodules, tissue, vessels"):
        segment(ct(), "liver")


@pytest.mark.parametrize("info", anatomy.BUILT_IN, ids=lambda info: info.name)
def test_every_built_in_loads_and_makes_the_segments_it_promises(info):
    always = tuple(name for name in info.segments if "*" not in name)
    assert info.load()(ct()).names == always


@pytest.mark.parametrize("changes", [{"modality": "MR"}, {"unit": codes.ONE}])
@pytest.mark.parametrize("name", ["lungs", "bone"])
def test_another_modality_or_unit_is_refused(name, changes):
    with pytest.raises(Refused) as refused:
        segment(ct(**changes), name)
    assert [reason.code for reason in refused.value.reasons] == ["WRONG_MODALITY"]


def test_a_ct_of_unknown_modality_is_taken_if_it_is_in_hounsfield_units():
    assert segment(ct(modality=""), "body").names == ("body",)


def test_segmenters_of_other_packages_are_found_by_entry_point(monkeypatch):
    entry = EntryPoint("all", "somewhere:PLUG_IN", anatomy.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda self: PLUG_IN)
    monkeypatch.setattr(SegmenterInfo, "load", lambda self: everything)
    monkeypatch.setattr(anatomy, "entry_points", lambda group: [entry] if group == anatomy.GROUP else [])
    anatomy.table.cache_clear()
    try:
        assert segment(ct(), "all").volume_ml("all") == pytest.approx(0.12)
        assert segmenters()[-1] == PLUG_IN
    finally:
        anatomy.table.cache_clear()


def test_the_table_is_plain_values():
    assert json.loads(json.dumps([info.to_dict() for info in segmenters()]))[0]["name"] == "lungs"


def test_air_alone_holds_no_body():
    found = segment(ct(), "lungs")
    assert not found.array.any()
    assert [reason.code for reason in found.reasons] == ["BODY_NOT_FOUND"]
