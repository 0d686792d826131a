"""Networks: what they are planned to be, how an image is prepared for them, how they run, and what they are kept as.

Learning lives in :mod:`isocenter.train`, proof in :mod:`isocenter.evaluate`. torch is loaded when a network is built
or run: plans and models are plain values without it.
"""
