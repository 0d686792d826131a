"""Pipelines by name: what they take, what they find and how they choose a series. All of it data, no code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from isocenter.errors import UsageError
from isocenter.nets.certainty.checks import modalities_of
from isocenter.nets.models.model import Model
from isocenter.nets.models.store import model_to_run
from isocenter.pipeline.folder import folder_name
from isocenter.reasons import counted

VOLUMETRIC = ("CT", "MR", "PT", "NM", "US")
"""Modalities of volumes, for a model that does not say which it takes."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Which series of a study a pipeline takes.

    Parameters
    ----------
    modalities
        DICOM modalities it takes.
    covers_mm
        Length along the patient (head to feet) that is needed to hold the whole organ.
    kernels
        Kinds of reconstruction kernel, the preferred one first.
    """

    modalities: tuple[str, ...]
    covers_mm: float
    kernels: tuple[str, ...] = ("soft", "unknown", "lung", "bone")

    @property
    def text(self) -> str:
        """The rule in words."""
        covers = f"at least {self.covers_mm:g} mm along the patient if there is one; then " if self.covers_mm else ""
        return (
            f"{' or '.join(self.modalities)}; {covers}the thinnest slices; "
            f"then the kernel, in the order {', '.join(self.kernels)}; then the most slices"
        )


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A named analysis from one series to findings.

    Parameters
    ----------
    name
        Name on the command line.
    title
        Title of its report.
    rule
        Which series it takes.
    segmenter
        Name of the segmenter (see ``isocenter segmenters``), or where the model lies.
    """

    name: str
    title: str
    rule: Rule
    segmenter: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may choose of a run.

    Parameters
    ----------
    series
        ``"best"``, ``"all"``, or a series number or Series Instance UID.
    seg
        ``"binary"`` or ``"labelmap"``: how segments are stored in DICOM SEG.
    time
        When the run takes place; now by default. Given again in a replay, it gives the same UIDs and bytes.

    Raises
    ------
    UsageError
        If the time has no time zone, or the kind of SEG is unknown.
    """

    series: str = "best"
    seg: str = "binary"
    time: datetime | None = None

    def __post_init__(self) -> None:
        if self.time is not None and self.time.tzinfo is None:
            raise UsageError("The time of a run needs a time zone, as in 2026-01-31T12:00:00+00:00.")
        if self.seg not in ("binary", "labelmap"):
            raise UsageError(f"A SEG is 'binary' or 'labelmap', not {self.seg!r}.")


@dataclass(frozen=True, slots=True)
class Job:
    """What all cases of one run share: the pipeline, the settings and the moment."""

    pipeline: Pipeline
    settings: Settings
    time: datetime


PIPELINES: Mapping[str, Pipeline] = MappingProxyType(
    {
        "lungs": Pipeline(
            name="lungs",
            title="Lung volume and density",
            rule=Rule(modalities=("CT",), covers_mm=180.0),
            segmenter="lungs",
        )
    }
)
"""The pipelines that come with the package."""


def pipeline(name: str) -> Pipeline:
    """The pipeline of that name, or that of a model: by its folder, or the name it is kept under.

    Raises
    ------
    UsageError
        If there is none, or the model does not segment one image.
    InputError
        If the model is damaged.
    """
    if name in PIPELINES:
        return PIPELINES[name]
    try:
        model = model_to_run(name)
    except UsageError as error:
        raise UsageError(f"There is no pipeline {name!r}; there is: {', '.join(PIPELINES)}. {error}") from None
    return _of_model(model)


def _of_model(model: Model) -> Pipeline:
    """What a model finds, in any series of its modality."""
    plan = model.plan
    if plan.task != "segmentation" or len(plan.channels) > 1:
        raise UsageError(
            f"The model {model.name} is for {plan.task} of {counted(len(plan.channels), 'image', 'images')}, and a "
            "pipeline segments one series: isocenter.nets.predict runs it on images that you name."
        )
    rule = Rule(modalities_of(model) or VOLUMETRIC, covers_mm=0.0)
    return Pipeline(folder_name(model.name), f"Structures by {model.name}", rule, str(model.folder))
