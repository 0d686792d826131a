"""Instances and frames: what headers say of picture planes, typed. No pixel is read, nothing is compared."""
