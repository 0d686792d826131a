"""Segmentation by prompts, without training: clicks, scribbles or a box become a mask.

============================  =====================================================================
:func:`begin`                 A session on an image; the image is prepared once
:class:`Session`              Each ``click``, ``scribble``, ``paint`` or ``box`` gives the next session
:func:`next_click`            Where a person who knows the truth would click next, to measure sessions
============================  =====================================================================
"""

from isocenter.ops.prompting.session import Session, begin
from isocenter.ops.prompting.simulated import Click, next_click

__all__ = ["Click", "Session", "begin", "next_click"]
