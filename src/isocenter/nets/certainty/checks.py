"""What is to be doubted of a network's input and result, as reasons. How sure it is itself lives in ``uncertainty``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from isocenter import codes
from isocenter.datasets.loading import modality_of
from isocenter.errors import Refused
from isocenter.findings import Segment
from isocenter.geometry import Space
from isocenter.nets.models.model import Model
from isocenter.nets.plan import Plan
from isocenter.nets.planning.decisions import COLOURS
from isocenter.nets.prepare import Prepared
from isocenter.reasons import Reason
from isocenter.volume import Array, Volume

_FURTHER: Mapping[str, str] = {"cbct": "CT", "us": "US", "ultrasound": "US", "xray": "DX", "dx": "DX"}
"""DICOM modality by names of channels whose values say less than those that :mod:`isocenter.datasets` knows."""

_ALIKE = {"DX": ("DX", "CR", "RG"), "US": ("US", "IVUS")}
_COARSER = 2.5  # times a plan's spacing: the network was taught on images that show more
_LISTED = 12


def modalities_of(model: Model) -> tuple[str, ...]:
    """DICOM modalities that the first channel of a model takes: by its name, else those of the images it was taught on.

    Empty where neither says anything of it.
    """
    if named := _named(model.plan.channels[0]):
        return named
    return tuple(model.facts.get("domain", {}).get("modalities", ()))


def expect_modality(images: Sequence[Volume], model: Model) -> None:
    """Refuse images of another kind than a model's channels.

    Raises
    ------
    Refused
        With ``WRONG_MODALITY``: another modality than a channel is named after, or than all images that the model was
        taught on; or no HU where the plan counts on it.
    """
    plan = model.plan
    of_colours = len(images) == 1 and images[0].axes == ("color",)  # one image is all channels
    seen = tuple(images) * len(plan.channels) if of_colours else images
    if len(seen) != len(plan.channels):
        return  # refused by prepare
    for number, (image, channel, how) in enumerate(zip(seen, plan.channels, plan.normalisation, strict=True)):
        taken = modalities_of(model) if number == 0 else _named(channel)
        is_other = bool(taken) and bool(image.modality) and image.modality not in taken
        is_unscaled = how.scale == "ct" and _named(channel) == ("CT",) and image.unit != codes.HU
        if is_other or is_unscaled:
            given = f"{image.modality or 'an image'} in {image.unit.value}"
            text = f"The network's channel {channel} takes {' or '.join(taken)}, and this is {given}."
            raise Refused([Reason("WRONG_MODALITY", text)])


def _named(channel: str) -> tuple[str, ...]:
    """DICOM modalities that the name of a channel stands for."""
    modality = modality_of(channel) or _FURTHER.get(channel.lower(), "")
    return _ALIKE.get(modality, (modality,)) if modality else ()


def about_input(case: Prepared, model: Model) -> tuple[Reason, ...]:
    """What of a case is beyond what a model was taught on, as far as the model says what that was."""
    said = list(_about_spacing(case.source, model.plan))
    said += _about_values(case.source, model.facts.get("domain", {}))
    text = f"Unlike the images that the network was taught on: {'; '.join(said)}."
    return (*_about_modality(case.source, model), *((Reason("OUT_OF_DOMAIN", text),) if said else ()))


def _about_modality(source: Volume, model: Model) -> tuple[Reason, ...]:
    """What could not be compared of the modality, on either side; colours are of photographs, which have none."""
    channels, taken = model.plan.channels, modalities_of(model)
    if channels == COLOURS[: len(channels)]:
        return ()
    if not taken:
        text = (
            f"Neither the name of the channel ({channels[0]}) nor the images that the network was taught on tell its "
            f"modality; this image is {source.modality or 'of an unknown one too'}."
        )
        return (Reason("MODEL_MODALITY_UNKNOWN", text),)
    if not source.modality:
        text = f"The network takes {' or '.join(taken)}, and the image does not say of which modality it is."
        return (Reason("IMAGE_MODALITY_UNKNOWN", text),)
    return ()


def about_labels(labels: Array, segments: Sequence[Segment]) -> tuple[Reason, ...]:
    """What is missing in a label map (slice, row, column), and what reaches its border."""
    from isocenter.sampling.labels import labels_in

    found = labels_in(labels) if labels.size else set()
    absent = [one.title for one in segments if one.label not in found]
    if len(absent) == len(segments):
        return (Reason("NETWORK_FOUND_NOTHING", "The network found none of its structures in this image."),)
    reasons = []
    if absent:
        reasons.append(Reason("STRUCTURES_ABSENT", f"Not found by the network: {_listed(absent)}."))
    faces = [labels.take([end], axis) for axis in range(3) if labels.shape[axis] > 1 for end in (0, -1)]
    outer: set[int] = set().union(*(labels_in(np.ascontiguousarray(face)) for face in faces)) if faces else set()
    cut = [one.title for one in segments if one.label in outer]
    if cut:
        reasons.append(Reason("SEGMENT_AT_BORDER", f"These reach the border of the image: {_listed(cut)}."))
    return tuple(reasons)


def domain_of(images: Sequence[Volume]) -> dict[str, Any]:
    """What can be told of the images that a model is taught on, for ``facts["domain"]`` of the model; plain values.

    Least and greatest over the images of their spacing along (slice, row, column), and of three percentiles of values;
    their modalities, if each says its own.
    """
    spacings = [image.spacing_mm for image in images if image.grid.space is Space.PATIENT]
    values = [_percentiles(image) for image in images]
    made: dict[str, Any] = {"images": len(images), "percentiles": _SHARES}
    if spacings:
        made["spacing_mm"] = [np.min(spacings, axis=0).tolist(), np.max(spacings, axis=0).tolist()]
    if values:
        made["values"] = [np.min(values, axis=0).tolist(), np.max(values, axis=0).tolist()]
    if images and all(image.modality for image in images):
        made["modalities"] = sorted({image.modality for image in images})
    return made


def merged(domains: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The domain of all images of several domains."""
    made: dict[str, Any] = {"images": sum(one.get("images", 0) for one in domains), "percentiles": _SHARES}
    if domains and all("modalities" in one for one in domains):
        made["modalities"] = sorted({modality for one in domains for modality in one["modalities"]})
    for name in ("spacing_mm", "values"):
        if known := [one[name] for one in domains if name in one]:
            lows, highs = zip(*known, strict=True)
            made[name] = [np.min(lows, axis=0).tolist(), np.max(highs, axis=0).tolist()]
    return made


_SHARES = (5.0, 50.0, 95.0)
_ROOM = 0.5  # of the range seen, on each side


def _percentiles(image: Volume) -> list[float]:
    some = image.array.reshape(-1)[:: max(1, image.array.size // 100_000)]
    return [float(value) for value in np.percentile(some, _SHARES)]


def _about_spacing(source: Volume, plan: Plan) -> Iterator[str]:
    if plan.spacing_mm is None or source.grid.space is not Space.PATIENT:
        return
    coarsest = max(source.spacing_mm)
    if coarsest > _COARSER * max(plan.spacing_mm):
        yield f"its voxels are {coarsest:.3g} mm wide, and the network's {max(plan.spacing_mm):.3g} mm"


def _about_values(source: Volume, domain: Mapping[str, Any]) -> Iterator[str]:
    if "values" not in domain:
        return
    low, high = (np.asarray(one, float) for one in domain["values"])
    room = _ROOM * np.maximum(high - low, 0.05 * (high.max() - low.min()))
    for share, value, least, most in zip(_SHARES, _percentiles(source), low - room, high + room, strict=True):
        if not least <= value <= most:
            yield f"percentile {share:g} of its values is {value:.4g}, and theirs lay from {least:.4g} to {most:.4g}"


def _listed(titles: Sequence[str]) -> str:
    more = f" and {len(titles) - _LISTED} more" if len(titles) > _LISTED else ""
    return ", ".join(titles[:_LISTED]) + more
