"""What can be reached from a node, and how well: datagrams to anywhere, speed between two nodes."""
