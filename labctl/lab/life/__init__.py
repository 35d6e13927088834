"""How a lab and its nodes live: which of them are meant, their changes, waiting for what becomes of them."""
