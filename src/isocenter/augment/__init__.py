"""Augmentation: other images that could have been taken, with their labels, sampled and then applied."""
