"""How fast one node sends to another: a server at the one that gets, a client at the one that sends.

Two connections of TCP (or one, and datagrams): over the first one they agree, and the round trip is taken while nothing
else goes on; over the second one goes what is measured. The counts are the receiver's.
"""
