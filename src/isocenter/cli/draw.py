"""The commands of pictures and surfaces: draw and mesh."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from isocenter.cli import words
from isocenter.cli.app import GapsRule, ImagePath, Json, SeriesName, Values, WindowName, app, volume_of
from isocenter.ops.slabs import How, Plane


@app.command()
def draw(
    path: ImagePath,
    out: Annotated[Path, typer.Argument(help="File to write: .png.")],
    plane: Annotated[Plane | None, typer.Option("--plane", help="One plane. By default all three.")] = None,
    at_mm: Annotated[
        float | None,
        typer.Option("--at", help="Where across the plane, in mm: z, y or x in LPS. By default the middle."),
    ] = None,
    count: Annotated[int, typer.Option("--count", help="How many sections of the plane.", min=1)] = 1,
    slab_mm: Annotated[
        float | None, typer.Option("--slab", help="Show slabs so thick, in mm. With --how alone: the whole image.")
    ] = None,
    how: Annotated[How | None, typer.Option("--how", help="What a slab shows. By default the most (MIP).")] = None,
    window: WindowName = "",
    segmenter: Annotated[str, typer.Option("--segment", help="Outline what this segmenter finds.")] = "",
    fill: Annotated[float, typer.Option("--fill", help="Fill segments, from 0 (outlines) to 1.", min=0, max=1)] = 0.0,
    series: SeriesName = "best",
    values: Values = "native",
    gaps: GapsRule = "hold",
    as_json: Json = False,
) -> None:
    """Draw one picture: three planes, a section at a place, many sections, or a slab (MIP, MinIP, average)."""
    from isocenter.pipeline.draw import View, picture

    volume, taken = volume_of(path, series, values=values, gaps=gaps)
    view = View(plane, at_mm, count, window, fill)
    figure = picture(volume, view, segmenter=segmenter, thickness_mm=slab_mm, how=how)
    figure.save(out)
    if as_json:
        reasons = words.reason_facts(volume.reasons)
        facts = {"picture": str(out), "title": figure.title, "caption": figure.caption}
        words.print_json({**facts, **words.taken_facts(taken), "reasons": reasons})
        return
    words.show_taken(taken)
    words.say(escape(f"{out}: {figure.title}. {figure.caption}"))
    words.explain_reasons(volume.reasons)


@app.command()
def mesh(
    path: Annotated[Path, typer.Argument(help="An image, a stored segmentation or a label map.")],
    out: Annotated[Path, typer.Argument(help="File to write: .stl, .obj, .glb or .mz3.")],
    segmenter: Annotated[str, typer.Option("--segment", help="What to find in an image, such as lungs or bone.")] = "",
    rounds: Annotated[int, typer.Option("--smooth", help="Rounds of smoothing.", min=0)] = 20,
    share: Annotated[float, typer.Option("--keep", help="Share of the triangles to keep, above 0 to 1.")] = 1.0,
    series: SeriesName = "best",
    gaps: GapsRule = "hold",
    as_json: Json = False,
) -> None:
    """Write the surfaces of what is segmented, for printing, modelling and viewers."""
    from isocenter.pipeline import look
    from isocenter.pipeline.draw import write_surfaces

    with words.err.status("Reading", spinner="line"):
        found, taken = look.segmented(path, segmenter, series, gaps=gaps)
    made = write_surfaces(found, out, rounds=rounds, share=share)
    reasons = tuple(dict.fromkeys(reason for one in made for reason in one.reasons))
    facts = [
        {
            "name": one.name,
            "vertices": len(one.vertices),
            "triangles": len(one.faces),
            "volume_ml": round(one.volume_ml, 3),
            "area_cm2": round(one.area_cm2, 2),
        }
        for one in made
    ]
    if as_json:
        meshes = {"output": str(out), "meshes": facts, "reasons": words.reason_facts(reasons)}
        words.print_json({**meshes, **words.taken_facts(taken)})
        return
    words.show_taken(taken)
    for fact in facts:
        text = f"{fact['triangles']} triangles, {fact['volume_ml']} ml, {fact['area_cm2']} cm²"
        words.say(escape(f"{out}: {fact['name']}, {text}"))
    words.explain_reasons(reasons)
