"""Isocenter: every series that the scan finds, read; reasons as refusals and warnings."""

from __future__ import annotations

from isocenter import __version__
from isocenter.testing.own_answer import own_answer as read

__all__ = ["VERSIONS", "read"]

VERSIONS = {"isocenter": __version__}
