"""The command ``drift``: whether a stream of cases is still like those that a model was proven on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from isocenter.cli import words
from isocenter.cli.app import Json, app

if TYPE_CHECKING:
    from isocenter.pipeline.drift import Watched

_SHOWN = 5


@app.command()
def drift(
    reference: Annotated[
        Path, typer.Argument(help="A profile (.json), a model that keeps one, or a folder or data set of images.")
    ],
    stream: Annotated[Path, typer.Argument(help="A folder or data set of images, in the order of their names.")],
    reference_outputs: Annotated[
        Path | None, typer.Option("--reference-outputs", help="Folder of the segmentations of the reference.")
    ] = None,
    outputs: Annotated[
        Path | None, typer.Option("--outputs", help="Folder of the segmentations of the stream.")
    ] = None,
    stretch: Annotated[int, typer.Option("--stretch", help="Cases that are looked at together.", min=10)] = 30,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Keep the reference's profile: a .json file, or a model's folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare a stream of cases with a reference, stretch by stretch. Exit status 1 if it drifted."""
    from isocenter.pipeline import drift as pipeline

    with words.err.status("Looking at the cases", spinner="line") as status:
        found = pipeline.run(
            reference, stream, outputs=(reference_outputs, outputs), size=stretch, observer=words.telling(status)
        )
    if keep is not None:
        pipeline.keep(found.reference, keep)
    if as_json:
        words.print_json(pipeline.facts(found))
    else:
        _show(found)
    raise typer.Exit(1 if found.drift.has_drifted else 0)


def _show(found: Watched) -> None:
    table = Table("from", "cases", "", "trait", "reference", "now", "PSI", "p", box=None)
    for column in (1, 4, 5, 6, 7):
        table.columns[column].justify = "right"
    for one in found.drift.stretches:
        for name, part in (("images", one.inputs), ("results", one.outputs)):
            if part is None:
                continue
            state = f"[red]{name} drifted[/]" if part.has_drifted else f"[green]{name} alike[/]"
            for place, shift in enumerate(part.shifts[: _SHOWN if part.has_drifted else 1]):
                head = (escape(one.cases[0]), str(len(one.cases)), state) if place == 0 else ("", "", "")
                values = (*shift.medians, f"{shift.psi:.2f}", f"{shift.p:.3f}")
                table.add_row(*head, escape(shift.name), *values)
    words.out.print(table)
    words.explain_reasons(found.reasons)
