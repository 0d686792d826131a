"""Result folders of nnU-Net v2, written in its format."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest
import torch

from isocenter.errors import InputError, Refused, UsageError
from isocenter.nets.importing import Wishes, import_model
from isocenter.nets.importing.nnunet_network import NnUNet
from isocenter.nets.plan import Normalisation
from isocenter.nets.runtimes import open_runtime

PLAIN = {
    "n_stages": 3,
    "features_per_stage": [4, 8, 8],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
    "n_conv_per_stage": [2, 2, 2],
    "n_conv_per_stage_decoder": [2, 2],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-05, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}
RESIDUAL = {
    **{key: value for key, value in PLAIN.items() if key != "n_conv_per_stage"},
    "n_blocks_per_stage": [1, 2, 2],
}
ARGUMENTS = {"PlainConvUNet": PLAIN, "ResidualEncoderUNet": RESIDUAL}


IN_PLANE = {
    **PLAIN,
    "kernel_sizes": [[3, 3]] * 3,
    "strides": [[1, 1], [2, 2], [2, 2]],
    "norm_op": "torch.nn.InstanceNorm2d",
}
FLAT = {"network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet", "arch_kwargs": IN_PLANE}


def flat():
    """What a checkpoint of a network of two dimensions holds otherwise."""
    state = {
        "decoder.seg_layers.1." + name[5:] if name.startswith("head.") else name: value
        for name, value in NnUNet("PlainConvUNet", IN_PLANE, (1, 3), 2).state_dict().items()
    }
    return {"network_weights": state, "inference_allowed_mirroring_axes": (0, 1)}


def under_nnunets_names(state, outputs):
    """The state dict as nnU-Net's classes give it: every tensor twice or more, heads of coarser outputs too."""
    told = {}
    for name, value in state.items():
        if name.startswith("head."):
            told["decoder.seg_layers.1." + name[5:]] = value
            continue
        told[name] = value
        if ".conv." in name or ".norm." in name:
            place = ".all_modules.0." if ".conv." in name else ".all_modules.1."
            told[name.replace(".conv.", place) if ".conv." in name else name.replace(".norm.", place)] = value
    told |= {f"decoder.{name}": value for name, value in told.items() if name.startswith("encoder.")}
    return told | {
        "decoder.seg_layers.0.weight": torch.ones(outputs, 8, 1, 1, 1),
        "decoder.seg_layers.0.bias": torch.ones(outputs),
    }


def results(folder, kind="PlainConvUNet", folds=1, **changes):
    """A result folder; gives it with the networks of its folds."""
    place = folder / "Dataset004_Hippocampus" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    place.mkdir(parents=True)
    configuration = {
        "patch_size": [8, 16, 16],
        "spacing": [2.0, 1.0, 1.5],
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        "architecture": {
            "network_class_name": f"dynamic_network_architectures.architectures.unet.{kind}",
            "arch_kwargs": ARGUMENTS.get(kind, PLAIN),
            "_kw_requires_import": ["conv_op", "norm_op", "nonlin"],
        },
    } | changes.pop("configuration", {})
    plans = {
        "dataset_name": "Dataset004_Hippocampus",
        "transpose_forward": [0, 1, 2],
        "image_reader_writer": "SimpleITKIO",
        "original_median_spacing_after_transp": [2.5, 1.0, 1.0],
        "foreground_intensity_properties_per_channel": {
            "0": {"mean": 100.0, "std": 50.0, "percentile_00_5": -20.0, "percentile_99_5": 300.0}
        },
        "configurations": {"base": configuration, "3d_fullres": {"inherits_from": "base"}},
    } | changes.pop("plans", {})
    dataset = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "anterior": 1, "posterior": 2},
        "numTraining": 208,
        "licence": "CC-BY-SA 4.0",
    } | changes.pop("dataset", {})
    (place / "plans.json").write_text(json.dumps(plans))
    (place / "dataset.json").write_text(json.dumps(dataset))
    torch.manual_seed(1)
    networks = []
    for fold in range(folds):
        network = NnUNet(kind, ARGUMENTS[kind], (1, 3), 3) if kind in ARGUMENTS else torch.nn.Conv3d(1, 3, 1)
        weights = under_nnunets_names(network.state_dict(), 3) if kind in ARGUMENTS else network.state_dict()
        held = {
            "network_weights": weights,
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": (0, 1, 2),
            "init_args": {"configuration": "3d_fullres", "fold": fold, "device": torch.device("cpu")},
            "logging": {"mean_fg_dice": [np.float32(0.8), np.float64(0.9)]},
        } | changes.get("checkpoint", {})
        (place / f"fold_{fold}").mkdir()
        torch.save(held, place / f"fold_{fold}" / "checkpoint_final.pth")
        networks.append(network.eval())
    return place, networks


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_a_result_folder_gives_what_its_network_gives(tmp_path, kind):
    place, networks = results(tmp_path, kind, folds=2)
    model = import_model(place, store=tmp_path / "store")
    batch = np.random.default_rng(0).standard_normal((2, 1, 8, 16, 16), np.float32)
    with torch.inference_mode():
        mean = np.mean([network(torch.from_numpy(batch)).numpy() for network in networks], axis=0)
    assert np.abs(open_runtime(model)(batch) - mean).max() < 1e-5
    assert np.abs(open_runtime(model, "onnx")(batch) - mean).max() < 1e-4


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_weights_of_nnunets_own_classes_give_its_logits(tmp_path, kind):
    unet = pytest.importorskip("dynamic_network_architectures.architectures.unet", reason="nnU-Net's own networks")
    place, _ = results(tmp_path, kind)
    layers = {"conv_op": torch.nn.Conv3d, "norm_op": torch.nn.InstanceNorm3d, "nonlin": torch.nn.LeakyReLU}
    network = getattr(unet, kind)(input_channels=1, num_classes=3, **{**ARGUMENTS[kind], **layers}).eval()
    torch.save({"network_weights": network.state_dict()}, place / "fold_0" / "checkpoint_final.pth")
    batch = np.random.default_rng(0).standard_normal((2, 1, 8, 16, 16), np.float32)
    with torch.inference_mode():
        logits = network(torch.from_numpy(batch)).numpy()
    assert np.array_equal(open_runtime(import_model(place, store=tmp_path / "store"))(batch), logits)


def test_its_plan_says_what_the_network_takes(tmp_path):
    place, _ = results(tmp_path)
    model = import_model(place.parent, store=tmp_path / "store")  # the data set's folder will do
    plan = model.plan
    assert (model.name, model.licence) == ("Dataset004_Hippocampus", "CC-BY-SA 4.0")
    assert (plan.channels, plan.labels) == (("MRI",), ("anterior", "posterior"))
    assert (plan.spacing_mm, plan.patch, plan.orientation) == ((2.0, 1.0, 1.5), (8, 16, 16), "SAR")
    assert plan.mirror_axes == (0, 1, 2)
    assert plan.normalisation[0].scale == "zscore"
    assert {reason.code for reason in model.reasons} == {"MODEL_GUESSED", "MODEL_UNLIKE", "MODEL_UNPROVEN"}
    assert any("mirror images" in reason.message for reason in model.reasons if reason.code == "MODEL_UNLIKE")
    assert "CC-BY-SA 4.0" in (model.folder / "card.md").read_text()
    assert model.facts["trial"]["window"] == "8 x 16 x 16"


def test_ct_is_scaled_as_its_foreground_was(tmp_path):
    place, _ = results(tmp_path, configuration={"normalization_schemes": ["CTNormalization"]})
    model = import_model(place, store=tmp_path / "store")
    assert model.plan.normalisation == (Normalisation("ct", -20.0, 300.0, 100.0, 50.0),)


def test_a_transposition_turns_the_axes(tmp_path):
    place, _ = results(tmp_path, plans={"transpose_forward": [2, 0, 1]})
    assert import_model(place, store=tmp_path / "store").plan.orientation == "RSA"


def test_a_network_of_two_dimensions_sees_slice_by_slice(tmp_path):
    place, _ = results(
        tmp_path, configuration={"patch_size": [16, 24], "spacing": [1.0, 1.5], "architecture": FLAT}, checkpoint=flat()
    )
    model = import_model(place, store=tmp_path / "store")
    assert (model.plan.patch, model.plan.spacing_mm) == ((1, 16, 24), (2.5, 1.0, 1.5))
    assert model.plan.mirror_axes == (1, 2)
    assert open_runtime(model)(np.zeros((2, 1, 16, 24), np.float32)).shape == (2, 3, 16, 24)
    assert any("2.5 mm apart" in reason.message for reason in model.reasons)


def test_what_totalsegmentator_takes_is_known(tmp_path):
    place, _ = results(tmp_path, plans={"dataset_name": "Dataset297_TotalSegmentator_total_3mm_1559subj"})
    model = import_model(place, store=tmp_path / "store")
    assert "MODEL_GUESSED" not in {reason.code for reason in model.reasons}


def test_a_stated_orientation_is_no_guess(tmp_path):
    place, _ = results(tmp_path)
    model = import_model(place, wishes=Wishes("mine", {"orientation": "SPL"}, "MIT"), store=tmp_path / "store")
    assert (model.name, model.licence, model.plan.orientation) == ("mine", "MIT", "SPL")
    assert "MODEL_GUESSED" not in {reason.code for reason in model.reasons}


def test_plans_of_before_version_2_4_are_read(tmp_path):
    old = {
        "architecture": None,
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 4,
        "unet_max_num_features": 8,
        "conv_kernel_sizes": PLAIN["kernel_sizes"],
        "pool_op_kernel_sizes": PLAIN["strides"],
        "n_conv_per_stage_encoder": [2, 2, 2],
        "n_conv_per_stage_decoder": [2, 2],
    }
    place, networks = results(tmp_path, configuration=old)
    model = import_model(place, store=tmp_path / "store")
    batch = np.random.default_rng(0).standard_normal((1, 1, 8, 16, 16), np.float32)
    with torch.inference_mode():
        assert np.abs(open_runtime(model)(batch) - networks[0](torch.from_numpy(batch)).numpy()).max() < 1e-5


def test_a_checkpoint_of_the_best_epoch_is_a_guess(tmp_path):
    place, _ = results(tmp_path)
    (place / "fold_0" / "checkpoint_final.pth").rename(place / "fold_0" / "checkpoint_best.pth")
    model = import_model(place, wishes=Wishes(plan={"orientation": "SAR"}), store=tmp_path / "store")
    assert "MODEL_GUESSED" in {reason.code for reason in model.reasons}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"dataset": {"labels": {"background": 0, "whole": [1, 2], "core": [2]}}}, "MODEL_OUTPUT_UNKNOWN"),
        ({"configuration": {"normalization_schemes": ["MyScheme"]}}, "MODEL_STEP_UNKNOWN"),
        ({"configuration": {"previous_stage": "3d_lowres"}}, "MODEL_STEP_UNKNOWN"),
        ({"kind": "PrimusM"}, "MODEL_UNKNOWN_NETWORK"),
    ],
)
def test_what_cannot_be_used_rightly_is_refused(tmp_path, changes, code):
    place, _ = results(tmp_path, **changes)
    with pytest.raises(Refused) as caught:
        import_model(place, store=tmp_path / "store")
    assert caught.value.reasons[0].code == code
    assert not list((tmp_path / "store").glob("*"))


class Evil:
    def __reduce__(self):
        return (print, ("this must never run",))


def test_a_pickle_with_code_is_refused_and_does_not_run(tmp_path, capsys):
    place, _ = results(tmp_path, checkpoint={"logging": Evil()})
    with pytest.raises(Refused) as caught:
        import_model(place, store=tmp_path / "store")
    assert caught.value.reasons[0].code == "MODEL_FOREIGN_CODE"
    assert "print" in str(caught.value)
    assert "never" not in capsys.readouterr().out


def test_damaged_files_are_told(tmp_path):
    place, _ = results(tmp_path)
    checkpoint = place / "fold_0" / "checkpoint_final.pth"
    whole = checkpoint.read_bytes()
    for bad in (b"", whole[: len(whole) // 2], b"no checkpoint at all", pickle.dumps({"a": 1})):
        checkpoint.write_bytes(bad)
        with pytest.raises(InputError):
            import_model(place, store=tmp_path / "store")
    checkpoint.write_bytes(whole)
    (place / "plans.json").write_text("{")
    with pytest.raises(InputError, match=r"plans\.json"):
        import_model(place, store=tmp_path / "store")
    (place / "plans.json").write_text("{}")
    with pytest.raises(InputError, match="no plan of nnU-Net"):
        import_model(place, store=tmp_path / "store")


def test_weights_of_other_shapes_are_told(tmp_path):
    place, _ = results(tmp_path, dataset={"labels": {"background": 0, "one": 1}})
    with pytest.raises(InputError, match="do not fit its network"):
        import_model(place, store=tmp_path / "store")


def test_weights_that_are_no_numbers_are_told(tmp_path):
    place, networks = results(tmp_path)
    state = under_nnunets_names(networks[0].state_dict(), 3)
    broken = {key: value * float("nan") for key, value in state.items()}
    torch.save({"network_weights": broken}, place / "fold_0" / "checkpoint_final.pth")
    with pytest.raises(InputError, match="no finite numbers"):
        import_model(place, store=tmp_path / "store")


def test_several_configurations_are_not_chosen_from(tmp_path):
    place, _ = results(tmp_path)
    shutil.copytree(place, place.with_name("nnUNetTrainer__nnUNetPlans__3d_lowres"))
    with pytest.raises(UsageError, match="several"):
        import_model(place.parent, store=tmp_path / "store")
    (place / "fold_0" / "checkpoint_final.pth").unlink()
    with pytest.raises(UsageError, match="No fold"):
        import_model(place, store=tmp_path / "store")
