"""The steps of one case from its files to its findings: read, segment, measure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from isocenter import codes
from isocenter.dicom.derived import slice_headers
from isocenter.dicom.derived.headers import Headers
from isocenter.dicom.sorting.series import Series
from isocenter.errors import Refused
from isocenter.findings import Measurement, Segmentation
from isocenter.nets.by_name import segment
from isocenter.ops.measure import measure
from isocenter.pipeline.case import Case, Input, read
from isocenter.pipeline.choose import kernel_kind
from isocenter.pipeline.provenance import Journal, combined
from isocenter.pipeline.spec import Pipeline
from isocenter.reasons import Reason, Verdict, merge, verdict_of

_THICK_MM = 3.0


@dataclass(frozen=True, eq=False)
class Findings:
    """What was found in one case.

    Parameters
    ----------
    case
        What was looked at.
    source
        The volume and its digests; None if it could not be read.
    headers
        Headers of the source images, mended; empty if the input was not DICOM or was refused.
    segmentation, measurements
        None and empty if the case was refused.
    reasons
        Everything there was to say, each once.
    """

    case: Case
    source: Input | None = field(default=None, repr=False)
    headers: Headers = field(default=Headers(()), repr=False)
    segmentation: Segmentation | None = None
    measurements: tuple[Measurement, ...] = ()
    reasons: tuple[Reason, ...] = ()

    def said(self, reasons: Iterable[Reason]) -> Findings:
        """These findings with further reasons, each once."""
        return replace(self, reasons=merge(self.reasons, reasons))

    @property
    def input_sha256(self) -> str:
        """One SHA-256 for all files of the input; empty if they were not read."""
        return combined(self.source.digests) if self.source else ""

    def has(self, code: str) -> bool:
        """Whether there is a reason of that code."""
        return any(reason.code == code for reason in self.reasons)

    @property
    def verdict(self) -> Verdict:
        """What the case is worth: where nothing was found for whatever reason, it is not usable."""
        verdict = verdict_of(self.reasons)
        return Verdict.REJECTED if self.segmentation is None and verdict.usable else verdict


def find(case: Case, pipeline: Pipeline, journal: Journal) -> Findings:
    """Read, segment and measure a case.

    Raises
    ------
    Refused
        If the series is held or rejected, or no series fits.
    InputError
        If a file is damaged.
    """
    if case.series is None and case.file is None:
        raise Refused(case.reasons)
    with journal.step("read"):
        source = read(case)
    with journal.step("segment"):
        segmentation = segment(source.volume, pipeline.segmenter)
    reasons = merge(case.reasons, segmentation.reasons)
    if not verdict_of(reasons).usable:
        return Findings(case, source, reasons=reasons)
    with journal.step("measure"):
        measurements = measure(source.volume, segmentation)
    with journal.step("headers"):
        headers = _headers(case)
    about_density = density_reasons(case.series) if source.volume.unit == codes.HU else ()
    reasons = merge(reasons, about_density, headers.reasons)
    return Findings(case, source, headers, segmentation, measurements, reasons)


def density_reasons(series: Series | None) -> tuple[Reason, ...]:
    """What in the header of a CT moves densities, so that they compare only with those of scans made alike.

    Contrast medium, sharp kernels and thick slices each shift the emphysema index and the percentiles of lung density
    (Boedeker 2004, Madani 2007).
    """
    if series is None:
        return ()
    causes = []
    if series.contrast_agent:
        causes.append("contrast medium was given")
    if kernel_kind(series.kernel) in ("lung", "bone"):
        causes.append(f"the kernel {series.kernel} is sharp")
    if series.slice_thickness_mm is not None and series.slice_thickness_mm > _THICK_MM:
        causes.append(f"the slices are {series.slice_thickness_mm:.3g} mm thick")
    return (Reason("DENSITY_UNCERTAIN", f"Densities may be shifted: {', '.join(causes)}."),) if causes else ()


def _headers(case: Case) -> Headers:
    """Mended copies of the source headers; none, with the reasons, where no object can refer to the source."""
    if case.series is None:
        return Headers(())
    try:
        return slice_headers.of_series(case.series)
    except Refused as refused:
        return Headers((), refused.reasons)
