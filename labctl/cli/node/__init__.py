"""Commands at or inside one node."""
