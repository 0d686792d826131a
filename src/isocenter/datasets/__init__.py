"""Data sets: cases of images with what is true of them, in whatever layout they lie on disk.

What is known of a whole set (its splits, locks and faults) lives here too; what is learned from it lives above.
"""
