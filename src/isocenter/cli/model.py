"""The commands ``isocenter model ...``: models of others come in, are listed, shown, checked, and go out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from isocenter.cli import words
from isocenter.cli.app import Json, app
from isocenter.errors import UsageError

if TYPE_CHECKING:
    from isocenter.nets.models.model import Model
    from isocenter.pipeline.model import Checked

model = typer.Typer(no_args_is_help=True)
app.add_typer(model, name="model", help="Trained networks: add, list, show, check and export them.")

ModelName = Annotated[str, typer.Argument(help="Name of a model that is kept, or its folder.")]


@model.command()
def add(
    path: Annotated[Path, typer.Argument(help="MONAI bundle, nnU-Net v2 results, .onnx or .ts file, or our folder.")],
    name: Annotated[str, typer.Option("--name", help="What to call it; by default as it calls itself.")] = "",
    plan: Annotated[
        Path | None, typer.Option("--plan", help="JSON file with what its own files leave open, such as orientation.")
    ] = None,
    licence: Annotated[str, typer.Option("--licence", help="Licence of the weights, if you know it.")] = "",
    trust: Annotated[
        bool, typer.Option("--trust", help="Let code that comes with it run here once. Only if you know its makers.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Add a model: read it without running its code, try it on a window, and keep it. Nothing is downloaded."""
    from isocenter.nets.importing import Wishes, import_model

    wishes = Wishes(name, _entries(plan), licence, "trusted" if trust else "refused")
    with words.err.status("Reading and trying the model", spinner="line"):
        made = import_model(path, wishes=wishes)
    _tell(made, as_json=as_json)


@model.command("list")
def list_models(as_json: Json = False) -> None:
    """List the models that are kept."""
    from isocenter.nets.models.store import all_models, store_folder

    found = all_models()
    if as_json:
        rows = [
            {"name": name, "damaged": str(one)} if isinstance(one, Exception) else {**_facts(one), "name": name}
            for name, one in found.items()
        ]
        words.print_json({"folder": str(store_folder()), "models": rows})
        return
    table = Table("name", "for", "of", "network", "licence", box=None)
    for name, one in found.items():
        if isinstance(one, Exception):
            table.add_row(escape(name), "[red]damaged[/]", escape(str(one)), "", "")
            continue
        labels = ", ".join(one.plan.labels[:4]) + (" ..." if len(one.plan.labels) > 4 else "")
        table.add_row(escape(name), one.plan.task, escape(labels), one.plan.network.name, _licence(one))
    words.out.print(table) if found else None
    words.say(f"{len(found)} in {escape(str(store_folder()))}")


@model.command()
def show(name: ModelName, as_json: Json = False) -> None:
    """Show what is known of a model."""
    from isocenter.nets.models.store import find_model

    _tell(find_model(name), as_json=as_json)


@model.command()
def card(name: ModelName, as_json: Json = False) -> None:
    """Print the card of a model: purpose, source, plan, results, limits and licence, as Markdown."""
    from isocenter.nets.models.card import card as card_of
    from isocenter.nets.models.store import find_model

    found = find_model(name)
    if as_json:
        words.print_json({"name": found.name, "card": card_of(found)})
    else:
        words.say(escape(card_of(found)))


@model.command()
def check(
    name: ModelName,
    cases: Annotated[
        list[str] | None, typer.Argument(help="Images of cases; paths of several channels are parted by commas.")
    ] = None,
    runtimes: Annotated[
        str, typer.Option("--runtimes", help="Runtimes to compare, parted by commas, as in torch,onnx.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Check the weights; on cases, that learning, evaluation and serving see the same bits, and runtimes agree.

    Exit status 1 if one of it fails.
    """
    from isocenter.nets.models.store import model_to_run
    from isocenter.pipeline.model import check as checked

    found = model_to_run(name)
    with words.err.status("Checking the weights", spinner="line") as status:
        chosen = tuple(part for part in runtimes.split(",") if part)
        results = checked(found, cases or (), runtimes=chosen, observer=words.telling(status))
    is_passed = all(one.is_passed for one in results)
    if as_json:
        facts = {"name": found.name, "sha256": found.sha256, "passed": is_passed}
        words.print_json({**facts, "cases": [one.to_dict() for one in results]})
    else:
        words.say(f"[green]weights[/] {len(found.weights)} of {len(found.weights)} are those it was made with")
        for one in results:
            _show_case(one)
    raise typer.Exit(0 if is_passed else 1)


@model.command("export")
def export_one(
    name: ModelName,
    out: Annotated[Path, typer.Argument(help="File to write; folder for monai and openvino.")],
    to: Annotated[str, typer.Option("--to", help="onnx, openvino, torchscript or monai.")] = "onnx",
    as_json: Json = False,
) -> None:
    """Write a model for others, read it back, and compare what both give."""
    from isocenter.nets.exporting import export_model
    from isocenter.nets.models.store import model_to_run

    with words.err.status("Writing and comparing", spinner="line"):
        made = export_model(model_to_run(name), out, to=to)  # type: ignore[arg-type]  # which words there are is told there
    if as_json:
        facts = {"path": str(made.path), "kind": made.kind, "equality": made.equality.to_dict()}
        words.print_json({**facts, "seconds": round(made.seconds, 3)})
        return
    equal = made.equality
    words.say(f"{escape(str(made.path))} in {made.seconds:.1f} s")
    words.say(
        f"  read back: least Dice of a label {equal.dice:.4f}, outputs within {equal.difference:.1e} of the largest"
    )


@model.command()
def remove(name: Annotated[str, typer.Argument(help="Name of a model that is kept.")], as_json: Json = False) -> None:
    """Remove a model that is kept."""
    from isocenter.nets.models.store import remove_model

    folder = remove_model(name)
    words.print_json({"removed": str(folder)}) if as_json else words.say(f"{escape(str(folder))} is gone")


def _entries(path: Path | None) -> dict[str, Any]:
    """Entries of a plan in a JSON file."""
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--plan wants a JSON file, and {path} is none: {error}.") from error
    if not isinstance(found, dict):
        raise UsageError(f"--plan wants a table of entries, and {path} holds none.")
    return found


def _facts(found: Model) -> dict[str, Any]:
    return {**found.to_dict(), "folder": str(found.folder), "sha256": found.sha256}


def _licence(found: Model) -> str:
    return f"[red]{found.licence}[/]" if found.licence == "unknown" else escape(found.licence)


def _tell(found: Model, *, as_json: bool) -> None:
    if as_json:
        words.print_json(_facts(found))
        return
    plan, trial = found.plan, found.facts.get("trial")
    labels = ", ".join(plan.labels[:12]) + (f" and {len(plan.labels) - 12} more" if len(plan.labels) > 12 else "")
    words.say(f"[bold]{escape(found.name)}[/] {escape(found.version)}, in {escape(str(found.folder))}")
    words.say(f"  for {plan.task} of {escape(labels)} in {escape(', '.join(plan.channels))}")
    words.say(f"  licence {_licence(found)}; from {escape(found.source)}")
    words.say(f"  network {plan.network.name}, {len(found.weights)} member(s), SHA-256 {found.sha256[:16]}...")
    if trial:
        words.say(f"  tried on {trial['window']} voxels: {trial['seconds']} s, {trial['memory_mib']} MiB more memory")
    words.explain_reasons(found.reasons)


def _show_case(one: Checked) -> None:
    mark = "[green]same[/]" if one.is_same else "[red]not the same[/]"
    words.say(f"{escape(one.case)}: {mark} for learning, evaluation and serving")
    for way, digest in one.digests.items():
        words.say(f"  {way:10} SHA-256 {digest[:16]}...")
    for name, ran in one.runtimes.items():
        told = f"least Dice {ran.dice:.4f}, {ran.seconds:.2f} s, {ran.memory_mib} MiB more memory"
        words.say(f"  {name:10} {f'not run: {escape(ran.left_out)}' if ran.left_out else told}")
