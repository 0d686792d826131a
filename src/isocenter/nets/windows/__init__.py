"""The sliding window: a volume seen part by part, and what becomes of the parts. What runs lives in ``runtimes``."""
