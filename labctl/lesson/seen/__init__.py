"""What was seen: evidence as rows, and as it is shown."""
