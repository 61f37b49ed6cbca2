"""Recording, in the shop's processes: from a signal to one change row and a wake-up."""
