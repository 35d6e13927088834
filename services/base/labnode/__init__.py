"""What every node of the lab shares: its journal (stdout), its keyboard (stdin), its event loop, its life.

Standard library alone, and as little of that as will do: a lab may have hundreds of nodes, and every import is paid
for in each of them.
"""
