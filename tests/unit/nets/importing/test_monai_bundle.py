"""MONAI bundles, written by MONAI's own networks and configuration."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile

import numpy as np
import pytest
import torch
from monai.networks.nets import UNet

from isocenter.errors import InputError, MissingExtra, Refused, UsageError
from isocenter.nets.importing import Wishes, import_model
from isocenter.nets.importing.monai_bundle import _file
from isocenter.nets.plan import Normalisation
from isocenter.nets.runtimes import open_runtime

ARGUMENTS = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 2,
    "channels": [4, 8],
    "strides": [2],
    "num_res_units": 1,
    "norm": "batch",
}
STEPS = [
    {"_target_": "LoadImaged", "keys": "@image_key"},
    {"_target_": "EnsureChannelFirstd", "keys": "image"},
    {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
    {"_target_": "Spacingd", "keys": "image", "pixdim": [1.5, 1.5, 2.0], "mode": "bilinear"},
    {
        "_target_": "ScaleIntensityRanged",
        "keys": "image",
        "a_min": -57,
        "a_max": 164,
        "b_min": 0,
        "b_max": 1,
        "clip": True,
    },
    {"_target_": "EnsureTyped", "keys": "image"},
]


def bundle(folder, network=None, steps=STEPS, channels=None, **changes):
    place = folder / "spleen_ct_segmentation"
    (place / "configs").mkdir(parents=True)
    (place / "models").mkdir()
    metadata = {
        "version": "0.5.9",
        "name": "Spleen CT segmentation",
        "intended_use": "an example",
        "network_data_format": {
            "inputs": {"image": {"num_channels": 1, "modality": "CT", "spatial_shape": [96, 96, 96]}},
            "outputs": {"pred": {"channel_def": channels or {"0": "background", "1": "spleen"}}},
        },
    }
    config = {
        "imports": ["$import glob"],
        "image_key": "image",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": network or {"_target_": "UNet", **ARGUMENTS},
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": steps},
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 16], "overlap": 0.5},
        **changes,
    }
    (place / "configs" / "metadata.json").write_text(json.dumps(metadata))
    (place / "configs" / "inference.json").write_text(json.dumps(config))
    (place / "LICENSE").write_text("\nApache License\nVersion 2.0")
    torch.manual_seed(2)
    made = UNet(**ARGUMENTS).eval()
    torch.save(made.state_dict(), place / "models" / "model.pt")
    return place, made


def test_a_bundle_gives_what_its_network_gives(tmp_path):
    place, network = bundle(tmp_path)
    model = import_model(place, store=tmp_path / "store")
    plan = model.plan
    assert (plan.labels, plan.channels, plan.patch) == (("spleen",), ("CT",), (16, 16, 16))
    assert (plan.spacing_mm, plan.orientation) == ((1.5, 1.5, 2.0), "RAS")
    assert plan.normalisation == (Normalisation("range", -57.0, 164.0),)
    assert (model.licence, model.version) == ("Apache License", "0.5.9")
    assert model.folder.name == "Spleen-CT-segmentation"
    batch = np.random.default_rng(0).standard_normal((2, 1, 16, 16, 16), np.float32)
    with torch.inference_mode():
        assert np.array_equal(open_runtime(model)(batch), network(torch.from_numpy(batch)).numpy())


def test_a_zip_file_and_weights_one_level_deeper_will_do(tmp_path):
    place, network = bundle(tmp_path)
    torch.save({"model": network.state_dict(), "epoch": 3}, place / "models" / "model.pt")
    archive = shutil.make_archive(str(tmp_path / "zipped"), "zip", tmp_path, place.name)
    assert import_model(archive, wishes=Wishes("a"), store=tmp_path / "store").plan.labels == ("spleen",)


def test_without_pyyaml_it_is_told_what_a_yaml_configuration_needs(tmp_path, monkeypatch):
    (tmp_path / "inference.yaml").write_text("preprocessing: {}")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtra, match="yaml"):
        _file(tmp_path / "inference.yaml")


def test_a_yaml_configuration_is_read(tmp_path):
    place, _ = bundle(tmp_path)
    import yaml

    path = place / "configs" / "inference.json"
    path.with_suffix(".yaml").write_text(yaml.safe_dump(json.loads(path.read_text())))
    path.unlink()
    assert import_model(place, store=tmp_path / "store").plan.patch == (16, 16, 16)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"_target_": "NormalizeIntensityd", "keys": "image", "channel_wise": True}, Normalisation("zscore")),
        ({"_target_": "ScaleIntensityd", "keys": "image"}, Normalisation("percentile", 0.0, 100.0)),
        (
            {
                "_target_": "ScaleIntensityRangePercentilesd",
                "lower": 1,
                "upper": 99,
                "b_min": 0,
                "b_max": 1,
                "clip": True,
            },
            Normalisation("percentile", 1.0, 99.0),
        ),
        (
            {"_target_": "ScaleIntensityRanged", "a_min": 0, "a_max": 100, "b_min": -1, "b_max": 1, "clip": True},
            Normalisation("ct", 0.0, 100.0, 50.0, 50.0),
        ),
    ],
)
def test_what_scales_values_is_the_same_here(tmp_path, step, expected):
    place, _ = bundle(tmp_path, steps=[*STEPS[:3], step])
    assert import_model(place, store=tmp_path / "store").plan.normalisation == (expected,)


def test_scaling_is_equal_to_monais_own(tmp_path):
    import monai.transforms as its

    from isocenter.geometry import Grid
    from isocenter.nets.prepare import prepared
    from isocenter.volume import Volume

    array = np.random.default_rng(0).normal(20, 60, (8, 7, 6)).astype(np.float32)
    shape = array.shape
    volume = Volume(
        array, Grid.from_vectors(shape, spacing_mm=(1, 1, 1), origin_mm=(0, 0, 0)).reorient("RAS").with_shape(shape)
    )
    for step in (
        {"_target_": "NormalizeIntensityd", "keys": "image"},
        {"_target_": "ScaleIntensityd", "keys": "image"},
        {
            "_target_": "ScaleIntensityRangePercentilesd",
            "keys": "image",
            "lower": 1,
            "upper": 99,
            "b_min": 0,
            "b_max": 1,
            "clip": True,
        },
        {
            "_target_": "ScaleIntensityRanged",
            "keys": "image",
            "a_min": -57,
            "a_max": 164,
            "b_min": -1,
            "b_max": 1,
            "clip": True,
        },
    ):
        shutil.rmtree(tmp_path / "spleen_ct_segmentation", ignore_errors=True)
        place, _ = bundle(tmp_path, steps=[*STEPS[:3], step])
        plan = import_model(place, store=tmp_path / "store").plan
        kind = getattr(its, step["_target_"])
        theirs = kind(**{key: value for key, value in step.items() if key != "_target_"})({"image": array[None]})[
            "image"
        ]
        assert np.abs(prepared([volume.with_array(array)], plan).array - np.asarray(theirs)).max() < 1e-5


def test_what_differs_is_said(tmp_path):
    crop = {"_target_": "CropForegroundd", "keys": "image", "source_key": "image"}
    nonzero = {"_target_": "NormalizeIntensityd", "keys": "image", "nonzero": True}
    place, _ = bundle(tmp_path, steps=[*STEPS[:2], crop, nonzero])
    model = import_model(place, store=tmp_path / "store")
    assert [reason.code for reason in model.reasons].count("MODEL_UNLIKE") == 3
    assert any("sliding window" in reason.message for reason in model.reasons)
    assert "MODEL_GUESSED" in [reason.code for reason in model.reasons]  # nothing says how images lie


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"network": {"_target_": "os.system", "command": "true"}}, "MODEL_FOREIGN_CODE"),
        ({"network": "$__import__('os').system('true')"}, "MODEL_FOREIGN_CODE"),
        ({"network": {"_target_": "UNet", **ARGUMENTS, "act": "$print('never')"}}, "MODEL_FOREIGN_CODE"),
        ({"network": {"_target_": "scripts.net.Net"}}, "MODEL_FOREIGN_CODE"),
        ({"steps": [*STEPS, {"_target_": "HistogramNormalized", "keys": "image"}]}, "MODEL_STEP_UNKNOWN"),
        ({"preprocessing": "$@something"}, "MODEL_STEP_UNKNOWN"),
        ({"inferer": {"_target_": "SimpleInferer", "roi_size": "$@patch"}}, "MODEL_STEP_UNKNOWN"),
        ({"channels": {"0": "tumor core", "1": "whole tumor"}}, "MODEL_OUTPUT_UNKNOWN"),
    ],
)
def test_what_cannot_be_used_rightly_is_refused(tmp_path, changes, code, capfd):
    place, _ = bundle(tmp_path, **changes)
    with pytest.raises(Refused) as caught:
        import_model(place, store=tmp_path / "store")
    assert caught.value.reasons[0].code == code
    assert "never" not in capfd.readouterr().out
    assert not (tmp_path / "store").exists()


def test_code_that_is_trusted_runs_once_and_its_trace_is_kept(tmp_path):
    place, _ = bundle(tmp_path, network={"_target_": "its_scripts.net.Net"})
    (place / "its_scripts").mkdir()
    (place / "its_scripts" / "__init__.py").write_text("")
    code = "import torch\nclass Net(torch.nn.Conv3d):\n    def __init__(self): super().__init__(1, 2, 3, padding=1)\n"
    (place / "its_scripts" / "net.py").write_text(code)
    network = torch.nn.Conv3d(1, 2, 3, padding=1)
    torch.save(network.state_dict(), place / "models" / "model.pt")
    model = import_model(place, wishes=Wishes(code="trusted"), store=tmp_path / "store")
    shutil.rmtree(place)
    batch = np.random.default_rng(0).standard_normal((1, 1, 16, 16, 16), np.float32)
    with torch.inference_mode():
        assert np.allclose(open_runtime(model)(batch), network(torch.from_numpy(batch)).numpy(), atol=1e-6)
    assert model.runtime == "torchscript"


def test_weights_that_hold_a_whole_network_are_refused(tmp_path):
    place, network = bundle(tmp_path)
    torch.save(network, place / "models" / "model.pt")
    with pytest.raises(Refused) as caught:
        import_model(place, store=tmp_path / "store")
    assert caught.value.reasons[0].code == "MODEL_FOREIGN_CODE"


def test_damaged_bundles_are_told(tmp_path):
    place, _ = bundle(tmp_path)
    weights = place / "models" / "model.pt"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:500])
    with pytest.raises(InputError, match="damaged"):
        import_model(place, store=tmp_path / "store")
    weights.unlink()
    with pytest.raises(UsageError, match="no weights"):
        import_model(place, store=tmp_path / "store")
    weights.write_bytes(whole)
    (place / "configs" / "metadata.json").write_text("{}")
    with pytest.raises(InputError, match="not complete"):
        import_model(place, store=tmp_path / "store")
    (place / "configs" / "inference.json").write_text("[1")
    with pytest.raises(InputError, match="damaged"):
        import_model(place, store=tmp_path / "store")
    (place / "configs" / "inference.json").unlink()
    with pytest.raises(UsageError, match="has no configs"):
        import_model(place, store=tmp_path / "store")


def test_a_network_of_other_channels_than_its_labels_is_told(tmp_path):
    place, _ = bundle(tmp_path, channels={"0": "background", "1": "spleen", "2": "liver"})
    with pytest.raises(InputError, match="Do its labels and window fit"):
        import_model(place, store=tmp_path / "store")


def test_a_zip_file_that_leads_outside_is_refused(tmp_path):
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b/configs/metadata.json", "{}")
        archive.writestr("../outside.txt", "evil")
    with pytest.raises(InputError, match="leads outside"):
        import_model(path, store=tmp_path / "store")
    assert not (tmp_path.parent / "outside.txt").exists()
