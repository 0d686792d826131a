"""Learning: from a data set and a plan to a model. What a network is and how it runs lives in :mod:`isocenter.nets`."""
