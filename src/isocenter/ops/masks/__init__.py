"""Masks: what is done to segments as shapes, and how segments are made of values. Lengths are millimetres.

Reached as ``iso.masks``. All take and give a :class:`~isocenter.findings.Segmentation` unless said otherwise; all
segments by default, or those of ``names``.

=========================  =============================================================================
Making                     ``of`` an array; ``threshold``, ``otsu``, ``li``, ``multi_otsu``, ``kmeans``;
                           ``connected_threshold``, ``confidence_connected`` from seeds
Shape                      ``dilated``, ``eroded``, ``opened``, ``closed``, ``filled``,
                           ``filled_in_plane``, ``smoothed``
Pieces                     ``components`` (a table), ``labelled``, ``largest``, ``without_small``
Together                   ``joined``, ``union``, ``intersection``, ``difference``, ``dice``
Distance in mm (a Volume)  ``distance``, ``depth``, ``signed_distance``
With an image              ``watershed``, ``split``, ``refined``
=========================  =============================================================================

A segment grows into background alone, never over another segment of its layer; where two grow into one voxel, the
nearer has it (:mod:`isocenter.ops.masks.layers`).
"""

from isocenter.ops.masks.combining import dice, difference, intersection, joined, union
from isocenter.ops.masks.distances import depth, distance, signed_distance
from isocenter.ops.masks.growing import confidence_connected, connected_threshold
from isocenter.ops.masks.layers import of
from isocenter.ops.masks.pieces import Component, components, labelled, largest, without_small
from isocenter.ops.masks.refinement import refined
from isocenter.ops.masks.shaping import closed, dilated, eroded, filled, filled_in_plane, opened, smoothed
from isocenter.ops.masks.thresholds import kmeans, li, multi_otsu, otsu, threshold
from isocenter.ops.masks.watershed import split, watershed

__all__ = [
    "Component",
    "closed",
    "components",
    "confidence_connected",
    "connected_threshold",
    "depth",
    "dice",
    "difference",
    "dilated",
    "distance",
    "eroded",
    "filled",
    "filled_in_plane",
    "intersection",
    "joined",
    "kmeans",
    "labelled",
    "largest",
    "li",
    "multi_otsu",
    "of",
    "opened",
    "otsu",
    "refined",
    "signed_distance",
    "smoothed",
    "split",
    "threshold",
    "union",
    "watershed",
    "without_small",
]
