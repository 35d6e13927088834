"""Patterns: lines that say what the wire between nodes must show, in packetdrill's notation without its clock. No I/O.

`parse` reads one, `seen_of` takes what ladders show, `match` compares, `write` writes the pattern of a run, and
`explained` says where the two part. docs/patterns.md has the grammar.
"""

from labctl.packets.pattern.difference import explained
from labctl.packets.pattern.match import Found, Undecided, match
from labctl.packets.pattern.model import Pattern
from labctl.packets.pattern.parse import parse
from labctl.packets.pattern.seen import Seen, seen_of
from labctl.packets.pattern.words import BadPattern
from labctl.packets.pattern.write import write

__all__ = ["BadPattern", "Found", "Pattern", "Seen", "Undecided", "explained", "match", "parse", "seen_of", "write"]
