"""The commands of the main job: index, run, show, convert, explain. No medicine lives here.

Words and tables for people on one side, ``--json`` for machines. Exit status: 0 done (reasons allowed), 1 a case was
held, rejected or found nothing, 2 wrong use, 3 try later.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from isocenter import __version__
from isocenter.cli import words
from isocenter.cli.app import GapsRule, ImagePath, Json, SeriesName, Values, WindowName, app, scanned, volume_of
from isocenter.errors import UsageError
from isocenter.reasons import CODES, Severity


class SegKind(StrEnum):
    """How segments are stored in DICOM SEG."""

    BINARY = "binary"
    LABELMAP = "labelmap"


@app.callback(
    invoke_without_command=True,
    epilog="Exit status: 0 done, 1 a case was held, rejected or found nothing, 2 wrong use, 3 try later.  "
    "Not for diagnosis without review.",
)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Medical images from the scanner to a verified report."""
    if version:
        words.out.print(f"isocenter {__version__}", highlight=False)
        raise typer.Exit


@app.command()
def index(path: Annotated[Path, typer.Argument(help="Folder, file or zip file.")], as_json: Json = False) -> None:
    """List the series of a folder with their verdicts."""
    from isocenter.dicom.sorting.listing import rows

    scan = scanned(path)
    if as_json:
        words.print_json(
            {
                "series": [words.series_facts(series) for series in scan],
                "findings": [words.found_facts(found) for found in scan.findings],
                "ignored": [{"path": str(item.path), **item.reason.to_dict()} for item in scan.ignored],
            }
        )
        return
    for study, members in groupby(rows(scan), key=lambda row: row.series[0].study_uid):
        words.say(f"[bold]Study[/] {escape(study) or 'without UID'}")
        for row in members:
            words.show_row(row)
    words.show_findings(scan.findings)
    if scan.ignored:
        words.out.print(f"[dim]No image:[/] {words.counted(i.reason for i in scan.ignored)}")
        words.explain_reasons(item.reason for item in scan.ignored if item.reason.severity is not Severity.INFO)


@app.command()
def run(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline, such as lungs; or a model, or its folder.")],
    path: ImagePath,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results, one folder per study.")],
    series: SeriesName = "best",
    every: Annotated[bool, typer.Option("--all", help="Take every series that fits, not the best alone.")] = False,
    seg: Annotated[SegKind, typer.Option("--seg", help="How segments are stored in DICOM SEG.")] = SegKind.BINARY,
    time: Annotated[str, typer.Option("--time", help="Time of the run (ISO 8601), to replay one.")] = "",
    as_json: Json = False,
) -> None:
    """Run a pipeline on each study: segmentation, measurements, DICOM objects, report, record."""
    from isocenter.pipeline.run import run as run_pipeline
    from isocenter.pipeline.spec import Settings

    settings = Settings(series="all" if every else series, seg=str(seg), time=_time(time))
    with words.err.status("Starting", spinner="line") as status:
        results = run_pipeline(pipeline, path, out, settings=settings, observer=words.telling(status))
    if as_json:
        words.print_json([result.to_dict() for result in results])
    else:
        for result in results:
            words.show_result(result)
    raise typer.Exit(0 if all(result.verdict.usable for result in results) else 1)


@app.command()
def show(
    path: ImagePath,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")] = Path(),
    series: SeriesName = "best",
    segmenter: Annotated[str, typer.Option("--segment", help="Draw what this segmenter finds, and a 3D view.")] = "",
    window: WindowName = "",
    values: Values = "native",
    gaps: GapsRule = "hold",
    as_json: Json = False,
) -> None:
    """Draw pictures of a series: contact sheet, histogram and a 3D view (of a CT's bones, or of what is segmented)."""
    from isocenter.pipeline import look

    volume, taken = volume_of(path, series, values=values, gaps=gaps)
    paths = [str(path) for path in look.write(look.pictures(volume, segmenter=segmenter, window=window), out)]
    if as_json:
        reasons = words.reason_facts(volume.reasons)
        words.print_json({"pictures": paths, **words.taken_facts(taken), "reasons": reasons})
        return
    words.show_taken(taken)
    words.say(escape("\n".join(paths)))
    words.explain_reasons(volume.reasons)


@app.command()
def convert(
    path: ImagePath,
    out: Annotated[Path, typer.Argument(help="File to write: .nii, .nii.gz, .nrrd, .mha, .npz, .npy, .zarr or .tif.")],
    series: SeriesName = "best",
    values: Values = "native",
    gaps: GapsRule = "hold",
    on: Annotated[
        Path | None, typer.Option("--on", help="Image whose grid a segmentation or RT Structure Set is brought onto.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a series, a DICOM Segmentation or an RT Structure Set as NIfTI, NRRD, MetaImage, NumPy, Zarr or TIFF."""
    from isocenter import formats
    from isocenter.findings import Segmentation
    from isocenter.pipeline import look

    with words.err.status("Reading", spinner="line"):
        image, taken = look.image(path, series, values=values, gaps=gaps, on=on)
    formats.save(image, out)
    facts = words.image_facts(image)
    if as_json:
        words.print_json({"output": str(out), **words.taken_facts(taken), **facts})
        return
    words.show_taken(taken)
    unit = "" if isinstance(image, Segmentation) else f", {image.unit.meaning} ({image.unit.value})"
    size = "x".join(map(str, facts["shape"]))
    words.say(escape(f"{out}: {size} {facts['dtype']}{unit}"))
    if isinstance(image, Segmentation):
        words.show_segments(image)
    words.explain_reasons(image.reasons)


@app.command()
def segmenters(as_json: Json = False) -> None:
    """List what can be segmented."""
    from isocenter.nets import by_name

    found = by_name.segmenters()
    if as_json:
        words.print_json([info.to_dict() for info in found])
        return
    table = Table("name", "takes", "finds", "how", box=None)
    for info in found:
        table.add_row(info.name, ", ".join(info.modalities), ", ".join(info.segments), info.description)
    words.out.print(table)


@app.command()
def explain(
    code: Annotated[str, typer.Argument(help="Code of a reason, such as TILT; without one, all.")] = "",
    as_json: Json = False,
) -> None:
    """Say what the code of a reason means, what was done and what you can do."""
    wanted = code.upper()
    if wanted and wanted not in CODES:
        near = get_close_matches(wanted, CODES)
        hint = f"Near it: {', '.join(near)}." if near else "`isocenter explain` lists all."
        raise UsageError(f"There is no reason with the code {code!r}. {hint}")
    found = {name: asdict(entry) for name, entry in sorted(CODES.items()) if wanted in ("", name)}
    if as_json:
        words.print_json(found)
        return
    for name, entry in found.items():
        words.out.print(f"[bold]{name}[/] [dim]({entry['severity']})[/]", highlight=False)
        for label, key in (("Met", "meaning"), ("Done", "done"), ("You can", "advice")):
            words.say(f"  [dim]{label:<8}[/]{escape(entry[key])}")


@app.command()
def info(
    path: Annotated[Path | None, typer.Argument(help="Folder or file; without one, the installation.")] = None,
    series: SeriesName = "best",
    values: Values = "native",
    gaps: GapsRule = "hold",
    as_json: Json = False,
) -> None:
    """Print the facts of one volume or stored segmentation, or of the installation."""
    from isocenter.pipeline.provenance import versions

    if path is None:
        if (series, values, gaps) != ("best", "native", "hold"):
            raise UsageError("--series, --values and --gaps are for an image: name its path.")
        image, taken, facts = None, None, dict[str, Any](versions())
    else:
        from isocenter.pipeline import look

        with words.err.status("Reading", spinner="line"):
            image, taken = look.image(path, series, values=values, gaps=gaps)
        facts = {**words.taken_facts(taken), **words.image_facts(image)}
    if as_json:
        words.print_json(facts)
        return
    reasons = () if image is None else image.reasons
    for key in ("reasons", "series"):
        facts.pop(key, None)
    segments: list[dict[str, Any]] = facts.pop("segments", [])
    words.show_taken(taken)
    table = Table(show_header=False, box=None)
    for key, value in facts.items():
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        table.add_row(f"[dim]{key}[/]", escape(text))
    for one in segments:
        table.add_row(f"[dim]segment {one['label']}[/]", escape(f"{one['name']}, {one['volume_ml']:.4g} ml"))
    words.out.print(table)
    words.explain_reasons(reasons)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the study and the results.")] = Path("demo"),
    as_json: Json = False,
) -> None:
    """Make a chest CT phantom as DICOM, run the lungs pipeline on it and say where the report lies."""
    from isocenter.testing import demo as testing_demo

    with words.err.status("Making a chest CT phantom", spinner="line"):
        study, truth_ml = testing_demo.write_study(out / "study")
    words.err.print(
        f"A chest CT phantom lies in [bold]{escape(str(study))}[/]; its lungs hold {truth_ml:.1f} ml by construction."
    )
    run("lungs", study, out / "results", as_json=as_json)


# --- parts -----------------------------------------------------------------------------------------------------------


def _time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--time wants ISO 8601, as in 2026-01-31T12:00:00+00:00; not {text!r}.") from None
    return time if time.tzinfo else time.astimezone()
