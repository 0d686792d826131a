"""Make the pictures of the documentation from the demonstration phantom: ``python docs/pictures.py``."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from isocenter import read, scan, segment
from isocenter.report import figures, pictures
from isocenter.testing.demo import write_study

HERE = Path(__file__).parent / "images"


def beside(pictures: Sequence[Image.Image], height: int) -> Image.Image:
    """Pictures side by side at one height."""
    scaled = [picture.resize((round(picture.width * height / picture.height), height)) for picture in pictures]
    row = Image.new("RGB", (sum(picture.width for picture in scaled), height))
    left = 0
    for picture in scaled:
        row.paste(picture, (left, 0))
        left += picture.width
    return row


def report_picture(drawn: Mapping[str, Image.Image]) -> Image.Image:
    """Three sections above the surfaces, as in the report."""
    planes = beside([drawn["axial_2"], drawn["coronal_2"], drawn["sagittal_1"]], 420)
    surface = drawn["surface"].resize(
        (planes.width, round(drawn["surface"].height * planes.width / drawn["surface"].width))
    )
    picture = Image.new("RGB", (planes.width, planes.height + surface.height))
    picture.paste(planes, (0, 0))
    picture.paste(surface, (0, planes.height))
    return picture


def main() -> None:
    """Draw, compose, write."""
    with tempfile.TemporaryDirectory() as folder:
        study, _ = write_study(Path(folder) / "study")
        ct = read(scan(study)[0])
    lungs = segment(ct, "lungs")
    drawn = {figure.name: Image.fromarray(figure.image) for figure in figures.draw(ct, lungs)}
    clear = {"lung_right": 0.35, "lung_left": 0.35}
    made = {
        "report": report_picture(drawn),
        "planes": Image.fromarray(pictures.planes(ct, lungs, fill=0.3).image),
        "solid": Image.fromarray(pictures.solid(lungs, views=("anterior", "left", "superior"), opacity=clear).image),
    }
    HERE.mkdir(exist_ok=True)
    for name, picture in made.items():
        picture.save(HERE / f"{name}.jpg", quality=88, optimize=True)


if __name__ == "__main__":
    main()
