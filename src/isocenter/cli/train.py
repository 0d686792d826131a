"""The command that teaches a network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from isocenter.cli import words
from isocenter.cli.app import Json, app
from isocenter.train.settings import DeviceName

if TYPE_CHECKING:
    from isocenter.pipeline.train import Job
    from isocenter.train.training import Trained


@app.command()
def train(
    path: Annotated[Path, typer.Argument(help="A data set; or a TOML file that says what to teach, and how.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the model. By default model.")] = None,
    plan: Annotated[Path | None, typer.Option("--plan", help="A plan, as isocenter plan writes it.")] = None,
    held_out: Annotated[
        float | None,
        typer.Option("--held-out", help="How many cases, or which share, to validate on. By default 0.2.", min=0),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", help="What to learn, also pretraining; by default what the plan or data set is for."),
    ] = None,
    folds: Annotated[
        int | None, typer.Option("--folds", help="A network for each of so many folds, kept as one model.", min=2)
    ] = None,
    device: Annotated[
        DeviceName | None, typer.Option("--device", help="What to plan for. By default a GPU where there is one.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Steps of learning.", min=1)] = None,
    as_json: Json = False,
) -> None:
    """Teach a network from labelled cases. Broken off, even by kill -9, the same command goes on from there."""
    from isocenter.pipeline.train import run, speaks

    given = {
        "out": out,
        "plan": plan,
        "held_out": _number(held_out),
        "task": task,
        "folds": folds,
        "device": device,
    }
    job = _job(path, given, steps)
    if not speaks():  # one of several processes tells people
        run(job)
        return
    with words.err.status("Reading headers", spinner="line") as status:
        made = run(job, observer=lambda progress: words.telling(status)(str(progress)))
    if as_json:
        words.print_json(_facts(made))
        return
    _show(made)


def _job(path: Path, given: dict[str, Any], steps: int | None) -> Job:
    """The job of a TOML file or of a data set, with what the options say."""
    from isocenter.pipeline.train import Job, read_job

    job = read_job(path) if path.suffix == ".toml" else Job(path)
    if steps is not None:
        job = replace(job, training={**job.training, "steps": steps})
    return replace(job, **{name: value for name, value in given.items() if value is not None})


def _number(held_out: float | None) -> int | float | None:
    """24.0 is 24 cases, 0.2 a share."""
    return int(held_out) if held_out is not None and held_out == int(held_out) else held_out


def _facts(made: Trained) -> dict[str, Any]:
    return {
        "model": str(made.model.folder),
        "sha256": made.model.sha256,
        "scores": dict(made.scores),
        "curve": [point.to_dict() for point in made.curve],
        "reasons": words.reason_facts(made.reasons),
    }


def _show(made: Trained) -> None:
    points, members = made.curve, len(made.model.weights)
    course = f"{points[-1].step} steps in {points[-1].seconds_s / 60:.1f} min" if points else f"{members} members"
    words.say(escape(f"{made.model.folder}: {course}"))
    for name, value in made.scores.items():
        words.say(escape(f"  {name} on held-out cases: {value:.4f}"))
    words.explain_reasons(made.reasons)
