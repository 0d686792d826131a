"""Evaluation: how right results are, for whom less, and whether they drift."""
