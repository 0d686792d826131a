"""Planning: from a data set to a plan. What a plan is lives in :mod:`isocenter.nets.plan`."""
