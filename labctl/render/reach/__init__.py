"""What can be reached from a node, as text."""
