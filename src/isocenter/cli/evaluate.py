"""The command ``evaluate``: predictions against the truth, for all cases and for whom less."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from isocenter.cli import words
from isocenter.cli.app import Json, app
from isocenter.errors import UsageError

if TYPE_CHECKING:
    from isocenter.evaluate import Breakdown, Study
    from isocenter.evaluate.page import Results


@app.command()
def evaluate(
    predictions: Annotated[Path, typer.Argument(help="A label file or DICOM SEG; or a folder, one name a case.")],
    truth: Annotated[Path, typer.Argument(help="The same for the truth; or a labelled data set.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the report (HTML, PDF), the CSV and the JSON.")
    ] = None,
    by: Annotated[
        str, typer.Option("--by", help="Attributes to break scores down by, as sex,age,scanner or sex*age.")
    ] = "",
    attributes: Annotated[
        Path | None, typer.Option("--attributes", help="CSV or TSV of what is known of the cases; first column: names.")
    ] = None,
    images: Annotated[Path | None, typer.Option("--images", help="Folder of the images, for pictures.")] = None,
    segment: Annotated[
        list[str] | None, typer.Option("--segment", help="Structure to compare; by default all.")
    ] = None,
    tolerance: Annotated[float, typer.Option("--tolerance", help="Tolerance of the surface Dice in mm.")] = 1.0,
    criteria: Annotated[
        Path | None, typer.Option("--criteria", help="TOML file of what has to be reached; exit status 1 if it is not.")
    ] = None,
    cases: Annotated[
        str, typer.Option("--cases", help="File of names of cases, one a line; held-out for those of --model.")
    ] = "",
    against: Annotated[Path | None, typer.Option("--against", help="Predictions of another model.")] = None,
    second_reader: Annotated[
        Path | None, typer.Option("--second-reader", help="Labels of a second reader: the ceiling.")
    ] = None,
    model: Annotated[Path | None, typer.Option("--model", help="The model that made the predictions.")] = None,
    record: Annotated[bool, typer.Option("--record", help="Keep the results in the facts of --model.")] = False,
    as_json: Json = False,
) -> None:
    """Compare predictions with the truth: scores, subgroups, worst cases, acceptance criteria."""
    from isocenter.pipeline import evaluate as pipeline

    request = pipeline.Request(
        predictions,
        truth,
        images=images,
        attributes=attributes,
        by=tuple(part.strip() for part in by.split(",") if part.strip()),
        names=tuple(segment) if segment else None,
        tolerance_mm=tolerance,
        criteria=criteria,
        cases=cases,
        against=against,
        second_reader=second_reader,
        model=model,
    )
    if record and model is None:
        raise UsageError("Name the model (--model) whose results are to be kept.")
    if out is not None and out.is_file():
        raise UsageError(f"{out} is a file: --out names a folder.")
    with words.err.status("Comparing", spinner="line"):
        found, places = pipeline.run(request)
        if record and model is not None:
            pipeline.record(found, model)
        facts = [("Predictions", predictions.name), ("Truth", truth.name)]
        written = () if out is None else pipeline.write(found, places, out, facts=facts, made_at=datetime.now(UTC))
    _tell(found, written, as_json=as_json)
    raise typer.Exit(0 if found.is_passed else 1)


def _tell(found: Results, written: Sequence[Path], *, as_json: bool) -> None:
    from isocenter.pipeline.evaluate import facts_of

    if as_json:
        words.print_json({"output": [str(path) for path in written], **facts_of(found)})
        return
    _show(found)
    for path in written:
        words.say(escape(str(path)))


def _show(found: Results) -> None:
    words.out.print(_scores(found.study))
    for one in found.breakdowns:
        words.out.print(_groups(one))
    for (structure, metric), less in (found.comparisons or {}).items():
        words.say(f"  less the other model, {escape(structure) or 'mean'} {metric}: {less.difference}, p {less.p:.3g}")
    if found.ceiling is not None:
        words.say("[dim]Second reader[/]")
        words.out.print(_scores(found.ceiling))
    for judgement in found.judgements:
        sign = "[green]met[/]    " if judgement.is_passed else "[red]not met[/]"
        words.say(f"  {sign} {escape(str(judgement.criterion))} [dim]({judgement.value:.3f})[/]")
    words.explain_reasons(found.every_reason)


def _scores(study: Study) -> Table:
    from isocenter.evaluate import METRICS
    from isocenter.evaluate.page import SHOWN

    table = Table(
        "structure", *(f"{METRICS[name].title} {METRICS[name].unit}".strip() for name in SHOWN), "failed", box=None
    )
    for column in table.columns[1:]:
        column.justify = "right"
    by_structure: dict[str, list[str]] = {}
    for one in study.summaries(SHOWN):
        by_structure.setdefault(one.structure, []).append(f"{one.mean.value:.3f}")
    for name, cells in by_structure.items():
        counts = study.outcomes(name) if name else {}
        failed = str(counts["missed"] + counts["not predicted"] + counts["extra"]) if counts else ""
        table.add_row(escape(name) or "[dim]mean[/]", *cells, failed)
    return table


def _groups(one: Breakdown) -> Table:
    table = Table(
        escape(one.attribute),
        "cases",
        f"{one.metric.title}, 95 % interval",
        "worst tenth",
        "p",
        box=None,
        title_justify="left",
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for group in one.groups:
        few = " [dim](too few)[/]" if group.is_small else ""
        p = "" if group.p != group.p else f"{group.p:.3f}"
        table.add_row(escape(group.name) + few, str(group.mean.count), str(group.mean), f"{group.worst_decile:.3f}", p)
    return table
