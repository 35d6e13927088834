"""Commands about what is between nodes: packets, links, what can be reached."""
