"""The command line. Words and tables for people on one side, ``--json`` for machines; no medicine lives here.

Exit status: 0 done (reasons allowed), 1 a case was held, rejected or found nothing, 2 wrong use, 3 try later.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from io import TextIOWrapper
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from isocenter import __version__
from isocenter.errors import IsocenterError, UsageError
from isocenter.reasons import CODES, Reason, Severity, Verdict

if TYPE_CHECKING:
    from isocenter.dicom.scan import Scan
    from isocenter.dicom.series import Series
    from isocenter.findings import Measurement, Segment
    from isocenter.pipeline.run import Result
    from isocenter.volume import Volume

app = typer.Typer(
    name="isocenter",
    help="Medical images from the scanner to a verified report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_out = Console()
_err = Console(stderr=True)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of a table.")]
_Series = Annotated[
    str, typer.Option("--series", help="Series number or Series Instance UID. By default the one that fits best.")
]
_KINDS = {
    "UsageError": "Wrong use",
    "MissingExtra": "Not installed",
    "InputError": "Damaged input",
    "TryLater": "Try later",
}
_STYLE = {Verdict.OK: "green", Verdict.REPAIRED: "yellow", Verdict.HELD: "dark_orange", Verdict.REJECTED: "red"}


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
        _out.print(f"isocenter {__version__}", highlight=False)
        raise typer.Exit


@app.command()
def index(path: Annotated[Path, typer.Argument(help="Folder, file or zip file.")], as_json: _Json = False) -> None:
    """List the series of a folder with their verdicts."""
    scan = _scan(path)
    if as_json:
        _print_json(
            {
                "series": [_series_facts(series) for series in scan],
                "ignored": [{"path": str(item.path), **item.reason.to_dict()} for item in scan.ignored],
            }
        )
        return
    for study, members in groupby(scan, key=lambda series: series.study_uid):
        _out.print(f"[bold]Study[/] {escape(study) or 'without UID'}", highlight=False, soft_wrap=True)
        for series in members:
            _show_series(series)
    if scan.ignored:
        _out.print(f"[dim]No image:[/] {_counted(i.reason for i in scan.ignored)}")
        _explain(item.reason for item in scan.ignored if item.reason.severity is not Severity.INFO)


@app.command()
def run(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline, such as lungs.")],
    path: Annotated[Path, typer.Argument(help="Folder, file or zip file of DICOM, or a NIfTI or NRRD file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results, one folder per study.")],
    series: _Series = "best",
    every: Annotated[bool, typer.Option("--all", help="Take every series that fits, not the best alone.")] = False,
    seg: Annotated[SegKind, typer.Option("--seg", help="How segments are stored in DICOM SEG.")] = SegKind.BINARY,
    time: Annotated[str, typer.Option("--time", help="Time of the run (ISO 8601), to replay one.")] = "",
    as_json: _Json = False,
) -> None:
    """Run a pipeline on each study: segmentation, measurements, DICOM objects, report, record."""
    from isocenter.pipeline.run import run as run_pipeline
    from isocenter.pipeline.spec import Settings

    settings = Settings(series="all" if every else series, seg=str(seg), time=_time(time))
    with _err.status("Starting", spinner="line") as status:
        results = run_pipeline(
            pipeline, path, out, settings=settings, observer=lambda text: status.update(escape(text))
        )
    if as_json:
        _print_json([result.to_dict() for result in results])
    else:
        for result in results:
            _show_result(result)
    raise typer.Exit(0 if all(result.verdict.usable for result in results) else 1)


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="Folder, file or zip file of DICOM, or a NIfTI or NRRD file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")] = Path(),
    series: _Series = "best",
    segmenter: Annotated[str, typer.Option("--segment", help="Draw what this segmenter finds, and a 3D view.")] = "",
    window: Annotated[str, typer.Option("--window", help="Window for CT, such as lung, bone or 'soft tissue'.")] = "",
    as_json: _Json = False,
) -> None:
    """Draw pictures of a series: contact sheet, histogram and a 3D view (of a CT's bones, or of what is segmented)."""
    from isocenter.pipeline import look

    volume = _volume(path, series)
    paths = [str(path) for path in look.write(look.pictures(volume, segmenter=segmenter, window=window), out)]
    _print_json({"pictures": paths}) if as_json else _out.print("\n".join(paths), highlight=False, markup=False)


@app.command()
def convert(
    path: Annotated[Path, typer.Argument(help="Folder, file or zip file of DICOM, or a NIfTI or NRRD file.")],
    out: Annotated[Path, typer.Argument(help="File to write: .nii, .nii.gz, .nrrd, .npz or .zarr.")],
    series: _Series = "best",
    as_json: _Json = False,
) -> None:
    """Write a series as NIfTI, NRRD, NumPy or Zarr."""
    from isocenter import formats

    volume = _volume(path, series)
    formats.save(volume, out)
    if as_json:
        _print_json({"output": str(out), **_volume_facts(volume)})
    else:
        _out.print(
            f"{out}: {'x'.join(str(n) for n in volume.shape)} {volume.array.dtype}", highlight=False, markup=False
        )
        _explain(volume.reasons)


@app.command()
def segmenters(as_json: _Json = False) -> None:
    """List what can be segmented."""
    from isocenter.ops import anatomy

    found = anatomy.segmenters()
    if as_json:
        _print_json([info.to_dict() for info in found])
        return
    table = Table("name", "takes", "finds", "how", box=None)
    for info in found:
        table.add_row(info.name, ", ".join(info.modalities), ", ".join(info.segments), info.description)
    _out.print(table)


@app.command()
def explain(
    code: Annotated[str, typer.Argument(help="Code of a reason, such as TILT; without one, all.")] = "",
    as_json: _Json = False,
) -> None:
    """Say what the code of a reason means, what was done and what you can do."""
    wanted = code.upper()
    if wanted and wanted not in CODES:
        near = ", ".join(get_close_matches(wanted, CODES)) or "run `isocenter explain` for all"
        raise UsageError(f"There is no reason with the code {code!r}; near it: {near}.")
    found = {name: asdict(entry) for name, entry in sorted(CODES.items()) if wanted in ("", name)}
    if as_json:
        _print_json(found)
        return
    for name, entry in found.items():
        text = f"[bold]{name}[/] [dim]({entry['severity']})[/] {entry['meaning']} {entry['done']} {entry['advice']}"
        _out.print(text, highlight=False, soft_wrap=True)


@app.command()
def info(
    path: Annotated[Path | None, typer.Argument(help="Folder or file; without one, the installation.")] = None,
    series: _Series = "best",
    as_json: _Json = False,
) -> None:
    """Print the facts of one volume, or of the installation."""
    from isocenter.pipeline.provenance import versions

    volume = None if path is None else _volume(path, series)
    facts = dict(versions()) if volume is None else _volume_facts(volume)
    if as_json:
        _print_json(facts)
        return
    reasons = () if volume is None else volume.reasons
    facts.pop("reasons", None)
    table = Table(show_header=False, box=None)
    for key, value in facts.items():
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        table.add_row(f"[dim]{key}[/]", escape(text))
    _out.print(table)
    _explain(reasons)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the study and the results.")] = Path("demo"),
    as_json: _Json = False,
) -> None:
    """Make a chest CT phantom as DICOM, run the lungs pipeline on it and say where the report lies."""
    from isocenter.testing import demo as testing_demo

    with _err.status("Making a chest CT phantom", spinner="line"):
        study, truth_ml = testing_demo.write_study(out / "study")
    _err.print(
        f"A chest CT phantom lies in [bold]{escape(str(study))}[/]; its lungs hold {truth_ml:.1f} ml by construction."
    )
    run("lungs", study, out / "results", as_json=as_json)


def main() -> NoReturn:
    """Entry point: errors made on purpose become one clear sentence and an exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stopped container cleans up as after Ctrl-C
    for name in ("pydicom", "highdicom"):  # their warnings may quote a patient's data
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        app()
    except IsocenterError as error:
        _fail(str(error), error.exit_status, type(error).__name__)
    except KeyboardInterrupt:
        _fail("Nothing half-written was left.", 130, "Interrupted")
    except Exception as error:
        if os.environ.get("ISOCENTER_DEBUG"):
            raise
        text = (
            f"This is a bug in Isocenter ({type(error).__name__}). Set ISOCENTER_DEBUG=1 to see where, and report it."
        )
        _fail(text, 1, "Bug")
    sys.exit(0)


# --- parts -----------------------------------------------------------------------------------------------------------


def _fail(message: str, status: int, kind: str) -> NoReturn:
    if "--json" in sys.argv:
        _print_json({"error": {"kind": kind, "message": message, "exit_status": status}})
    _err.print(f"[red]{_KINDS.get(kind, kind)}:[/] {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(status)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def _time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--time wants ISO 8601, as in 2026-01-31T12:00:00+00:00; not {text!r}.") from None
    return time if time.tzinfo else time.astimezone()


def _scan(path: Path) -> Scan:
    from isocenter.pipeline.case import scanned

    with _err.status("Reading headers", spinner="line") as status:
        return scanned(path, progress=lambda done, _: status.update(f"Reading headers: {done} files"))


def _volume(path: Path, series: str) -> Volume:
    from isocenter.pipeline import look

    with _err.status("Reading", spinner="line"):
        return look.volume(path, series)


def _series_facts(series: Series) -> dict[str, Any]:
    return {
        "name": series.name,
        "number": series.number,
        "modality": series.modality,
        "description": series.description,
        "part": series.part,
        "study_uid": series.study_uid,
        "series_uid": series.series_uid,
        "slices": len(series),
        "verdict": str(series.verdict),
        "reasons": [reason.to_dict() for reason in series.reasons],
        "grid": series.grid.to_dict() if series.grid else None,
        "kernel": series.kernel,
        "files": [str(instance.path) for instance in series.instances],
    }


def _volume_facts(volume: Volume) -> dict[str, Any]:
    return {
        "shape": list(volume.shape),
        "dtype": str(volume.array.dtype),
        "spacing_mm": list(volume.spacing_mm),
        "orientation": volume.grid.orientation,
        "unit": volume.unit.value,
        "modality": volume.modality,
        "range": [float(volume.array.min()), float(volume.array.max())],
        "affine": volume.grid.affine.tolist(),
        "reasons": [reason.to_dict() for reason in volume.reasons],
    }


def _show_series(series: Series) -> None:
    facts = [f"{len(series)} slices" if len(series) > 1 else "1 slice"]
    if series.grid is not None:
        facts.append(" x ".join(str(n) for n in series.grid.shape))
        facts.append(" x ".join(f"{length:.4g}" for length in series.grid.spacing_mm) + " mm")
    verdict = f"[{_STYLE[series.verdict]}]{series.verdict:<8}[/]"
    _out.print(
        f"  {verdict} [bold]{escape(series.name)}[/]  [dim]{', '.join(facts)}[/]", highlight=False, soft_wrap=True
    )
    _explain(series.reasons, indent=11)


def _show_result(result: Result) -> None:
    _out.print(f"\n[bold]{escape(result.title)}[/]  [{_STYLE[result.verdict]}]{result.verdict}[/]")
    if result.measurements:
        _out.print(_measured(result.measurements, result.segments))
    _explain(result.reasons)
    for series, reason in result.case.left:
        _out.print(f"  [dim]{reason.code}[/] {escape(series.name)}", highlight=False, soft_wrap=True)
    page = result.outputs.get("html")
    if page is not None:
        _out.print(f"  [bold]Report[/] {escape(str(page))}", highlight=False, soft_wrap=True)
    place = escape(str(result.folder))
    _out.print(f"  [dim]All {len(result.outputs)} files lie in[/] {place}", highlight=False, soft_wrap=True)


def _measured(measurements: Sequence[Measurement], segments: Sequence[Segment]) -> Table:
    from isocenter.report import document

    found = document.table(measurements, segments)
    table = Table("", *(title for title, _ in found.columns), "", box=None)
    table.columns[0].no_wrap = True
    for column in table.columns[1:-1]:
        column.justify = "right"
    for row in found.rows:
        table.add_row(row.title, *(cell.text for cell in row.cells), row.unit)
    return table


def _explain(reasons: Iterable[Reason], indent: int = 2) -> None:
    for reason in dict.fromkeys(reasons):
        color = "red" if reason.severity in (Severity.HELD, Severity.REJECTED) else "yellow"
        shade = "dim" if reason.severity is Severity.INFO else color
        weight = "" if reason.severity is Severity.INFO else f" [dim]({reason.severity})[/]"
        text = f"{' ' * indent}[{shade}]{reason.code}[/]{weight} {escape(reason.message)}"
        _out.print(text, highlight=False, soft_wrap=True)


def _counted(reasons: Iterable[Reason]) -> str:
    codes: Sequence[str] = [reason.code for reason in reasons]
    return ", ".join(f"{codes.count(code)} {code}" for code in dict.fromkeys(codes))
