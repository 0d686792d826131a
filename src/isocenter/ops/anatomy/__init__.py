"""Training-free segmenters of anatomy, by name."""
