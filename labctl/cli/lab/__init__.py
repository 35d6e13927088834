"""Commands about a lab and the life of its nodes."""
