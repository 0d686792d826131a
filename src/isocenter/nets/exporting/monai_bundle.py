"""A model as a MONAI bundle, which MONAI runs by itself, with ``python -m monai.bundle run``.

Its transforms do what the plan says, in MONAI's words; windows lie and weigh alike on both sides. Nothing of Isocenter
is needed to run it.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.errors import UsageError
from isocenter.extras import needed
from isocenter.nets.exporting.files import run_torchscript, torchscript_of
from isocenter.nets.models.model import Model
from isocenter.nets.plan import Normalisation, Plan
from isocenter.volume import Array

_KEYS = "image"


def write_bundle(model: Model, folder: Path) -> None:
    """Write the bundle's folder.

    Raises
    ------
    UsageError
        If MONAI has no transforms for what the plan says.
    """
    needed("monai", "nets")
    config = inference(model.plan)
    for name in ("configs", "models", "docs"):
        (folder / name).mkdir(parents=True)
    (folder / "models" / "model.ts").write_bytes(torchscript_of(model))
    (folder / "configs" / "inference.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata(model), indent=2), encoding="utf-8")
    (folder / "docs" / "README.md").write_text(_readme(model), encoding="utf-8")
    (folder / "LICENSE").write_text(f"{model.licence}\n", encoding="utf-8")


def run_bundle(folder: Path) -> Callable[[Array], Array]:
    """What the network of the bundle gives for a batch, as MONAI's own parser makes it of the configuration."""
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(str(folder / "configs" / "inference.json"))
    parser.update({"bundle_root": str(folder)})
    steps = range(1, len(parser["preprocessing"]["transforms"]))  # but for reading, which sets up pydicom anew
    for name in ("inferer", *(f"preprocessing::transforms::{n}" for n in steps)):
        parser.get_parsed_content(name)  # MONAI knows all of it, with these settings
    return run_torchscript(folder / "models" / "model.ts")


# --- configuration ----------------------------------------------------------------------------------------------------


def inference(plan: Plan) -> dict[str, Any]:
    """The configuration of inference: NIfTI files of ``dataset_dir`` to label maps in ``output_dir``."""
    _expect_writable(plan)
    several = len(plan.channels) > 1
    listed = "sorted(glob.glob(@dataset_dir + '/*'))"
    return {
        "imports": ["$import glob", "$import torch"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "datalist": f"$[sorted(glob.glob(folder + '/*')) for folder in {listed}]" if several else f"${listed}",
        "network_def": "$torch.jit.load(@bundle_root + '/models/model.ts', map_location=@device)",
        "network": "$@network_def.eval()",
        "preprocessing": {"_target_": "Compose", "transforms": _before(plan)},
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': one} for one in @datalist]",
            "transform": "@preprocessing",
        },
        "weights": _weights(plan),
        "inferer": {
            "_target_": "monai.inferers.sliding_window_inference",
            "_mode_": "callable",
            "roi_size": list(plan.patch),
            "sw_batch_size": 1,
            "overlap": 0.5,
            "roi_weight_map": "@weights",
        },
        "postprocessing": {"_target_": "Compose", "transforms": _after(plan)},
        "no_gradients": "$torch.set_grad_enabled(False)",
        "run": [
            "@no_gradients",
            "$[@postprocessing({**one, 'pred':"
            " @inferer(inputs=one['image'][None].to(@device), predictor=@network)[0].cpu()}) for one in @dataset]",
        ],
    }


def _weights(plan: Plan) -> str:
    """Weights of a window's voxels as Isocenter has them: MONAI's own are cut at a thousandth."""
    axes = ", ".join(f"torch.exp(-(((torch.arange({n}) - {(n - 1) / 2}) * 8 / {n}) ** 2) / 2)" for n in plan.patch)
    return f"$torch.einsum('k,r,c->krc', {axes})"


def _before(plan: Plan) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [
        {"_target_": "LoadImaged", "keys": _KEYS, "reader": "NibabelReader", "image_only": True},
        {"_target_": "EnsureChannelFirstd", "keys": _KEYS},
        {"_target_": "EnsureTyped", "keys": _KEYS},
        {"_target_": "Orientationd", "keys": _KEYS, "axcodes": plan.orientation, "labels": None},
    ]
    if plan.spacing_mm is not None:
        spacing = {"_target_": "Spacingd", "keys": _KEYS, "pixdim": list(plan.spacing_mm), "mode": "bilinear"}
        steps.append({**spacing, "padding_mode": "border"})
    return [*steps, *_scale(plan.normalisation[0])]


def _after(plan: Plan) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [{"_target_": "AsDiscreted", "keys": "pred", "argmax": True}]
    if plan.largest_only:
        labels = [plan.labels.index(name) + 1 for name in plan.largest_only]
        steps.append(
            {"_target_": "KeepLargestConnectedComponentd", "keys": "pred", "applied_labels": labels, "connectivity": 1}
        )
    return [
        *steps,
        {
            "_target_": "Invertd",
            "keys": "pred",
            "transform": "@preprocessing",
            "orig_keys": _KEYS,
            "nearest_interp": True,
            "to_tensor": True,
        },
        {
            "_target_": "SaveImaged",
            "keys": "pred",
            "output_dir": "@output_dir",
            "output_postfix": "seg",
            "output_dtype": "$torch.uint8" if len(plan.labels) < 256 else "$torch.int16",
            "separate_folder": False,
            "resample": False,
        },
    ]


def _scale(how: Normalisation) -> list[dict[str, Any]]:
    """MONAI's transform of values for a normalisation."""
    if how.scale == "none":
        return []
    if how.scale == "zscore":
        return [{"_target_": "NormalizeIntensityd", "keys": _KEYS, "channel_wise": True}]
    if how.scale == "percentile":
        ends = {"lower": how.low, "upper": how.high, "b_min": 0.0, "b_max": 1.0, "clip": True, "channel_wise": True}
        return [{"_target_": "ScaleIntensityRangePercentilesd", "keys": _KEYS, **ends}]
    bottom, top = 0.0, 1.0
    if how.scale == "ct":
        bottom, top = ((end - how.mean) / how.deviation for end in (how.low, how.high))
    ends = {"a_min": how.low, "a_max": how.high, "b_min": bottom, "b_max": top, "clip": True}
    return [{"_target_": "ScaleIntensityRanged", "keys": _KEYS, **ends}]


def _expect_writable(plan: Plan) -> None:
    problem = ""
    if plan.task != "segmentation" or plan.dimensions != 3 or plan.neighbours:
        problem = "it is no segmentation in three dimensions"
    elif plan.shape is not None:
        problem = "its images are stretched to one shape"
    elif len(set(plan.normalisation)) > 1:
        problem = "its channels are scaled in several ways"
    if problem:
        raise UsageError(f"This model does not become a MONAI bundle, as {problem}: export it to onnx.")


# --- words ------------------------------------------------------------------------------------------------------------


def metadata(model: Model) -> dict[str, Any]:
    """What MONAI wants to know of a bundle."""
    plan = model.plan
    channels = {str(n): name for n, name in enumerate(plan.channels)}
    labels = {str(n): name for n, name in enumerate(("background", *plan.labels))}
    shared = {"type": "image", "spatial_shape": list(plan.patch), "dtype": "float32", "is_patch_data": True}
    return {
        "schema": "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json",
        "version": "1.0.0",
        "changelog": {"1.0.0": "exported"},
        "monai_version": importlib.metadata.version("monai"),
        "pytorch_version": importlib.metadata.version("torch"),
        "numpy_version": np.__version__,
        "required_packages_version": {"nibabel": importlib.metadata.version("nibabel")},
        "name": model.name,
        "task": plan.task,
        "description": f"{plan.task} of {', '.join(plan.labels)}",
        "authors": "exported by Isocenter",
        "copyright": model.licence,
        "license": model.licence,
        "intended_use": "Research; not a medical device.",
        "network_data_format": {
            "inputs": {
                "image": {
                    **shared,
                    "format": "magnitude",
                    "modality": plan.channels[0],
                    "num_channels": len(plan.channels),
                    "value_range": [],
                    "channel_def": channels,
                }
            },
            "outputs": {
                "pred": {
                    **shared,
                    "format": "segmentation",
                    "num_channels": len(labels),
                    "value_range": [0, len(plan.labels)],
                    "channel_def": labels,
                }
            },
        },
    }


def _readme(model: Model) -> str:
    card = (model.folder / "card.md").read_text(encoding="utf-8") if (model.folder / "card.md").is_file() else ""
    many = "folders of one NIfTI file for each channel" if len(model.plan.channels) > 1 else "NIfTI files"
    return (
        f"{card}\n## How to run it\n\nPut {many} into `images/`, then\n\n"
        "```sh\npython -m monai.bundle run --config_file configs/inference.json --bundle_root .\n```\n\n"
        "Label maps come into `eval/`. Images of another spacing are sampled by MONAI linearly without smoothing, and "
        "labels go back by the nearest voxel; Isocenter smooths to match, so that borders differ a little there.\n"
    )
