"""What this kernel can do for a lab, tried rather than looked up: one JSON object on stdout.

Run as root with NET_ADMIN in a network namespace of its own: `python3 -m labnode.abilities`. Each try is one netlink
request (netlink(7)) and its acknowledgement.
"""

import errno
import json
import os
import socket
import struct

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
NLM_REQUEST, NLM_ACK, NLM_CREATE, NLM_EXCL = 0x1, 0x4, 0x400, 0x200
NLMSG_ERROR = 2
RTM_NEWLINK, RTM_NEWQDISC = 16, 36


def request(family: int, kind: int, flags: int, body: bytes) -> int:
    """Sends one netlink request and gives the errno of its acknowledgement, 0 for success."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as sock:
        sock.settimeout(5)
        sock.bind((0, 0))
        header = struct.pack("=IHHII", 16 + len(body), kind, flags | NLM_REQUEST | NLM_ACK, 1, 0)
        sock.send(header + body)
        while True:
            answer = sock.recv(65536)
            length, answer_kind = struct.unpack_from("=IH", answer)
            if answer_kind == NLMSG_ERROR:
                number: int = struct.unpack_from("=i", answer, 16)[0]
                return -number
            if length < 16:
                return errno.EBADMSG


def attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nfqueue() -> int:
    """Binds queue 0 (nfnetlink_queue: NFQNL_MSG_CONFIG with NFQNL_CFG_CMD_BIND)."""
    general = struct.pack("=BBH", socket.AF_INET, 0, 0)
    command = struct.pack("!BBH", 1, 0, socket.AF_INET)
    return request(NETLINK_NETFILTER, (3 << 8) | 2, 0, general + attribute(1, command))


def nftables() -> int:
    """Asks for the ruleset's generation (NFT_MSG_GETGEN); any answer but 'no such subsystem' means that it's there."""
    result = request(NETLINK_NETFILTER, (10 << 8) | 16, 0, struct.pack("=BBH", socket.AF_INET, 0, 0))
    return 0 if result in (0, errno.EPERM) else result


def netem() -> int:
    """Puts a netem qdisc on lo, in this throw-away namespace."""
    index = socket.if_nametoindex("lo")
    options = struct.pack("=6I", 0, 1000, 0, 0, 0, 0)
    body = struct.pack("=BBHiIII", 0, 0, 0, index, 0, 0xFFFFFFFF, 0)
    return request(
        NETLINK_ROUTE, RTM_NEWQDISC, NLM_CREATE | NLM_EXCL, body + attribute(1, b"netem\0") + attribute(2, options)
    )


def ipv6() -> int:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::", 0))
    except OSError as problem:
        return problem.errno or errno.EIO
    return 0


TRIES = {
    "IPv6": (ipv6, "IPv6 sockets", "note", "enable IPv6 in the kernel; labs with IPv4 work without it"),
    "nftables": (nftables, "nftables, for routers with address translation", "note", "load the module nf_tables"),
    "NFQUEUE": (nfqueue, "NFQUEUE, for faults on links", "note", "load the module nfnetlink_queue"),
    "netem": (netem, "sch_netem (labctl does without it)", "note", "nothing: labctl's faults don't need it"),
}


def main() -> None:
    found = {}
    for name, (attempt, what, level, mend) in TRIES.items():
        try:
            code = attempt()
        except OSError as problem:
            code = problem.errno or errno.EIO
        found[name] = {"works": code == 0, "what": what, "level": level, "mend": mend, "why": os.strerror(code)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
