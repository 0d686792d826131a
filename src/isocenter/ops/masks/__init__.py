"""Masks: morphology, components, distances and thresholds, in millimetres."""
