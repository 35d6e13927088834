"""The states of a TCP connection's two ends (RFC 9293, section 3.3.2), as segments that pass tell them."""

from __future__ import annotations

from labctl.packets.model import ACK, FIN, RST, SYN

# What an end becomes when it sends, and when it receives, a FIN; and when its own FIN is acknowledged.
_SENDS_FIN = {"ESTABLISHED": "FIN-WAIT-1", "SYN-RECEIVED": "FIN-WAIT-1", "CLOSE-WAIT": "LAST-ACK"}
_GETS_FIN = {"ESTABLISHED": "CLOSE-WAIT", "FIN-WAIT-1": "CLOSING", "FIN-WAIT-2": "TIME-WAIT"}
_FIN_ACKED = {"FIN-WAIT-1": "FIN-WAIT-2", "CLOSING": "TIME-WAIT", "LAST-ACK": "CLOSED"}


class Ends:
    """The two states; empty: not known. Where the beginning wasn't seen the connection is taken to be established.

    Whether a server listens is known only once it has answered a SYN.
    """

    def __init__(self) -> None:
        self.client = self.server = ""

    def see(self, flags: int, from_client: bool, covers_syn: bool, covers_fin: bool) -> None:
        """A segment: its flags, whose it is, and whether it acknowledges the receiver's SYN and FIN."""
        mine, other = (self.client, self.server) if from_client else (self.server, self.client)
        mine, other = _after(mine, other, flags, covers_syn, covers_fin)
        self.client, self.server = (mine, other) if from_client else (other, mine)


def _after(mine: str, other: str, flags: int, covers_syn: bool, covers_fin: bool) -> tuple[str, str]:
    if flags & RST:
        return "CLOSED", "CLOSED"
    if flags & SYN:
        if not flags & ACK:
            if other == "SYN-SENT":
                return "SYN-RECEIVED", "SYN-RECEIVED"
            return ("SYN-SENT" if mine in ("", "CLOSED") else mine), other
        if covers_syn and other == "SYN-RECEIVED":  # it had sent a SYN of its own (RFC 9293, figure 7)
            other = "ESTABLISHED"
        return ("SYN-RECEIVED" if mine in ("", "CLOSED", "SYN-RECEIVED") else mine), other or "SYN-SENT"
    if not mine or not other:
        mine, other = mine or "ESTABLISHED", other or "ESTABLISHED"
    if covers_syn:
        mine = "ESTABLISHED" if mine == "SYN-SENT" else mine
        other = "ESTABLISHED" if other == "SYN-RECEIVED" else other
    if covers_fin:
        other = _FIN_ACKED.get(other, other)
    if flags & FIN and mine == "CLOSE-WAIT" and other == "FIN-WAIT-1":
        # It doesn't acknowledge the other's FIN, so it had not seen it: the two crossed.
        return "CLOSING", "CLOSING"
    if flags & FIN:
        mine, other = _SENDS_FIN.get(mine, mine), _GETS_FIN.get(other, other)
    return mine, other
