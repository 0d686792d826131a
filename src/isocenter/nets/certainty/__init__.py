"""How sure a network is, what that is worth, and what it should not have been asked."""
