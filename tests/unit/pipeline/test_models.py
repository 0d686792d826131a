"""A model applied like the main job: to a folder of DICOM or to one file, by its folder or its name."""

from __future__ import annotations

import json

import numpy as np
import pydicom
import pytest
import torch

import isocenter as iso
from isocenter.errors import UsageError
from isocenter.geometry import Grid
from isocenter.nets.models.model import Model, save_model, weights_of, with_facts
from isocenter.nets.networks import build
from isocenter.nets.plan import Network, Normalisation, Plan
from isocenter.pipeline.run import run
from isocenter.pipeline.spec import Settings, pipeline
from isocenter.reasons import Severity
from isocenter.testing.dicom import Style, write_series

SHAPE = (16, 24, 24)
HEADER = {
    "ReferringPhysicianName": "",
    "PositionReferenceIndicator": "",
    "ContrastBolusAgent": "Gadovist",
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def model_of(folder, **changes):
    facts = {
        "task": "segmentation",
        "channels": ("MR",),
        "labels": ("hippocampus_left", "hippocampus_right"),
        "network": Network("residual_unet", {"features": [4, 8], "blocks": [1, 1]}),
        "patch": (16, 16, 16),
        "normalisation": (Normalisation("zscore"),),
    }
    plan = Plan(**(facts | changes))
    torch.manual_seed(2)
    network = build(plan)
    return save_model(Model("Small one", "3", plan, folder, {}, licence="CC0-1.0"), [network.state_dict()])


@pytest.fixture
def study(tmp_path):
    grid = Grid.from_vectors(SHAPE, spacing_mm=(1.5, 1, 1))
    array = np.random.default_rng(0).normal(300, 80, SHAPE).clip(0).astype(np.int16)
    style = Style(modality="MR", attributes=HEADER, rescale=None)
    write_series(array, grid, tmp_path / "study", style=style)
    return tmp_path / "study"


def test_a_model_gives_all_that_the_main_job_gives(tmp_path, study):
    model = model_of(tmp_path / "model")
    (result,) = run(str(tmp_path / "model"), study, tmp_path / "out")
    assert result.verdict.usable
    assert {"seg", "sr", "html", "pdf", "pdf_dicom", "masks", "record"} <= set(result.outputs)
    record = json.loads(result.outputs["record"].read_text())
    assert record["pipeline"] == result.pipeline.name
    assert (record["algorithm"]["name"], record["algorithm"]["version"]) == ("Small one", "3")
    assert record["algorithm"]["settings"]["model_sha256"] == model.sha256
    assert record["algorithm"]["settings"]["licence"] == "CC0-1.0"
    assert model.sha256 in result.outputs["html"].read_text()
    found = iso.load_segmentation(result.outputs["masks"])
    seg = pydicom.dcmread(result.outputs["seg"])
    assert seg.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue == "5366008"
    assert found.grid.shape == SHAPE


@pytest.mark.parametrize(
    ("facts", "code", "words"),
    [
        ({}, "MODEL_UNPROVEN", "No result of the network on cases that it did not learn from is known."),
        (
            {
                "training": {"learned_from": ["a"] * 9, "held_out": ["b"] * 6},
                "held_out": {"dice_hippocampus_left": 0.31, "dice_hippocampus_right": 0.93},
            },
            "MODEL_WEAK",
            "below 0.7: hippocampus_left 0.31 (6 cases)",
        ),
    ],
)
def test_how_right_the_model_is_stands_beside_its_result(tmp_path, study, facts, code, words):
    with_facts(model_of(tmp_path / "model"), **facts)
    (result,) = run(str(tmp_path / "model"), study, tmp_path / "out")
    said = {reason.code: reason for reason in result.reasons}
    assert words in said[code].message
    assert said[code].severity is Severity.REVIEW
    page = result.outputs["html"].read_text()
    assert words in page.split('class="notes"')[0].split("<body")[1]
    assert "Review needed" in page
    record = json.loads(result.outputs["record"].read_text())
    assert code in {reason["code"] for reason in record["reasons"]}


def test_signals_of_mr_are_no_densities(tmp_path, study):
    model_of(tmp_path / "model")
    (result,) = run(str(tmp_path / "model"), study, tmp_path / "out")
    assert "DENSITY_UNCERTAIN" not in {reason.code for reason in result.reasons}
    titles = {measurement.title for measurement in result.measurements}
    assert "Mean intensity" in titles
    assert "Mean density" not in titles


def test_label_maps_and_bits_hold_the_same(tmp_path, study):
    model_of(tmp_path / "model")
    found = [
        run(str(tmp_path / "model"), study, tmp_path / kind, settings=Settings(seg=kind))[0].outputs
        for kind in ("binary", "labelmap")
    ]
    first, second = (iso.load_segmentation(one["masks"]).array for one in found)
    assert np.array_equal(first, second)


def test_a_file_will_do_and_a_name_too(tmp_path, study, monkeypatch):
    monkeypatch.setenv("ISOCENTER_MODELS", str(tmp_path / "kept"))
    model_of(tmp_path / "kept" / "small")
    volume = iso.read(iso.scan(study)[0])
    iso.save(volume, tmp_path / "image.nii.gz")
    (result,) = run("small", tmp_path / "image.nii.gz", tmp_path / "out")
    assert "masks" in result.outputs
    assert "small" in {one.name for one in iso.segmenters()}
    by_name = iso.segment(volume, "small")
    assert np.array_equal(by_name.array, iso.segment(volume, str(tmp_path / "kept" / "small")).array)
    assert by_name.names == ("hippocampus_left", "hippocampus_right")


def test_a_series_of_another_modality_does_not_fit(tmp_path, study):
    model_of(tmp_path / "model", channels=("CT",), normalisation=(Normalisation("ct", -100, 200, 20, 60),))
    (result,) = run(str(tmp_path / "model"), study, tmp_path / "out")
    assert not result.verdict.usable
    assert {"NO_SERIES_FITS", "WRONG_MODALITY"} <= {reason.code for reason in result.reasons}


def test_nothing_found_leaves_a_page_and_no_objects(tmp_path, study):
    model = model_of(tmp_path / "model")
    state = weights_of(model)[0]
    state["head.bias"] = torch.tensor([99.0, 0, 0])
    save_model(model, [state])
    (result,) = run(str(tmp_path / "model"), study, tmp_path / "out")
    assert "NETWORK_FOUND_NOTHING" in {reason.code for reason in result.reasons}
    assert "html" in result.outputs
    assert "seg" not in result.outputs


def test_models_for_something_else_and_unknown_names_are_wrong_use(tmp_path):
    model_of(tmp_path / "several", channels=("T1", "T2"), normalisation=(Normalisation(), Normalisation()))
    with pytest.raises(UsageError, match="2 images"):
        pipeline(str(tmp_path / "several"))
    with pytest.raises(UsageError, match="lungs"):
        pipeline("nothing")
    with pytest.raises(UsageError, match="no segmenter 'nothing'"):
        iso.segment(iso.Volume(np.zeros((2, 2, 2)), Grid((2, 2, 2), np.eye(4))), "nothing")
