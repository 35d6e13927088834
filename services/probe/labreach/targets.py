"""Names as the node resolves them: a probe shares its /etc/hosts and its /etc/resolv.conf."""

from __future__ import annotations

import socket

from labreach.output import Refused

_FAMILIES = {None: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}
_REASONS = {
    socket.EAI_NONAME: "no such name",
    socket.EAI_AGAIN: "its name server did not answer, or could not find out",
    socket.EAI_NODATA: "the name has no such address",
    socket.EAI_ADDRFAMILY: "the name has no such address",
}


def resolve(name: str, family: int | None) -> str:
    """The first address that getaddrinfo(3) gives, of a family that the node has; 4, 6 or either."""
    try:
        # As bytes where that will do: for a str, Python loads its tables of international names.
        given = name.encode() if name.isascii() else name
        found = socket.getaddrinfo(given, None, _FAMILIES[family], socket.SOCK_DGRAM, flags=socket.AI_ADDRCONFIG)
    except socket.gaierror as problem:
        names = (word for word in dir(socket) if word.startswith("EAI_") and getattr(socket, word) == problem.errno)
        why = _REASONS.get(problem.errno or 0) or problem.strerror or str(problem)
        raise Refused(next(names, "EAI_FAIL"), why) from None
    except ValueError:  # a NUL, or a label that is empty or too long (UnicodeError is one)
        raise Refused("EAI_NONAME", "no name can be written so") from None
    return str(found[0][4][0])
