"""The command ``radiomics``: features of the segments of an image."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from isocenter.cli import words
from isocenter.cli.app import Json, SeriesName, Values, app, three
from isocenter.errors import UsageError
from isocenter.reasons import counted

if TYPE_CHECKING:
    from isocenter.ops.radiomics import Features, Processing
    from isocenter.ops.radiomics.processing import Bins


class Preset(StrEnum):
    """How an image is prepared, by name."""

    PLAIN = "plain"
    IBSI_A = "ibsi-a"
    IBSI_B = "ibsi-b"
    IBSI_C = "ibsi-c"
    IBSI_D = "ibsi-d"
    IBSI_E = "ibsi-e"
    IBSI_DIGITAL = "ibsi-digital"


@app.command()
def radiomics(
    image: Annotated[Path, typer.Argument(help="The image: DICOM (folder, file, zip file), NIfTI or NRRD.")],
    mask: Annotated[
        Path, typer.Argument(help="Its mask: DICOM SEG, RT Structure Set or the folder of one, or a label map.")
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write: .csv or .json.")] = None,
    segment: Annotated[list[str] | None, typer.Option("--segment", help="Segment to measure; by default all.")] = None,
    family: Annotated[
        list[str] | None, typer.Option("--family", help="Family of features, such as glcm; by default all.")
    ] = None,
    preset: Annotated[
        Preset, typer.Option("--preset", help="Preparation to begin with; the options below change it.")
    ] = Preset.PLAIN,
    spacing: Annotated[
        str, typer.Option("--spacing", help="Spacing in mm to interpolate to: 2, or slice x row x column: 3x1x1.")
    ] = "",
    intensities: Annotated[
        tuple[float, float] | None, typer.Option("--range", help="Keep intensities from LOW to HIGH.")
    ] = None,
    outliers: Annotated[
        float | None, typer.Option("--outliers", help="Keep intensities within so many deviations of the mean.")
    ] = None,
    bins: Annotated[int | None, typer.Option("--bins", help="Number of bins.")] = None,
    bin_size: Annotated[float | None, typer.Option("--bin-size", help="Width of a bin, in the image's unit.")] = None,
    dimensions: Annotated[
        list[str] | None, typer.Option("--dimension", help="What textures are counted in: 2D, 2.5D or 3D.")
    ] = None,
    series: SeriesName = "best",
    values: Values = "native",
    as_json: Json = False,
) -> None:
    """Compute radiomic features of segments, as IBSI 1 defines them."""
    from isocenter.ops.radiomics import FAMILIES, features
    from isocenter.pipeline import radiomics as pipeline

    if out is not None:
        pipeline.expect_suffix(out)
    settings: dict[str, Any] = {
        "spacing_mm": three(spacing, "--spacing", float),
        "intensity_range": intensities,
        "outliers_sd": outliers,
        "bins": _bins(bins, bin_size),
        "dimensions": tuple(dimensions or ()) or None,
    }
    processing = replace(_preset(preset), **{name: one for name, one in settings.items() if one is not None})
    with words.err.status("Reading", spinner="line"):
        volume, segmentation, taken = pipeline.read(image, mask, series, values=values)
    families = family or tuple(FAMILIES)
    with words.err.status("Measuring", spinner="line"):
        found = features(volume, segmentation, processing=processing, names=segment or (), families=families)
    if out is not None:
        pipeline.write(found, processing, out)
    if as_json:
        output = {} if out is None else {"output": str(out)}
        words.print_json({**output, **words.taken_facts(taken), **pipeline.facts(found, processing)})
        return
    words.show_taken(taken)
    _show(found, out)


def _preset(name: Preset) -> Processing:
    from isocenter.ops import radiomics as room

    found: Processing = room.Processing() if name is Preset.PLAIN else getattr(room, name.name)
    return found


def _bins(number: int | None, size: float | None) -> Bins | None:
    from isocenter.ops.radiomics import FixedBinNumber, FixedBinSize

    if number is not None and size is not None:
        raise UsageError("Give a number of bins or their width, not both.")
    if number is not None:
        return FixedBinNumber(number)
    return None if size is None else FixedBinSize(size)


def _show(found: Features, out: Path | None) -> None:
    if out is None:
        words.out.print(_table(found))
    else:
        words.say(escape(f"{out}: {counted(len(found), 'feature', 'features')}"))
    words.explain_reasons(found.reasons)


def _table(found: Features) -> Table:
    table = Table("segment", "family", "feature", "aggregation", "value", "unit", box=None)
    for column in table.columns:
        column.overflow = "fold"  # a narrow page breaks words, and leaves out nothing
    table.columns[4].justify, table.columns[4].min_width = "right", 12  # no number is broken
    for item in found:
        value = f"[dim]{escape(item.absent)}[/]" if item.value is None else f"{item.value:.6g}"
        unit = "" if item.unit.value == "1" else escape(item.unit.value)
        table.add_row(escape(item.segment), item.family, item.name, item.aggregation, value, unit)
    return table
