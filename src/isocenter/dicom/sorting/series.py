"""Series: the frames of one volume, in slice order, with their grid and a verdict. `grouping` finds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from isocenter.dicom.frames.frame import Frame, instances_of
from isocenter.dicom.frames.instance import Instance
from isocenter.geometry import Grid, Space
from isocenter.reasons import Reason, Verdict, verdict_of


@dataclass(frozen=True)
class Series:
    """One volume of a DICOM series; a DICOM series that holds several volumes gives several of these.

    Parameters
    ----------
    frames
        At least one; in slice order where the geometry is known. Where there is an axis, all slices at its first place
        come first.
    grid
        The native grid, which may be sheared (gantry tilt); None where the frames have no even one.
    reasons
        What was met, repaired, guessed, held or refused so far.
    part
        What tells this volume from the others of the same DICOM series, such as ``"echo 2"``; else empty.
    axis
        A further axis along which the frames run, such as ``"time"``; empty where they are one slice each.
    """

    frames: tuple[Frame, ...] = field(repr=False)
    grid: Grid | None
    reasons: tuple[Reason, ...] = ()
    part: str = ""
    axis: str = ""

    def __len__(self) -> int:
        return self.grid.shape[0] if self.grid is not None and self.axis else len(self.frames)

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        """The instances that hold the frames, each once, in the order of their first frame."""
        return instances_of(self.frames)

    @property
    def verdict(self) -> Verdict:
        """What the series is worth."""
        return verdict_of(self.reasons)

    @property
    def series_uid(self) -> str:
        """Series Instance UID."""
        return self.frames[0].instance.series_uid

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return self.frames[0].instance.study_uid

    @property
    def modality(self) -> str:
        """DICOM modality, such as ``"CT"``."""
        return self.frames[0].instance.modality

    @property
    def description(self) -> str:
        """Series Description."""
        return self.frames[0].instance.series_description

    @property
    def number(self) -> int | None:
        """Series Number."""
        return self.frames[0].instance.series_number

    @property
    def kernel(self) -> str:
        """Convolution Kernel; empty where missing."""
        return self.frames[0].mark.kernel

    @property
    def body_part(self) -> str:
        """Body Part Examined; empty where missing."""
        return self.frames[0].instance.body_part

    @property
    def contrast_agent(self) -> str:
        """Contrast/Bolus Agent; empty where missing."""
        return self.frames[0].instance.contrast_agent

    @property
    def slice_thickness_mm(self) -> float | None:
        """Slice Thickness; None where missing."""
        return self.frames[0].slice_thickness_mm

    @property
    def is_localizer(self) -> bool:
        """Whether the images are localizers (scouts)."""
        return "LOCALIZER" in self.frames[0].image_type

    @property
    def is_picture(self) -> bool:
        """Whether the images are pictures that have no place in the patient (radiographs, captures, ...)."""
        return self.grid is not None and self.grid.space is not Space.PATIENT

    @property
    def title(self) -> str:
        """Short name of the DICOM series for people, such as ``"CT 4 ThorRoutine 2.0 D40s"``."""
        number = "" if self.number is None else str(self.number)
        words = [self.modality or "?", number, self.description or self.frames[0].instance.protocol]
        return " ".join(" ".join(words).split())

    @property
    def name(self) -> str:
        """The title, and in parentheses the part where there are several."""
        return f"{self.title} ({self.part})" if self.part else self.title
