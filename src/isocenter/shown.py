"""Shown: how a value that has a picture asks for it. How pictures are drawn lives in ``report``, far above."""

from __future__ import annotations

import importlib
from typing import Any


class Shown:
    """A value that a notebook shows as a picture."""

    __slots__ = ()

    def show(self, *over: Any) -> Any:
        """A picture of this: three planes of a volume or segmentation, three views of a mesh.

        Parameters
        ----------
        *over
            For a volume a segmentation on its grid, whose outlines are drawn.

        Returns
        -------
        An :class:`isocenter.report.figure.Figure`, which a notebook shows and ``save("x.png")`` writes. Pictures with
        a choice of plane, place and window are in ``iso.pictures``, an interactive view is ``iso.pictures.viewer``.
        """
        # The one place where a low room calls a high one, by name and only when asked: a value knows that it has a
        # picture, not how it is drawn. No layer above is loaded before.
        return importlib.import_module("isocenter.report.pictures.notebook").preview(self, *over)

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows of this value; nothing where it cannot be drawn."""
        try:
            data: bytes = self.show().png
        except Exception:  # noqa: BLE001 - a notebook then shows the text alone
            return None
        return data
