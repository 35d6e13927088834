"""The states of a TCP connection's end and the ways between them: RFC 9293, section 3.3.2, figure 5.

The names are those of ss(8): SYN-RECV is the RFC's SYN-RECEIVED, ESTAB its ESTABLISHED. Two ways of the figure are left
out, as they are told only where they are seen: a simultaneous open (SYN-SENT to SYN-RECV), and a close before the
connection is established (SYN-RECV to FIN-WAIT-1), which Linux' accept(2) gives nobody a chance to do.
"""

CLOSED, LISTEN = "CLOSED", "LISTEN"
WAYS = {
    CLOSED: ("SYN-SENT",),  # a socket that listens is no connection: no way leads through it
    LISTEN: ("SYN-RECV",),
    "SYN-SENT": ("ESTAB",),
    "SYN-RECV": ("ESTAB",),
    "ESTAB": ("FIN-WAIT-1", "CLOSE-WAIT"),
    "FIN-WAIT-1": ("FIN-WAIT-2", "CLOSING", "TIME-WAIT"),
    "FIN-WAIT-2": ("TIME-WAIT",),
    "CLOSING": ("TIME-WAIT",),
    "CLOSE-WAIT": ("LAST-ACK",),
    "LAST-ACK": (CLOSED,),
    "TIME-WAIT": (CLOSED,),
}


def passed(before: str, after: str) -> list[str]:
    """The states between two, in order: those of the shortest way in the diagram.

    Each of them lies on every way that leads from one to the other without a reset, so none is a guess: from ESTAB to
    TIME-WAIT it is FIN-WAIT-1, and whether FIN-WAIT-2 or CLOSING followed is not said. Empty where no way leads there.
    Of the way to CLOSED, `ending` tells.
    """
    ways = [[before]]
    seen = {before}
    while ways:
        way = ways.pop(0)
        for state in WAYS[way[-1]] if way[-1] != CLOSED or len(way) == 1 else ():  # behind CLOSED is another connection
            if state == after:
                return way[1:]
            if state not in seen:
                seen.add(state)
                ways.append([*way, state])
    return []


def ending(before: str, was_reset: bool, was_opened: bool = False) -> list[str]:
    """The states between one and CLOSED of a connection that the kernel has given up.

    A connection that closed first goes through TIME-WAIT, and that lasts a minute: so one that is gone without it was
    closed by its peer first, or was reset. Where it may have been (`was_reset`), nothing is said; nor of one in
    SYN-RECV, where none was established (`was_opened`).
    """
    if before == "SYN-RECV" and was_opened:
        return ["ESTAB", *ending("ESTAB", was_reset)]
    if was_reset:
        return []
    return {"ESTAB": ["CLOSE-WAIT", "LAST-ACK"], "CLOSE-WAIT": ["LAST-ACK"]}.get(before, [])
