"""Stored findings: Segmentations and structure sets onto grids, and what else is no image."""
