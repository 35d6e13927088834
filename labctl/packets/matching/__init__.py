"""Two ends of a link on one clock: which packet of one is which of the other, and what became of it."""
