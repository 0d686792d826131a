"""Synthetic images of many frames without functional groups: NM, RT Dose, Siemens mosaics, cines; for tests."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom import Sequence as Items
from pydicom.tag import Tag

from isocenter.geometry import Grid
from isocenter.testing.dicom import PositionFunction, decimal, save, uid_of, values_on
from isocenter.testing.multiframe import Array, identified, meta_of, put_stored, stored

NM, RT_DOSE, MR, US_CINE, XA = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("20", "481.2", "4", "3.1", "12.1"))
Edit = Callable[[Dataset], None]


def _finish(ds: Dataset, path: Path, syntax: str, edit: Edit | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if edit is not None:
        edit(ds)
    ds.file_meta = meta_of(ds, syntax)
    save(ds, path)
    return path


def _put_plane(ds: Dataset, grid: Grid) -> None:
    across, down = (grid.direction[:, axis] for axis in (2, 1))
    ds.ImageOrientationPatient = [decimal(x) for x in (*across, *down)]
    ds.ImagePositionPatient = [decimal(x) for x in grid.origin_mm]


def _put_cells(ds: Dataset, cells: Array, syntax: str) -> None:
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.NumberOfFrames = len(cells)
    ds.Rows, ds.Columns = cells.shape[1:3]
    put_stored(ds, cells, syntax)


def _steps_mm(grid: Grid) -> float:
    """Distance from slice to slice along the cross product of columns' and rows' direction; with its sign."""
    normal = np.cross(grid.direction[:, 2], grid.direction[:, 1])
    return float(grid.affine[:3, 0] @ normal)


def write_nm(value: PositionFunction, grid: Grid, path: Path, *, edit: Edit | None = None) -> Path:
    """A reconstructed nuclear-medicine volume (PS3.3 C.8.4.15); the sign of its spacing says how it is stacked."""
    ds = identified(NM, "isocenter", grid)
    ds.Modality, ds.ImageType = "NM", ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    detector = Dataset()
    _put_plane(detector, grid)
    ds.DetectorInformationSequence = Items([detector])
    ds.PixelSpacing = [decimal(x) for x in grid.spacing_mm[1:]]
    ds.SliceThickness, ds.SpacingBetweenSlices = decimal(grid.spacing_mm[0]), decimal(_steps_mm(grid))
    ds.FrameIncrementPointer, ds.SliceVector = Tag("SliceVector"), list(range(1, grid.shape[0] + 1))
    ds.NumberOfSlices, ds.Units = grid.shape[0], "CNTS"
    _put_cells(ds, stored(values_on(value, grid), None, "<u2"), "explicit")
    return _finish(ds, path, "explicit", edit)


def write_dose(
    value: PositionFunction, grid: Grid, path: Path, *, first_offset_mm: float = 0.0, edit: Edit | None = None
) -> Path:
    """An RT Dose in Gy (PS3.3 C.8.8.3): offsets from the first plane, or z coordinates where the first is not 0."""
    ds = identified(RT_DOSE, "isocenter", grid)
    ds.Modality, ds.DoseUnits, ds.DoseType, ds.DoseSummationType = "RTDOSE", "GY", "PHYSICAL", "PLAN"
    _put_plane(ds, grid)
    ds.PixelSpacing = [decimal(x) for x in grid.spacing_mm[1:]]
    ds.SliceThickness = ""
    ds.FrameIncrementPointer = Tag("GridFrameOffsetVector")
    ds.GridFrameOffsetVector = [decimal(first_offset_mm + k * _steps_mm(grid)) for k in range(grid.shape[0])]
    ds.DoseGridScaling = "0.0125"
    _put_cells(ds, stored(values_on(value, grid), (0.0125, 0.0), "<u4"), "explicit")
    return _finish(ds, path, "explicit", edit)


def write_mosaic(value: PositionFunction, grid: Grid, path: Path, *, name: str = "1", edit: Edit | None = None) -> Path:
    """A Siemens mosaic: the slices of one volume as tiles of one picture, their geometry in the CSA header.

    Image Position (Patient) is that of the picture's corner as if it were one slice with the first slice's centre.
    """
    count, rows, columns = grid.shape
    side = math.ceil(math.sqrt(count))
    picture = np.zeros((side * rows, side * columns))
    for index, values in enumerate(values_on(value, grid)):
        row, column = divmod(index, side)
        picture[row * rows : (row + 1) * rows, column * columns : (column + 1) * columns] = values
    ds = identified(MR, "isocenter", grid)
    ds.SOPInstanceUID, ds.InstanceNumber = uid_of("mosaic", name), int(name)
    ds.Modality, ds.Manufacturer = "MR", "SIEMENS"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    ds.AcquisitionNumber, ds.AcquisitionTime = int(name), f"10101{name}.0"
    _put_plane(ds, grid)
    shift = [(side - 1) / 2 * rows, (side - 1) / 2 * columns]
    ds.ImagePositionPatient = [decimal(x) for x in grid.to_world((0, -shift[0], -shift[1]))]
    ds.PixelSpacing = [decimal(x) for x in grid.spacing_mm[1:]]
    ds.SliceThickness = ds.SpacingBetweenSlices = decimal(grid.spacing_mm[0])
    _put_csa(ds, grid)
    _put_cells(ds, stored(picture[None], None, "<u2"), "explicit")
    del ds.NumberOfFrames
    return _finish(ds, path, "explicit", edit)


def _put_csa(ds: Dataset, grid: Grid) -> None:
    normal = grid.direction[:, 0]
    image = {"NumberOfImagesInMosaic": (b"US", [str(grid.shape[0])])}
    image["SliceNormalVector"] = (b"FD", [f"{x:.8f}" for x in normal])
    lines = [f"sSliceArray.lSize\t = \t{grid.shape[0]}"]
    for index in range(grid.shape[0]):
        middle = grid.to_world((index, grid.shape[1] / 2, grid.shape[2] / 2))
        for what, vector in (("sPosition", middle), ("sNormal", normal)):
            for axis, number in zip(("dSag", "dCor", "dTra"), vector, strict=True):
                lines.append(f"sSliceArray.asSlice[{index}].{what}.{axis}\t = \t{number:.10g}")
    protocol = "### ASCCONV BEGIN ###\n" + "\n".join(lines) + "\n### ASCCONV END ###\n"
    counting = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    counting.add_new(0x0A, "US", grid.shape[0])
    block = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x08, "CS", "IMAGE NUM 4")
    block.add_new(0x10, "OB", _csa(image))
    block.add_new(0x18, "CS", "MR")
    block.add_new(0x20, "OB", _csa({"MrPhoenixProtocol": (b"UN", [protocol])}))


def _csa(elements: dict[str, tuple[bytes, list[str]]]) -> bytes:
    """A CSA header of the second kind (as nibabel and dcm2niix read it)."""
    parts = [b"SV10\4\3\2\1", struct.pack("<II", len(elements), 77)]
    for name, (vr, texts) in elements.items():
        parts.append(struct.pack("<64si4siii", name.encode(), len(texts), vr, 0, len(texts), 77))
        for text in texts:
            raw = text.encode() + b"\0"
            parts += [struct.pack("<4i", len(raw), len(raw), 77, len(raw)), raw + b"\0" * (-len(raw) % 4)]
    content = b"".join(parts)
    return content + b"\0" * (len(content) % 2)


def write_cine(
    frames: Array, path: Path, *, class_uid: str, syntax: str = "explicit", edit: Edit | None = None
) -> Path:
    """Pictures over time without a place in the patient.

    Parameters
    ----------
    frames
        (frame, row, column) or (frame, row, column, 3) cells.
    path
        Where to.
    class_uid
        :data:`US_CINE`, :data:`XA`, ...
    syntax
        A key of :data:`isocenter.testing.encoding.UIDS`.
    edit
        Called with the data set before it is written.
    """
    ds = identified(class_uid, "isocenter", Grid.from_vectors((1, 1, 1)))
    del ds.FrameOfReferenceUID
    ds.Modality = {US_CINE: "US", XA: "XA"}.get(class_uid, "OT")
    ds.FrameIncrementPointer, ds.FrameTime = Tag("FrameTime"), "33.3"
    _put_cells(ds, frames, syntax)
    if frames.ndim == 4:
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    return _finish(ds, path, syntax, edit)
