"""Codes of operations on voxels: intensity, resampling, filters, masks."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry

CODES: dict[str, CodeEntry] = {}
