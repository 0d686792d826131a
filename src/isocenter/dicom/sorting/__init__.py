"""Frames to series: what belongs together, in which order, on which grid. Pure; no file is touched here."""
