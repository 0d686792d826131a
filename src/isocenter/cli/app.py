"""The app that the commands join, the options they share, and how they read what a path names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isocenter.cli import words
from isocenter.dicom.reading.pixels import Gaps, Quantity
from isocenter.errors import UsageError
from isocenter.reasons import counted

if TYPE_CHECKING:
    from isocenter.dicom.scan import Scan
    from isocenter.pipeline.look import Taken
    from isocenter.volume import Volume

app = typer.Typer(
    name="isocenter",
    help="Medical images from the scanner to a verified report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ImagePath = Annotated[Path, typer.Argument(help="Folder, file or zip file of DICOM, or a NIfTI or NRRD file.")]
WindowName = Annotated[str, typer.Option("--window", help="Window for CT, such as lung, bone or 'soft tissue'.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of a table.")]
SeriesName = Annotated[
    str,
    typer.Option(
        "--series", help="Series number or UID, and a part of it as in '5:echo 2'. By default the one that fits best."
    ),
]
Values = Annotated[
    Quantity, typer.Option("--values", help="What the values of PET are to be: as the header has them, or SUV.")
]
GapsRule = Annotated[
    Gaps, typer.Option("--gaps", help="Hold a series whose slices are uneven, or bring them onto a grid.")
]


def scanned(path: Path) -> Scan:
    """The series under a path."""
    from isocenter.dicom.scan import scan
    from isocenter.pipeline.case import is_image_file, with_images

    if is_image_file(path):
        raise UsageError(f"{path} is one volume and no DICOM: `isocenter info {path.name}` tells what it holds.")
    with words.err.status("Reading headers", spinner="line") as status:
        found = scan(path, progress=lambda done, _: status.update(f"Reading headers: {counted(done, 'file', 'files')}"))
    return found if found.findings else with_images(found, path)


def volume_of(path: Path, series: str, *, values: Quantity, gaps: Gaps) -> tuple[Volume, Taken | None]:
    """The volume that a path and a series name, and what was taken of the path."""
    from isocenter.pipeline import look

    with words.err.status("Reading", spinner="line"):
        return look.volume(path, series, values=values, gaps=gaps)


def three(text: str, option: str, kind: type) -> Any:
    """Three numbers, or one for all three, parted by commas or an x; None without any.

    Raises
    ------
    UsageError
        If there are others.
    """
    if not text:
        return None
    try:
        numbers = [kind(part) for part in text.lower().replace("x", ",").split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 3):
        raise UsageError(f"{option} wants one number or three, as in 3,1,1; not {text!r}.")
    return tuple(numbers * 3 if len(numbers) == 1 else numbers)
