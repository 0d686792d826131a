"""The command ``register``: one image brought onto another, with the transform and what it is worth."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from isocenter.cli import words
from isocenter.cli.app import Json, app, volume_of


class Kind(StrEnum):
    """What the transform may do."""

    RIGID = "rigid"
    SIMILARITY = "similarity"
    AFFINE = "affine"
    BSPLINE = "bspline"
    DIFFEOMORPHIC = "diffeomorphic"


class Metric(StrEnum):
    """How agreement is measured."""

    AUTO = "auto"
    MATTES = "mattes"
    NCC = "ncc"
    MSD = "msd"


_SHOWN = (
    ("covered", "{:.0%}", "of the fixed body is reached"),
    ("overlap", "{:.2f}", "Dice coefficient of both bodies"),
    ("correlation", "{:.2f}", "correlation inside both"),
    ("move_mm", "{:.1f} mm", "mean way of a point"),
    ("inconsistency_mm", "{:.2f} mm", "missed by a second registration the other way"),
    ("folded", "{:.2%}", "of the displacement folds"),
)


@app.command()
def register(
    fixed: Annotated[Path, typer.Argument(help="The image to bring onto: DICOM (folder, file, zip), NIfTI or NRRD.")],
    moving: Annotated[Path, typer.Argument(help="The image to bring over.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the moved image, the transform and pictures.")],
    kind: Annotated[Kind, typer.Option("--kind", help="What the transform may do.")] = Kind.RIGID,
    metric: Annotated[Metric, typer.Option("--metric", help="How agreement is measured.")] = Metric.AUTO,
    fixed_mask: Annotated[
        Path | None, typer.Option("--fixed-mask", help="Where the fixed image is looked at: label map or SEG.")
    ] = None,
    moving_mask: Annotated[Path | None, typer.Option("--moving-mask", help="The same for the moving image.")] = None,
    outside: Annotated[
        float | None,
        typer.Option(
            "--outside", help="Value where the moving image ends; by default air for CT, else its least value."
        ),
    ] = None,
    fixed_series: Annotated[str, typer.Option("--fixed-series", help="Series of the fixed image.")] = "best",
    moving_series: Annotated[str, typer.Option("--moving-series", help="Series of the moving image.")] = "best",
    as_json: Json = False,
) -> None:
    """Bring a moving image onto a fixed one: the moved image, the transform, pictures, and what it is worth."""
    from isocenter.ops import registration as room
    from isocenter.pipeline import register as pipeline

    images = [
        volume_of(path, series, values="native", gaps="hold")
        for path, series in ((fixed, fixed_series), (moving, moving_series))
    ]
    (still, still_taken), (moved, moved_taken) = images
    masks = [None if path is None else pipeline.mask_of(path) for path in (fixed_mask, moving_mask)]
    with words.err.status("Registering", spinner="line"):
        found = room.register(
            still, moved, kind=kind.value, metric=metric.value, settings=room.Settings(masks[0], masks[1])
        )
        written = pipeline.write(found, still, moved, out, outside=outside)
    if as_json:
        taken = {"fixed": words.taken_facts(still_taken), "moving": words.taken_facts(moved_taken)}
        files = [str(path) for path in written.files]
        words.print_json({"output": files, **taken, **pipeline.facts(found), "outside": written.outside})
    else:
        for one in (still_taken, moved_taken):
            words.show_taken(one)
        words.say(escape("\n".join(map(str, written.files))))
        words.out.print(_table(found.quality))
        words.explain_reasons(found.reasons)
    raise typer.Exit(0 if found.verdict.usable else 1)


def _table(quality: object) -> Table:
    table = Table(show_header=False, box=None)
    for name, form, meaning in _SHOWN:
        table.add_row(form.format(getattr(quality, name)), f"[dim]{meaning}[/]")
    return table
