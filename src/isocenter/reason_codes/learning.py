"""Codes of exports for learning, and of files that are not DICOM."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry

CODES: dict[str, CodeEntry] = {}
