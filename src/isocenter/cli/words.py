"""What the command line prints: words and tables for people, plain values for machines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from isocenter.geometry import Grid, Space
from isocenter.reasons import Reason, Severity, Verdict
from isocenter.reasons import counted as counted_as

if TYPE_CHECKING:
    from rich.status import Status

    from isocenter.dicom.annotations.objects import FoundObject
    from isocenter.dicom.sorting.listing import Row
    from isocenter.dicom.sorting.series import Series
    from isocenter.findings import Measurement, Segment, Segmentation
    from isocenter.pipeline.look import Taken
    from isocenter.pipeline.run import Result
    from isocenter.volume import Volume


class _Output(Console):
    """Ends the program in silence where nobody reads on, as after ``| head -1``."""

    def on_broken_pipe(self) -> NoReturn:
        mute()
        sys.exit(0)


def mute() -> None:
    """Send what is still to be printed nowhere."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


out = _Output()
err = Console(stderr=True)

_STYLE = {Verdict.OK: "green", Verdict.REPAIRED: "yellow", Verdict.HELD: "dark_orange", Verdict.REJECTED: "red"}


def say(text: str) -> None:
    """Print a line as it is: marks of style count, but nothing is wrapped, coloured or read as an emoji."""
    out.print(text, emoji=False, highlight=False, soft_wrap=True)


def telling(status: Status) -> Callable[[str], None]:
    """What shows a text, as it is, as what is being done."""
    return lambda text: status.update(escape(text))


def reason_facts(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    """Reasons as plain values."""
    return [reason.to_dict() for reason in reasons]


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    try:
        sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        out.on_broken_pipe()


def series_facts(series: Series) -> dict[str, Any]:
    """What is known of a series, as plain values."""
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
        "reasons": reason_facts(series.reasons),
        "grid": series.grid.to_dict() if series.grid else None,
        "kernel": series.kernel,
        "files": [str(instance.path) for instance in series.instances],
    }


def volume_facts(volume: Volume) -> dict[str, Any]:
    """What is known of a volume, as plain values."""
    return {
        "shape": list(volume.shape),
        "dtype": str(volume.array.dtype),
        **_place_facts(volume.grid),
        "unit": volume.unit.value,
        "modality": volume.modality,
        "range": [float(volume.array.min()), float(volume.array.max())],
        "reasons": reason_facts(volume.reasons),
    }


def taken_facts(taken: Taken | None) -> dict[str, Any]:
    """Which series was taken, as plain values; null where none was."""
    if taken is None:
        return {"series": None}
    series = taken.series
    named = {"name": series.name, "number": series.number}
    uids = {"series_uid": series.series_uid, "study_uid": series.study_uid}
    return {"series": {**named, **uids, "others": taken.others, "others_held": taken.held}}


def show_taken(taken: Taken | None) -> None:
    """Print which series was taken, and how many others there were."""
    if taken is None:
        return
    others = f" [dim]of {taken.others + 1} volumes[/]" if taken.others else ""
    held = f" [dim]({taken.held} of the others held or rejected)[/]" if taken.held else ""
    say(f"[dim]Series[/] {escape(taken.series.name)}{others}{held}")


def show_segments(found: Segmentation) -> None:
    """Print the segments of a segmentation, one a line."""
    for segment in found.segments:
        name = segment.title or segment.name
        say(f"  [dim]{segment.label}[/] {escape(name)}")


def image_facts(image: Volume | Segmentation) -> dict[str, Any]:
    """What is known of a volume or a segmentation, as plain values."""
    from isocenter.volume import Volume

    if isinstance(image, Volume):
        return volume_facts(image)
    return {
        "shape": list(image.grid.shape),
        "dtype": str(image.layers[0].dtype),
        "layers": len(image.layers),
        **_place_facts(image.grid),
        "segments": [
            {
                "name": segment.name,
                "title": segment.title,
                "label": segment.label,
                "layer": segment.layer,
                "volume_ml": image.volume_ml(segment.name),
            }
            for segment in image.segments
        ],
        "reasons": reason_facts(image.reasons),
    }


def _place_facts(grid: Grid) -> dict[str, Any]:
    """Where a grid lies, as far as it is known: what is not is null."""
    return {
        "space": str(grid.space),
        "spacing_mm": None if grid.space is Space.PIXEL else list(grid.spacing_mm),
        "orientation": grid.orientation if grid.space is Space.PATIENT else None,
        "affine": grid.affine.tolist(),
    }


def found_facts(found: FoundObject) -> dict[str, Any]:
    """What is known of a stored segmentation or RT Structure Set, as plain values."""
    return {
        "path": found.path,
        "kind": found.kind,
        "description": found.description,
        "study_uid": found.study_uid,
        "series_uid": found.series_uid,
        "sop_instance_uid": found.sop_instance_uid,
    }


def show_findings(findings: Iterable[FoundObject]) -> None:
    """Print stored segmentations and RT Structure Sets, one a line."""
    for found in findings:
        name = f" {found.description}" if found.description else ""
        say(f"[dim]Found {found.kind}[/]{escape(name)}  [dim]{escape(found.path)}[/]")


def show_row(row: Row) -> None:
    """Print a series, or alike parts of one: verdict, name, size, reasons."""
    series = row.series[0]
    facts = [row.parts] if row.parts else []
    facts.append(f"{len(series)} slices" if len(series) > 1 else "1 slice")
    if series.grid is not None:
        places = len(series.frames) // series.grid.shape[0]
        facts += [f"{series.axis} of {places}"] if series.axis else []
        facts.append(" x ".join(str(n) for n in series.grid.shape))
        facts += _size(series.grid)
    verdict = f"[{_STYLE[row.verdict]}]{row.verdict:<8}[/]"
    say(f"  {verdict} [bold]{escape(row.name)}[/]  [dim]{', '.join(facts)}[/]")
    explain_reasons(row.reasons, indent=11)


def _size(grid: Grid) -> list[str]:
    """Spacing of a grid, as far as it is known."""
    known = {Space.PATIENT: grid.spacing_mm, Space.PLANE: grid.spacing_mm[1:], Space.PIXEL: ()}[grid.space]
    return [" x ".join(f"{length:.4g}" for length in known) + " mm"] if known else []


def show_result(result: Result) -> None:
    """Print a result: its measurements, reasons and where its files lie."""
    out.print(f"\n[bold]{escape(result.title)}[/]  [{_STYLE[result.verdict]}]{result.verdict}[/]")
    if result.measurements:
        out.print(_measured(result.measurements, result.segments))
    explain_reasons(result.reasons)
    for series, reason in result.case.left:
        say(f"  [dim]{reason.code}[/] {escape(series.name)}")
    page = result.outputs.get("html")
    if page is not None:
        say(f"  [bold]Report[/] {escape(str(page))}")
    place = escape(str(result.folder))
    say(f"  [dim]{counted_as(len(result.outputs), 'file lies', 'files lie')} in[/] {place}")


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


def explain_reasons(reasons: Iterable[Reason], indent: int = 2) -> None:
    """Print reasons, each once."""
    for reason in dict.fromkeys(reasons):
        color = "red" if reason.severity in (Severity.HELD, Severity.REJECTED) else "yellow"
        shade = "dim" if reason.severity is Severity.INFO else color
        weight = "" if reason.severity is Severity.INFO else f" [dim]({reason.severity})[/]"
        text = f"{' ' * indent}[{shade}]{reason.code}[/]{weight} {escape(reason.message)}"
        say(text)


def counted(reasons: Iterable[Reason]) -> str:
    """How many reasons there are of each code."""
    codes: Sequence[str] = [reason.code for reason in reasons]
    return ", ".join(f"{codes.count(code)} {code}" for code in dict.fromkeys(codes))
