"""A small exhaustive explorer of the protocol of delivery: every interleaving, within bounds."""
