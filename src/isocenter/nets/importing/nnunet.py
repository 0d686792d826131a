"""Result folders of nnU-Net v2, which TotalSegmentator's weights are too: plans, data set and folds to a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isocenter.errors import InputError, UsageError
from isocenter.nets.importing.found import Found, Wishes, refused, tensors_of
from isocenter.nets.importing.nnunet_network import KINDS
from isocenter.nets.plan import Plan
from isocenter.reasons import Reason

_CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
_CANONICAL = "SAR"  # slice, row and column of a NIfTI file whose axes point to right, anterior and superior


def is_nnunet(path: Path) -> bool:
    """Whether this is a result folder of nnU-Net, or a data set's folder with one in it."""
    return path.is_dir() and (_is_results(path) or any(_is_results(one) for one in path.iterdir()))


def read_nnunet(path: Path, wishes: Wishes) -> Found:
    """The model of a result folder, such as ``Dataset004_Hippocampus/nnUNetTrainer__nnUNetPlans__3d_fullres``.

    Its folds become the members of an ensemble, which both sides average before softmax.

    Raises
    ------
    UsageError
        If the folder holds several, or no fold that was finished.
    InputError
        If its files are damaged.
    Refused
        With ``MODEL_UNKNOWN_NETWORK``, ``MODEL_STEP_UNKNOWN``, ``MODEL_OUTPUT_UNKNOWN`` or ``MODEL_FOREIGN_CODE``.
    """
    folder = _results_in(path)
    dataset, plans = (_json(folder / name) for name in ("dataset.json", "plans.json"))
    try:
        configuration = _configuration(plans, folder.name.rpartition("__")[2])
        members = _members(folder)
        plan, reasons = _plan(dataset, plans, configuration, members[0][1], wishes)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        text = f"The files dataset.json and plans.json of {folder.name} are no plan of nnU-Net v2: {error!r}."
        raise InputError(text) from error
    name = folder.parent.name if folder.parent.name.startswith("Dataset") else folder.name
    states = tuple(_state(checkpoint["network_weights"]) for _, checkpoint in members)
    folds = [fold for fold, _ in members]
    return Found(
        name,
        plan,
        states,
        licence=str(dataset.get("licence") or dataset.get("license") or ""),
        source=f"nnU-Net v2 results {folder.name}, {', '.join(folds)}",
        reasons=(*reasons, *_about_checkpoints(folder, folds)),
        facts={"trainer": str(members[0][1].get("trainer_name", "")), "training_cases": dataset.get("numTraining")},
    )


# --- files ------------------------------------------------------------------------------------------------------------


def _is_results(folder: Path) -> bool:
    return (folder / "plans.json").is_file() and (folder / "dataset.json").is_file() and any(folder.glob("fold_*"))


def _results_in(path: Path) -> Path:
    found = [path] if _is_results(path) else sorted(one for one in path.iterdir() if _is_results(one))
    if len(found) != 1:
        names = ", ".join(one.name for one in found)
        raise UsageError(f"{path.name} holds several trained configurations: give one of them, {names}.")
    return found[0]


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"The file {path.name} of {path.parent.name} is damaged: {error}.") from error
    if not isinstance(found, dict):
        raise InputError(f"The file {path.name} of {path.parent.name} holds no table.")
    return found


def _members(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """Checkpoint of each finished fold by its name."""
    found = []
    for fold in sorted(folder.glob("fold_*")):
        path = next((fold / name for name in _CHECKPOINTS if (fold / name).is_file()), None)
        if path is None:
            continue
        checkpoint = tensors_of(path)
        if not isinstance(checkpoint, dict) or "network_weights" not in checkpoint:
            raise InputError(f"The file {path.name} of {fold.name} is no checkpoint of nnU-Net v2.")
        found.append((fold.name, checkpoint))
    if not found:
        raise UsageError(f"No fold of {folder.name} holds a {_CHECKPOINTS[0]}.")
    return found


def _about_checkpoints(folder: Path, folds: list[str]) -> list[Reason]:
    best = [fold for fold in folds if not (folder / fold / _CHECKPOINTS[0]).is_file()]
    text = f"{', '.join(best)}: no {_CHECKPOINTS[0]} is there, so that {_CHECKPOINTS[1]} was taken."
    return [Reason("MODEL_GUESSED", text)] if best else []


def _state(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Weights under the names of :mod:`.nnunet_network`: each once, and the last head alone."""
    state: dict[str, Any] = {}
    last = max(int(key.split(".")[2]) for key in weights if "decoder.seg_layers." in key)
    for name, value in weights.items():
        key = name.removeprefix("module.").removeprefix("_orig_mod.")
        if ".all_modules." in key or key.startswith("decoder.encoder."):
            continue  # the same tensor under another name
        if key.startswith("decoder.seg_layers."):
            number, _, rest = key.removeprefix("decoder.seg_layers.").partition(".")
            if int(number) != last:
                continue  # coarser outputs are for learning
            key = f"head.{rest}"
        state[key] = value
    return state


# --- plan -------------------------------------------------------------------------------------------------------------


def _configuration(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The configuration of a name, with what it inherits."""
    every = plans["configurations"]
    if name not in every:
        raise InputError(f"plans.json has no configuration {name!r}; it has {', '.join(every)}.")
    found, heirs = dict(every[name]), {name}
    while parent := found.pop("inherits_from", ""):
        if parent in heirs:
            raise InputError(f"The configuration {name} of plans.json inherits from itself, by way of {parent!r}.")
        heirs.add(parent)
        found = {**every[parent], **found}
    if found.get("previous_stage"):
        text = f"The configuration {name} refines the result of {found['previous_stage']}, which is not run here."
        raise refused("MODEL_STEP_UNKNOWN", text + " Take 3d_fullres or 3d_lowres.")
    return found


def _plan(
    dataset: Mapping[str, Any],
    plans: Mapping[str, Any],
    configuration: Mapping[str, Any],
    checkpoint: Mapping[str, Any],
    wishes: Wishes,
) -> tuple[Plan, list[Reason]]:
    patch, spacing = list(configuration["patch_size"]), list(configuration["spacing"])
    reasons = []
    if len(patch) == 2:
        thick = float(plans["original_median_spacing_after_transp"][0])
        patch, spacing = [1, *patch], [thick, *spacing]
        text = f"nnU-Net leaves slices of a 2D network as they lie; here they are brought to {thick:g} mm apart."
        reasons.append(Reason("MODEL_UNLIKE", text))
    channels = tuple(dataset.get("channel_names", dataset.get("modality", {})).values())
    orientation, guessed = _orientation(dataset, plans, wishes)
    mirrored = checkpoint.get("inference_allowed_mirroring_axes") or ()
    axes = tuple(int(axis) + 3 - len(configuration["patch_size"]) for axis in mirrored)
    plan = {
        "task": "segmentation",
        "channels": [str(name) for name in channels],
        "labels": _labels(dataset),
        "network": _network(configuration, len(configuration["patch_size"])),
        "patch": [int(n) for n in patch],
        "spacing_mm": [float(mm) for mm in spacing],
        "orientation": orientation,
        "normalisation": [_normalisation(n, plans, configuration) for n in range(len(channels))],
        "mirror_axes": list(axes),
        **wishes.plan,
    }
    return Plan.from_dict(plan), [*reasons, *guessed, *_unlike(configuration, axes)]


def _labels(dataset: Mapping[str, Any]) -> list[str]:
    labels = {name: value for name, value in dataset["labels"].items() if name != "ignore"}
    if any(isinstance(value, list) for value in labels.values()):
        text = "The network gives regions that may overlap, each by itself; models here give one label to each voxel."
        raise refused("MODEL_OUTPUT_UNKNOWN", text)
    ordered = sorted(labels, key=lambda name: int(labels[name]))
    if [int(labels[name]) for name in ordered] != list(range(len(ordered))):
        raise InputError("The labels of dataset.json are not numbered one after the other from 0.")
    return ordered[1:]


def _network(configuration: Mapping[str, Any], dimensions: int) -> dict[str, Any]:
    """Kind and arguments of the network, of plans of both ages."""
    described = configuration.get("architecture")
    if described is None:
        kind, arguments = str(configuration["UNet_class_name"]), _of_old_plans(configuration, dimensions)
    else:
        kind, arguments = str(described["network_class_name"]).rpartition(".")[2], dict(described["arch_kwargs"])
    if kind not in KINDS:
        text = f"The network {kind} of nnU-Net is not known here; known are {', '.join(KINDS)}."
        raise refused("MODEL_UNKNOWN_NETWORK", text)
    if arguments.get("nonlin_first") or arguments.get("bottleneck_channels"):
        raise refused("MODEL_UNKNOWN_NETWORK", f"{kind} with nonlin_first or bottleneck_channels is not known here.")
    return {"name": "nnunet", "options": {"kind": kind, "arguments": arguments}}


def _of_old_plans(configuration: Mapping[str, Any], dimensions: int) -> dict[str, Any]:
    """Arguments of the network in plans from before version 2.4."""
    kernels = configuration["conv_kernel_sizes"]
    first, most = configuration["UNet_base_num_features"], configuration["unet_max_num_features"]
    return {
        "n_stages": len(kernels),
        "features_per_stage": [min(first * 2**n, most) for n in range(len(kernels))],
        "kernel_sizes": kernels,
        "strides": configuration["pool_op_kernel_sizes"],
        "n_conv_per_stage": configuration["n_conv_per_stage_encoder"],
        "n_conv_per_stage_decoder": configuration["n_conv_per_stage_decoder"],
        "conv_bias": True,
        "norm_op": f"torch.nn.InstanceNorm{dimensions}d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }


def _normalisation(channel: int, plans: Mapping[str, Any], configuration: Mapping[str, Any]) -> dict[str, Any]:
    scheme = configuration["normalization_schemes"][channel]
    if scheme == "CTNormalization":
        known = plans["foreground_intensity_properties_per_channel"][str(channel)]
        low, high, deviation = (float(known[key]) for key in ("percentile_00_5", "percentile_99_5", "std"))
        return {
            "scale": "ct",
            "low": low,
            "high": high,
            "mean": float(known["mean"]),
            "deviation": max(deviation, 1e-8),
        }
    ways: dict[str, dict[str, Any]] = {
        "ZScoreNormalization": {"scale": "zscore"},
        "NoNormalization": {"scale": "none"},
        "RescaleTo01Normalization": {"scale": "percentile", "low": 0.0, "high": 100.0},
        "RGBTo01Normalization": {"scale": "range", "low": 0.0, "high": 255.0},
    }
    if scheme not in ways:
        text = f"The network's values are scaled by {scheme}, which is not known here."
        raise refused("MODEL_STEP_UNKNOWN", text + " Known are " + ", ".join(("CTNormalization", *ways)) + ".")
    return ways[scheme]


def _orientation(dataset: Mapping[str, Any], plans: Mapping[str, Any], wishes: Wishes) -> tuple[str, list[Reason]]:
    """Where the axes of the network's arrays point to: those of its files, in the order of its transposition."""
    order = [int(axis) for axis in plans.get("transpose_forward", (0, 1, 2))]
    orientation = "".join(_CANONICAL[axis] for axis in order)
    reader = str(dataset.get("overwrite_image_reader_writer") or plans.get("image_reader_writer", ""))
    is_known = "Reorient" in reader or "TotalSegmentator" in str(plans.get("dataset_name", ""))
    if is_known or "orientation" in wishes.plan:
        return orientation, []
    text = (
        "nnU-Net takes images as their files lie and does not say how they lay. Taken was right, anterior, superior, "
        f"as most NIfTI files have it (orientation {orientation}); state another in the plan if its files lay else."
    )
    return orientation, [Reason("MODEL_GUESSED", text)]


def _unlike(configuration: Mapping[str, Any], mirror_axes: Sequence[int]) -> list[Reason]:
    """What nnU-Net's own software does differently on the way to the network."""
    said = [
        "nnU-Net resamples images by cubic splines; here they are sampled linearly and smoothed to match.",
        "nnU-Net spreads windows evenly, centres their weights half a voxel further on, and adds in half precision; "
        "here windows lie and weigh as MONAI's, and are added in single precision.",
    ]
    if mirror_axes:
        said.append(
            "nnU-Net averages over mirror images unless told not to; here that is asked for "
            '(`Inference(mirror="plan")`), and takes as many times as long as there are images.'
        )
    schemes = configuration["normalization_schemes"]
    if "ZScoreNormalization" in schemes:
        said.append(
            "nnU-Net takes mean and deviation before it resamples, of the box that is not 0; here of all after."
        )
    if any(configuration.get("use_mask_for_norm", ())):
        said.append("nnU-Net scales the voxels alone that are not 0; here all are scaled.")
    return [Reason("MODEL_UNLIKE", text) for text in said]
