"""Isocenter: medical images from the scanner to a verified report.

The public names are loaded on first use, so that ``import isocenter`` stays fast::

    import isocenter as iso

    scan = iso.scan("study/")
    ct = iso.read(scan[0])
    lungs = iso.segment(ct, "lungs")
    values = iso.measure(ct, lungs)
    results = iso.run("lungs", "study/")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isocenter.dicom.annotations.segmentation import read_segmentation
    from isocenter.dicom.reading.display import windows_of
    from isocenter.dicom.reading.pixels import read
    from isocenter.dicom.reading.slices import read_slices
    from isocenter.dicom.scan import Scan, scan
    from isocenter.dicom.sorting.grouping import together
    from isocenter.dicom.sorting.series import Series
    from isocenter.errors import InputError, IsocenterError, Refused, TryLater, UsageError
    from isocenter.findings import Measurement, Segment, Segmentation
    from isocenter.formats import Stored, load, load_segmentation, save, save_parts, save_slices, stored
    from isocenter.geometry import Grid
    from isocenter.mesh import Mesh
    from isocenter.nets.by_name import segment, segmenters
    from isocenter.nets.models.model import load_model
    from isocenter.nets.predict import predict
    from isocenter.ops.anatomy.calcium import calcium_score
    from isocenter.ops.anatomy.composition import areas_at
    from isocenter.ops.intensity import windowed
    from isocenter.ops.measure import measure
    from isocenter.ops.registration import Transform, register
    from isocenter.ops.resample import invert, onto, stretched_to_shape, to_orientation, to_spacing
    from isocenter.ops.shape import crop_to, middle_mm, to_shape
    from isocenter.pipeline.export import Exported, ExportSettings, export, exported
    from isocenter.pipeline.run import Result, run
    from isocenter.pipeline.spec import Settings
    from isocenter.reasons import Reason, Severity, Verdict
    from isocenter.volume import Volume
    from isocenter.windows import Window

__version__ = "0.1.0"

_PUBLIC = {
    "scan": "dicom.scan",
    "Scan": "dicom.scan",
    "Series": "dicom.sorting.series",
    "read": "dicom.reading.pixels",
    "together": "dicom.sorting.grouping",
    "read_segmentation": "dicom.annotations.segmentation",
    "read_slices": "dicom.reading.slices",
    "windows_of": "dicom.reading.display",
    "load": "formats",
    "load_segmentation": "formats",
    "save": "formats",
    "save_slices": "formats",
    "save_parts": "formats",
    "stored": "formats",
    "Stored": "formats",
    "segment": "nets.by_name",
    "calcium_score": "ops.anatomy.calcium",
    "areas_at": "ops.anatomy.composition",
    "segmenters": "nets.by_name",
    "measure": "ops.measure",
    "onto": "ops.resample",
    "to_spacing": "ops.resample",
    "stretched_to_shape": "ops.resample",
    "invert": "ops.resample",
    "to_orientation": "ops.resample",
    "to_shape": "ops.shape",
    "crop_to": "ops.shape",
    "middle_mm": "ops.shape",
    "Window": "windows",
    "windowed": "ops.intensity",
    "register": "ops.registration",
    "Transform": "ops.registration",
    "predict": "nets.predict",
    "load_model": "nets.models.model",
    "run": "pipeline.run",
    "export": "pipeline.export",
    "exported": "pipeline.export",
    "Exported": "pipeline.export",
    "ExportSettings": "pipeline.export",
    "Result": "pipeline.run",
    "Settings": "pipeline.spec",
    "IsocenterError": "errors",
    "Refused": "errors",
    "UsageError": "errors",
    "InputError": "errors",
    "TryLater": "errors",
    "Grid": "geometry",
    "Volume": "volume",
    "Segmentation": "findings",
    "Segment": "findings",
    "Measurement": "findings",
    "Mesh": "mesh",
    "Reason": "reasons",
    "Severity": "reasons",
    "Verdict": "reasons",
}

_ROOMS: dict[str, str] = {
    "augment": "augment",
    "datasets": "datasets",
    "evaluate": "evaluate",
    "nets": "nets",
    "train": "train",
    "filters": "ops.filters",
    "intensity": "ops.intensity",
    "masks": "ops.masks",
    "prompting": "ops.prompting",
    "photos": "ops.photos",
    "pictures": "report.pictures",
    "radiomics": "ops.radiomics",
    "responses": "ops.responses",
    "surfaces": "ops.surfaces",
    "registration": "ops.registration",
    "reformat": "ops.reformat",
}
"""Rooms that are reached as a whole, as ``iso.filters.gaussian``."""

__all__ = [
    "ExportSettings",
    "Exported",
    "Grid",
    "InputError",
    "IsocenterError",
    "Measurement",
    "Mesh",
    "Reason",
    "Refused",
    "Result",
    "Scan",
    "Segment",
    "Segmentation",
    "Series",
    "Settings",
    "Severity",
    "Stored",
    "Transform",
    "TryLater",
    "UsageError",
    "Verdict",
    "Volume",
    "Window",
    "areas_at",
    "calcium_score",
    "crop_to",
    "export",
    "exported",
    "invert",
    "load",
    "load_model",
    "load_segmentation",
    "measure",
    "middle_mm",
    "onto",
    "predict",
    "read",
    "read_segmentation",
    "read_slices",
    "register",
    "run",
    "save",
    "save_parts",
    "save_slices",
    "scan",
    "segment",
    "segmenters",
    "stored",
    "stretched_to_shape",
    "to_orientation",
    "to_shape",
    "to_spacing",
    "together",
    "windowed",
    "windows_of",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"isocenter.{_ROOMS[name]}")
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module 'isocenter' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"isocenter.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *_ROOMS, "__version__"]
