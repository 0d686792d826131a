"""Cases of the conformance suite: pictures without a place in the patient. Radiographs, cines, colour, palettes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset

from isocenter.geometry import Grid, Space
from isocenter.testing.dicom import save, values_on
from isocenter.testing.multiframe import identified, meta_of, put_stored
from isocenter.testing.tiled import US_CINE, XA, write_cine
from isocenter.testing.truth import Array, Case, Points, Ramp, Truth, Value

_IMAGES = "1.2.840.10008.5.1.4.1.1"
CR, DX, MG, SC, US = (f"{_IMAGES}.{end}" for end in ("1", "1.1", "1.2", "7", "6.1"))
_MODALITY = {CR: "CR", DX: "DX", MG: "MG", SC: "OT", US: "US"}
SHAPE = (1, 16, 20)
GREY = Ramp(300.0, (13.0, 29.0, 0.0))
COLOURS = tuple(Ramp(start, (x, y, 0.0)) for start, x, y in ((20.0, 3.0, 7.0), (230.0, -8.0, 1.0), (40.0, 5.0, -2.0)))

Edit = Callable[[Dataset], None]


def plane(spacing_mm: tuple[float, float] | None = None) -> Grid:
    """The grid of a picture: millimetres in its plane, or pixels."""
    affine = np.eye(4)[:, [2, 1, 0, 3]]
    if spacing_mm is not None:
        affine = affine @ np.diag([1, *spacing_mm, 1])
    return Grid(SHAPE, affine, space=Space.PLANE if spacing_mm else Space.PIXEL)


PIXELS = plane()


def coloured(points: Points) -> Array:
    """Red, green and blue."""
    return np.stack([np.clip(np.rint(ramp(points)), 0, 255) for ramp in COLOURS], axis=-1)


@dataclass(frozen=True)
class Look:
    """How a picture is written: SOP class, transfer syntax, photometric interpretation, further attributes."""

    class_uid: str = CR
    syntax: str = "explicit"
    photometric: str = "MONOCHROME2"
    edit: Edit = lambda data_set: None  # noqa: ARG005


def write_picture(cells: Array, path: Path, look: Look) -> None:
    """Write one picture of (row, column) or (row, column, 3) cells."""
    ds = identified(look.class_uid, "isocenter", PIXELS)
    del ds.FrameOfReferenceUID
    ds.Modality, ds.ImageType = _MODALITY[look.class_uid], ["ORIGINAL", "PRIMARY"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = cells.shape[2:] or 1, look.photometric
    if cells.ndim == 3:
        ds.SamplesPerPixel, ds.PlanarConfiguration = 3, 0
    ds.Rows, ds.Columns = cells.shape[:2]
    put_stored(ds, cells[None], look.syntax)
    look.edit(ds)
    ds.file_meta = meta_of(ds, look.syntax)
    save(ds, path)


def plane_cases() -> Iterator[Case]:
    """All cases of this module."""
    yield from _radiographs()
    yield from _colours()
    yield from _palettes()
    yield from _cines()


def _radiographs() -> Iterator[Case]:
    spaced = plane((0.2, 0.15))

    def with_spacing(keyword: str) -> Edit:
        return lambda ds: setattr(ds, keyword, ["0.2", "0.15"])

    for name, class_uid, keyword in (
        ("CR with pixel spacing", CR, "PixelSpacing"),
        ("DX with imager pixel spacing", DX, "ImagerPixelSpacing"),
        ("MG with imager pixel spacing", MG, "ImagerPixelSpacing"),
        ("secondary capture with nominal spacing", SC, "NominalScannedPixelSpacing"),
    ):
        look = Look(class_uid, edit=with_spacing(keyword))
        value = Ramp(300.0, (90.0, 150.0, 0.0))
        yield _grey(name, "A projection: no place in the patient.", look, spaced, value)
    yield _grey("CR without any spacing", "No millimetre is known.", Look(CR), PIXELS)
    inverted = Look(DX, photometric="MONOCHROME1")
    yield _grey("DX, MONOCHROME1", "Dark is high; the values stay.", inverted, PIXELS)
    yield _grey("DX, JPEG 2000", "In this transfer syntax.", Look(DX, "JPEG 2000 lossless"), PIXELS)

    def ten_bits(ds: Dataset) -> None:
        ds.BitsStored, ds.HighBit = 10, 9

    yield _grey("CR, 10 bits", "In 16.", Look(CR, edit=ten_bits), PIXELS)


def _grey(name: str, told: str, look: Look, grid: Grid, value: Ramp = GREY) -> Case:
    def writer(folder: Path) -> None:
        write_picture(np.rint(values_on(value, grid)[0]).astype("<u2"), folder / "image.dcm", look)

    return Case(name, "plane", told, writer, (Truth(value, grid),))


# --- colour ---------------------------------------------------------------------------------------------------------


def _colours() -> Iterator[Case]:
    rgb = values_on(coloured, PIXELS)[0].astype(np.uint8)

    def planar(ds: Dataset) -> None:
        ds.PlanarConfiguration = 1
        ds.PixelData = np.ascontiguousarray(np.moveaxis(rgb, -1, 0)).tobytes()

    def converted(ds: Dataset) -> None:
        ds.PixelData = _ybr(rgb).tobytes()

    def halved(ds: Dataset) -> None:
        ybr = _ybr(rgb).astype(int)
        pairs = ybr.reshape(SHAPE[1], -1, 2, 3)
        mean = (pairs[..., 0, 1:] + pairs[..., 1, 1:] + 1) // 2
        ds.PixelData = np.concatenate([pairs[..., 0], mean], axis=-1).astype(np.uint8).tobytes()

    def as_jpeg(ds: Dataset) -> None:
        ds.LossyImageCompression = "01"

    kinds: tuple[tuple[str, str, Look, float], ...] = (
        ("RGB", "Pixel by pixel.", Look(SC, photometric="RGB"), 0.01),
        ("RGB, planar", "Plane by plane.", Look(SC, photometric="RGB", edit=planar), 0.01),
        ("YBR_FULL", "Uncompressed.", Look(US, photometric="YBR_FULL", edit=converted), 2.01),
        ("YBR_FULL_422", "Uncompressed, colour of two pixels.", Look(US, photometric="YBR_FULL_422", edit=halved), 8.0),
        ("RGB, RLE", "Run lengths of planes.", Look(SC, "RLE", "RGB"), 0.01),
        ("RGB, JPEG-LS", "Lossless.", Look(SC, "JPEG-LS", "RGB"), 0.01),
        ("RGB, JPEG 2000", "Reversible colour transform.", Look(SC, "JPEG 2000 lossless", "YBR_RCT"), 0.01),
        ("YBR_FULL, JPEG", "Lossy, converted within JPEG.", Look(US, "JPEG baseline", "YBR_FULL", as_jpeg), 8.0),
    )
    for name, told, look, tolerance in kinds:
        writer = _picture(rgb, look)
        yield Case(name, "plane", told, writer, (Truth(coloured, PIXELS, tolerance=tolerance),))


def _ybr(rgb: Array) -> Array:
    """RGB to full-range YBR (PS3.3 C.7.6.3.1.2)."""
    matrix = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    ybr: Array = np.clip(np.rint(rgb @ matrix.T + [0, 128, 128]), 0, 255).astype(np.uint8)
    return ybr


def _picture(cells: Array, look: Look) -> Callable[[Path], object]:
    return lambda folder: write_picture(cells, folder / "image.dcm", look)


def _palettes() -> Iterator[Case]:
    indices = np.rint(values_on(Ramp(10.0, (4.0, 9.0, 0.0)), PIXELS)[0]).astype(np.uint8)
    tables = np.stack([(np.arange(256) * step + start) % 65536 for step, start in ((251, 100), (-97, 60000), (13, 7))])

    def painted(points: Points) -> Array:
        index = np.rint(Ramp(10.0, (4.0, 9.0, 0.0))(points)).astype(int)
        return np.moveaxis(tables[:, index], 0, -1).astype(float)

    def eight(points: Points) -> Array:
        return np.floor(painted(points) / 256)

    def with_tables(ds: Dataset) -> None:
        for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
            descriptor, data = f"{name}PaletteColorLookupTableDescriptor", f"{name}PaletteColorLookupTableData"
            setattr(ds, descriptor, [256, 0, 16])
            ds[descriptor].VR = "US"
            setattr(ds, data, table.astype("<u2").tobytes())
            ds[data].VR = "OW"

    look = Look(US, photometric="PALETTE COLOR", edit=with_tables)
    truth = Truth(painted, PIXELS, tolerance=0.01, others=(eight,))
    yield Case("PALETTE COLOR", "plane", "Indices into 16-bit tables.", _picture(indices, look), (truth,))


# --- over time ------------------------------------------------------------------------------------------------------


def _cines() -> Iterator[Case]:
    count = 5
    values = [Ramp(30.0 + 11 * k, (3.0, 5.0, 0.0)) for k in range(count)]
    grey = np.stack([np.rint(values_on(value, PIXELS)[0]) for value in values]).astype(np.uint8)
    truths = tuple(Truth(value, PIXELS, name=f"frame {k + 1}") for k, value in enumerate(values))
    for name, syntax in (
        ("XA cine", "explicit"),
        ("XA cine, JPEG lossless", "JPEG lossless SV1"),
        ("XA cine, RLE", "RLE"),
    ):
        yield Case(name, "plane", "Frames over time.", _cine(grey, XA, syntax), truths)
    colours = [_faded(k) for k in range(count)]
    rgb = np.stack([values_on(value, PIXELS)[0] for value in colours]).astype(np.uint8)
    told = tuple(Truth(value, PIXELS, tolerance=0.01, name=f"frame {k + 1}") for k, value in enumerate(colours))
    yield Case("US cine, RGB", "plane", "Colour frames over time.", _cine(rgb, US_CINE, "explicit"), told)
    yield Case("US cine, RGB, RLE", "plane", "The same in run lengths.", _cine(rgb, US_CINE, "RLE"), told)


def _faded(frame: int) -> Value:
    return lambda points: np.maximum(coloured(points) - 9.0 * frame, 0)


def _cine(frames: Array, class_uid: str, syntax: str) -> Callable[[Path], object]:
    return lambda folder: write_cine(frames, folder / "cine.dcm", class_uid=class_uid, syntax=syntax)
