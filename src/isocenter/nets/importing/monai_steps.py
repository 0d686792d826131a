"""What the transforms of a MONAI bundle mean for a plan: orientation, spacing, scale; what is not known is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isocenter.nets.importing.found import refused
from isocenter.reasons import Reason

_NO_CHANGE = {
    *("LoadImage", "EnsureChannelFirst", "AddChannel", "AsChannelFirst", "EnsureType", "ToTensor", "CastToType"),
    *("CopyItems", "DeleteItems", "SelectItems", "Identity", "ToDevice"),
}
_CROPS = {"CropForeground", "SpatialPad", "DivisiblePad"}


def steps_of(transforms: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], list[Reason]]:
    """Entries of a plan that give what the transforms give, and how they differ.

    Raises
    ------
    Refused
        With ``MODEL_STEP_UNKNOWN`` if a transform is not known here.
    """
    plan: dict[str, Any] = {}
    reasons: list[Reason] = []
    for one in transforms:
        name = str(one["_target_"]).rpartition(".")[2].removesuffix("D").removesuffix("d").removesuffix("Dict")
        if name in _NO_CHANGE:
            continue
        if name in _CROPS:
            text = f"The bundle applies {name} before the network; here all of the image is seen."
            reasons.append(Reason("MODEL_UNLIKE", text))
        elif name == "Orientation":
            plan["orientation"] = str(one["axcodes"])
        elif name == "Spacing":
            pixdim = one["pixdim"]
            plan["spacing_mm"] = [float(mm) for mm in (pixdim if isinstance(pixdim, list) else [pixdim] * 3)]
            text = "MONAI samples images linearly without smoothing; here finer images are smoothed to match."
            reasons.append(Reason("MODEL_UNLIKE", text))
        else:
            plan["normalisation"] = [_scale(name, one, reasons)]
    return plan, reasons


def _scale(name: str, one: Mapping[str, Any], reasons: list[Reason]) -> dict[str, Any]:
    """The normalisation that a transform of values is."""
    if name == "ScaleIntensityRange":
        low, high = float(one["a_min"]), float(one["a_max"])
        bottom, top = (
            float(one[key]) if one.get(key) is not None else end for key, end in (("b_min", 0.0), ("b_max", 1.0))
        )
        if not one.get("clip", False):
            _tell(reasons, "The bundle does not cut values beyond its range; here they are cut.")
        deviation = (high - low) / (top - bottom)
        if (bottom, top) == (0.0, 1.0):
            return {"scale": "range", "low": low, "high": high}
        return {"scale": "ct", "low": low, "high": high, "mean": low - bottom * deviation, "deviation": deviation}
    if name == "NormalizeIntensity" and one.get("subtrahend") is None and one.get("divisor") is None:
        if one.get("nonzero"):
            _tell(reasons, "The bundle scales by the voxels that are not 0, and those alone; here by all.")
        return {"scale": "zscore"}
    if name == "ScaleIntensity" and (one.get("minv", 0), one.get("maxv", 1), one.get("factor")) == (0, 1, None):
        return {"scale": "percentile", "low": 0.0, "high": 100.0}
    if name == "ScaleIntensityRangePercentiles" and (one.get("b_min"), one.get("b_max")) == (0, 1):
        if not one.get("clip", False):
            _tell(reasons, "The bundle does not cut values beyond its percentiles; here they are cut.")
        return {"scale": "percentile", "low": float(one["lower"]), "high": float(one["upper"])}
    text = (
        f"The bundle prepares images by {name}, with settings that are not known here: what its network sees is unsure."
    )
    raise refused("MODEL_STEP_UNKNOWN", text)


def _tell(reasons: list[Reason], text: str) -> None:
    reasons.append(Reason("MODEL_UNLIKE", text))
