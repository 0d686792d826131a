"""The command ``plan``: what a network for a data set should be, and why."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from isocenter.cli import words
from isocenter.cli.app import Json, app

if TYPE_CHECKING:
    from isocenter.nets.plan import Plan


class DeviceName(StrEnum):
    """What a network learns on."""

    CPU = "cpu"
    CUDA = "cuda"


class TaskName(StrEnum):
    """What a network is planned for."""

    SEGMENTATION = "segmentation"
    CLASSIFICATION = "classification"
    DENOISING = "denoising"
    SUPER_RESOLUTION = "super_resolution"
    DETECTION = "detection"


@app.command()
def plan(
    dataset: Annotated[Path, typer.Argument(help="Data set: a folder, a CSV or a zip archive.")],
    task: Annotated[
        TaskName | None, typer.Option("--task", help="What the network is for; by default what the data set is for.")
    ] = None,
    device: Annotated[DeviceName, typer.Option("--device", help="What it learns on.")] = DeviceName.CPU,
    memory: Annotated[str, typer.Option("--memory", help="Memory of the device, such as 8GiB.")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File of JSON to write the plan to.")] = None,
    as_json: Json = False,
) -> None:
    """Check a data set, and plan a network for it: spacing, patch, network, scale of values, each with its reason."""
    from isocenter.nets.planning.decisions import facts_in_short
    from isocenter.pipeline.plan import planned

    with words.err.status("Opening", spinner="line") as status:
        made = planned(
            dataset,
            task=None if task is None else task.value,
            device=device.value,
            memory=memory,
            out=out,
            observer=lambda done, count: status.update(f"Looking at the cases: {done} of {count}"),
        )
    facts = facts_in_short(made.fingerprint)
    if as_json:
        words.print_json(
            {
                "plan": made.plan.to_dict(),
                "fingerprint": made.fingerprint.to_dict(),
                "reasons": words.reason_facts(made.reasons),
                "output": [str(path) for path in made.written],
            }
        )
    else:
        _show(made.fingerprint.dataset.name, facts, made.plan)
        words.explain_reasons(made.reasons)
        for path in made.written:
            words.say(escape(str(path)))
    raise typer.Exit(1 if made.left_out else 0)


def _show(name: str, facts: dict[str, Any], plan: Plan) -> None:
    words.say(f"[bold]{escape(name)}[/]")
    found = Table(box=None, show_header=False)
    for key, value in facts.items():
        found.add_row(f"[dim]{escape(key)}[/]", escape(value))
    words.out.print(found)
    words.say(f"\n[bold]{plan.task}[/] [dim]for {plan.device}[/]")
    decided = Table("", "decided", "why", box=None)
    for key, value in _decisions(plan).items():
        decided.add_row(f"[dim]{key}[/]", escape(value), escape(plan.why.get(key, "")))
    words.out.print(decided)


def _decisions(plan: Plan) -> dict[str, str]:
    """What was decided, in a few words, by its name."""
    options = plan.network.options
    features = ", ".join(str(one) for one in options.get("features", ()) or ()) if "blocks" in options else ""
    coarse = plan.coarse
    decided = {
        "channels": ", ".join(plan.channels),
        "labels": ", ".join(plan.labels),
        "orientation": plan.orientation,
        "spacing_mm": _times(plan.spacing_mm) if plan.spacing_mm else "as it is",
        "patch": _times(plan.patch),
        "batch": str(plan.batch),
        "network": f"{plan.network.name} {features}".strip(),
        "normalisation": ", ".join(dict.fromkeys(one.scale for one in plan.normalisation)),
        "mirror_axes": ", ".join(map(str, plan.mirror_axes)) or "none",
        "largest_only": ", ".join(plan.largest_only) or "none",
        "coarse": f"{_times(coarse.patch)} at {_times(coarse.spacing_mm or ())} mm" if coarse else "none",
        "memory_bytes": f"{plan.memory_bytes / 1024**3:.3g} GiB",
    }
    return {
        key: value for key, value in decided.items() if value and (key in plan.why or key in ("channels", "labels"))
    }


def _times(values: tuple[float, ...]) -> str:
    return " x ".join(f"{one:.4g}" for one in values)
