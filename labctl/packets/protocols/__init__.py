"""What bytes are: each protocol's headers."""
