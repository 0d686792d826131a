"""Segmenters by name: those without training, and models by the name that they are kept under, or by their folder."""

from __future__ import annotations

from typing import Any

from isocenter.errors import UsageError
from isocenter.findings import Segmentation
from isocenter.nets.certainty.checks import modalities_of
from isocenter.nets.models.model import Model
from isocenter.nets.models.store import all_models, model_to_run
from isocenter.ops import anatomy
from isocenter.ops.anatomy import SegmenterInfo
from isocenter.volume import Volume


def segment(volume: Volume, name: str) -> Segmentation:
    """Find the structures of a segmenter in a volume.

    Parameters
    ----------
    volume
        The image; its grid may have any orientation.
    name
        A segmenter's name, such as ``"lungs"``; or a model's, or its folder.

    Returns
    -------
    Segmentation on the volume's own grid. Its reasons are those of the volume and of the segmenter's self-checks.

    Raises
    ------
    UsageError
        If there is no such segmenter, or this is no volume.
    Refused
        With ``WRONG_MODALITY`` if the volume is not of a modality and unit that the segmenter takes.
    """
    if name in anatomy.table():
        return anatomy.segment(volume, name)
    from isocenter.nets.predict import segmented

    return segmented(model_of(name), volume)


def segmenters() -> tuple[SegmenterInfo, ...]:
    """All segmenters: those of this package, those of plug-ins, and the models that are kept by name."""
    kept = all_models().items()
    usable = [(name, one) for name, one in kept if isinstance(one, Model) and one.plan.task == "segmentation"]
    return (*anatomy.segmenters(), *(_info(name, model) for name, model in usable))


def expect_segmenter(name: str) -> None:
    """Tell a caller who names neither a segmenter nor a model.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    if name not in anatomy.table():
        model_of(name)


def model_of(name: str) -> Model:
    """The model of a name or folder; the error where there is none lists the other segmenters too."""
    try:
        return model_to_run(name)
    except UsageError as error:
        known = ", ".join(sorted(anatomy.table()))
        raise UsageError(f"There is no segmenter {name!r}; there are: {known}. {error}") from None


def _info(name: str, model: Model) -> SegmenterInfo:
    facts: dict[str, Any] = {
        "description": f"A network ({model.plan.network.name}), version {model.version}, licence {model.licence}.",
        "segments": model.plan.labels,
        "modalities": modalities_of(model) or ("any",),
        "unit": "",
    }
    return SegmenterInfo(name, model.name, target=str(model.folder), **facts)
