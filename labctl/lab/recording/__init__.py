"""The packets of nodes: recorders, captures, ladders, and what a command caused."""
