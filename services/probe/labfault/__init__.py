"""Faults on a node's links: which packets, what is done to them, and the events that tell of it.

The package runs in a probe, a helper container in the sending node's network namespace, and needs NET_ADMIN and NET_RAW
there. docs/faults.md says how it works, CONTRIBUTING.md how a fault is added.
"""
