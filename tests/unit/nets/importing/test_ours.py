"""A model of ours that is kept."""

from __future__ import annotations

from isocenter.nets.importing import Wishes, import_model
from isocenter.nets.models.model import Model, save_model
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Plan


def test_a_licence_that_is_stated_counts_and_an_unstated_one_stays(tmp_path):
    network = Network("residual_unet", {"features": [4, 8], "blocks": [1, 1]})
    plan = Plan("segmentation", ("CT",), ("lung",), network, patch=(8, 8, 8), spacing_mm=(6.0, 6.0, 6.0))
    save_model(Model("small", "1", plan, tmp_path / "made", {}, licence="MIT"), [build(plan).state_dict()])
    stated = import_model(tmp_path / "made", wishes=Wishes("stated", licence="CC0-1.0"), store=tmp_path / "store")
    as_found = import_model(tmp_path / "made", store=tmp_path / "store")
    assert (stated.licence, as_found.licence) == ("CC0-1.0", "MIT")
