"""Figure: a finished picture with its title, caption and bytes. How pictures are drawn lives in the modules beside."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isocenter.disk import replacing
from isocenter.errors import UsageError

Picture = npt.NDArray[np.uint8]


class Kind(StrEnum):
    """What a picture holds, which decides how it is compressed."""

    PHOTO = "image/jpeg"
    """Shades without end, as a CT slice: JPEG."""
    CHART = "image/png"
    """Flat areas and letters: PNG."""


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture for people.

    Parameters
    ----------
    name
        Name to have it by, fit for a file: ``"axial_1"``.
    title
        Heading: ``"Axial, slice 57 of 148"``.
    caption
        One or two sentences: what is seen, and how it was made.
    image
        (rows, columns, 3) sRGB.
    kind
        How it is compressed.
    """

    name: str
    title: str
    caption: str
    image: Picture = field(repr=False)
    kind: Kind = Kind.PHOTO

    @property
    def width(self) -> int:
        """Columns of the picture."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Rows of the picture."""
        return int(self.image.shape[0])

    @property
    def media_type(self) -> str:
        """Media type of :attr:`data`."""
        return str(self.kind)

    @cached_property
    def data(self) -> bytes:
        """The picture as a JPEG or PNG file, the same bytes for the same picture."""
        from PIL import Image

        image, file = Image.fromarray(self.image), io.BytesIO()
        if self.kind is Kind.PHOTO:
            image.save(file, "JPEG", quality=90, subsampling=0)
        else:
            image.quantize(128, dither=Image.Dither.NONE).save(file, "PNG")
        return file.getvalue()

    @property
    def png(self) -> bytes:
        """The picture as a PNG file without loss."""
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(self.image).save(file, "PNG", compress_level=3)
        return file.getvalue()

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return self.png

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture as a PNG file without loss; an existing file is replaced at the end.

        Raises
        ------
        UsageError
            If the name does not end in ``.png``, or the folder is missing or closed.
        TryLater
            If the disk is full.
        """
        if Path(path).suffix.lower() != ".png":
            raise UsageError(f"A figure is written as PNG: let the name {Path(path).name!r} end in .png.")
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(self.png)
