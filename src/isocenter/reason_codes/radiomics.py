"""Codes of radiomics."""

from __future__ import annotations

from isocenter.reason_codes.entry import CodeEntry

CODES: dict[str, CodeEntry] = {}
