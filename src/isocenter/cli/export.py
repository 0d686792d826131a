"""The command ``isocenter export``: many studies to one array of equal shapes and a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from isocenter.cli import words
from isocenter.cli.app import Json, SeriesName, app, three
from isocenter.ops.resample import Interpolation, Smoothing
from isocenter.pipeline.exporting.settings import Center, Dtype, Fit, Format

if TYPE_CHECKING:
    from isocenter.pipeline.export import Exported


@app.command()
def export(
    paths: Annotated[list[Path], typer.Argument(help="Folders, zip or image files, or CSV files with a column path.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the array and its table.")],
    shape: Annotated[str, typer.Option("--shape", help="Slices, rows and columns of every case, as in 64,96,96.")] = "",
    spacing: Annotated[
        str, typer.Option("--spacing", help="Millimetres along slice, row and column, as in 3,2,2; or one for all.")
    ] = "",
    fit: Annotated[
        Fit,
        typer.Option("--fit", help="Crop and pad to the shape, voxels as they are; or stretch the whole image to it."),
    ] = "crop",
    center: Annotated[Center, typer.Option("--center", help="What comes to the middle when cropping.")] = "middle",
    window: Annotated[str, typer.Option("--window", help="Window for CT, such as lung; values become 0 to 1.")] = "",
    segment: Annotated[str, typer.Option("--segment", help="Export what this segmenter finds beside each image.")] = "",
    masks: Annotated[
        Path | None, typer.Option("--masks", help="Folder of label files named as the image files are.")
    ] = None,
    series: SeriesName = "best",
    modality: Annotated[str, typer.Option("--modality", help="Only series of this DICOM modality, such as CT.")] = "",
    outside: Annotated[
        float | None, typer.Option("--outside", help="Value where a case does not reach; by default air of a CT.")
    ] = None,
    interpolation: Annotated[
        Interpolation, typer.Option("--interpolation", help="How values come onto another spacing.")
    ] = "linear",
    smoothing: Annotated[
        Smoothing, typer.Option("--smoothing", help="Smooth images that shrink to match, or not at all.")
    ] = "matched",
    dtype: Annotated[Dtype, typer.Option("--dtype", help="Type of the values.")] = "float32",
    kind: Annotated[
        Format, typer.Option("--format", help="One Zarr or NumPy array, or one file for each case.")
    ] = "zarr",
    as_json: Json = False,
) -> None:
    """Export many studies to one array of equal shapes and a table, for learning. Interrupted, it goes on later."""
    from isocenter.pipeline.export import ExportSettings
    from isocenter.pipeline.export import export as export_cases

    settings = ExportSettings(
        shape=three(shape, "--shape", int),
        spacing_mm=three(spacing, "--spacing", float),
        fit=fit,
        center=center,
        window=window,
        segment=segment,
        series=series,
        modality=modality,
        outside=outside,
        interpolation=interpolation,
        smoothing=smoothing,
        dtype=dtype,
        format=kind,
    )
    with words.err.status("Reading headers", spinner="line") as status:
        made = export_cases(paths, out, settings=settings, masks=masks, observer=words.telling(status))
    if as_json:
        words.print_json({"out": str(made.folder), "usable": len(made.usable), "cases": list(made.rows)})
    else:
        _show(made)
    raise typer.Exit(1 if made.failed else 0)


def _show(made: Exported) -> None:
    table = Table("", "case", "verdict", "before", "spacing mm", "reasons", box=None)
    for row in made.rows:
        before = " x ".join(map(str, row["shape_before"] or ()))
        spacing = " x ".join(f"{mm:.3g}" for mm in row["spacing_before_mm"] or ())
        codes = ", ".join(dict.fromkeys(reason["code"] for reason in row["reasons"]))
        index = "" if row["index"] is None else str(row["index"])
        table.add_row(index, escape(row["case"]), row["verdict"], before, spacing, codes)
    words.out.print(table)
    whose: dict[str, list[str]] = {}
    for row in made.failed:
        for reason in row["reasons"]:
            whose.setdefault(f"[red]{reason['code']}[/] {escape(reason['message'])}", []).append(row["case"])
    for said, cases in whose.items():
        others = f" and {len(cases) - 1} more" if len(cases) > 1 else ""
        words.say(f"  {said} [dim]({escape(cases[0])}{others})[/]")
    words.out.print(f"{len(made.usable)} of {len(made.rows)} cases in {escape(str(made.folder))}", soft_wrap=True)
