"""Small looks from a node's place in the network: reachability, the path, names. One run, then it ends.

No privilege is needed for any of it: a ping socket (icmp(7)) asks and gets what comes back, errors with it.
"""
