"""What numbers in packets are called."""

from __future__ import annotations

from datetime import UTC, datetime

from labctl.packets.model import Packet

# RFC 792, RFC 1122, RFC 1812; RFC 4443, RFC 4861.
ICMP = {
    0: "echo reply",
    3: "destination unreachable",
    4: "source quench",
    5: "redirect",
    8: "echo request",
    9: "router advertisement",
    10: "router solicitation",
    11: "time exceeded",
    12: "parameter problem",
    13: "timestamp request",
    14: "timestamp reply",
    15: "information request",
    16: "information reply",
    17: "address mask request",
    18: "address mask reply",
    30: "traceroute",
    42: "extended echo request",
    43: "extended echo reply",
}
ICMP6 = {
    1: "destination unreachable",
    2: "packet too big",
    3: "time exceeded",
    4: "parameter problem",
    128: "echo request",
    129: "echo reply",
    130: "multicast listener query",
    131: "multicast listener report",
    132: "multicast listener done",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbour solicitation",
    136: "neighbour advertisement",
    137: "redirect",
    138: "router renumbering",
    139: "node information query",
    140: "node information response",
    141: "inverse neighbour solicitation",
    142: "inverse neighbour advertisement",
    143: "multicast listener report v2",
    144: "home agent discovery request",
    145: "home agent discovery reply",
    146: "mobile prefix solicitation",
    147: "mobile prefix advertisement",
    151: "multicast router advertisement",
    152: "multicast router solicitation",
    153: "multicast router termination",
    155: "RPL control",
    160: "extended echo request",
    161: "extended echo reply",
}
_UNREACHABLE = {
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    4: "fragmentation needed",
    5: "source route failed",
    6: "network unknown",
    7: "host unknown",
    8: "source isolated",
    9: "network prohibited",
    10: "host prohibited",
    11: "network unreachable for this service",
    12: "host unreachable for this service",
    13: "prohibited by a filter",
    14: "host precedence violated",
    15: "precedence too low",
}
_UNREACHABLE6 = {
    0: "no route",
    1: "prohibited by a filter",
    2: "beyond the scope of the source",
    3: "address unreachable",
    4: "port unreachable",
    5: "source failed the policy",
    6: "route rejected",
    7: "error in a source route",
}
_EXCEEDED = {0: "hops used up", 1: "fragments missing"}
PROTOCOLS = {0: "hop-by-hop options", 1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 43: "routing header", 44: "fragment"}
PROTOCOLS |= {4: "IPv4", 41: "IPv6", 89: "OSPF", 103: "PIM", 112: "VRRP", 115: "L2TP", 136: "UDP-Lite"}
PROTOCOLS |= {33: "DCCP", 46: "RSVP", 88: "EIGRP", 108: "IPComp", 135: "mobility header", 137: "MPLS", 139: "HIP"}
PROTOCOLS |= {47: "GRE", 50: "ESP", 51: "AH", 58: "ICMPv6", 59: "nothing", 60: "destination options", 132: "SCTP"}


# Seconds since the epoch of the years 1 and 10000: RFC 3339 has no others, but a capture file can.
_FIRST, _BEYOND = -62_135_596_800, 253_402_300_800


def moment(nanoseconds: int) -> str:
    """A time since the epoch as RFC 3339 with nanoseconds; as `12345.678901234 s since 1970` where that has no word."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    if _FIRST <= seconds < _BEYOND:
        return f"{datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()}.{rest:09d}Z"
    seconds, rest = divmod(abs(nanoseconds), 1_000_000_000)
    return f"{'-' if nanoseconds < 0 else ''}{seconds}.{rest:09d} s since 1970"


def icmp_name(packet: Packet) -> str:
    """An ICMP message as `destination unreachable: port unreachable`."""
    icmp = packet.icmp
    assert icmp is not None
    six = packet.protocol == "icmp6"
    name = (ICMP6 if six else ICMP).get(icmp.type, f"type {icmp.type}")
    code = code_name(icmp.type, icmp.code, six)
    return f"{name}: {code}" if code else name


def code_name(kind: int, code: int, six: bool) -> str:
    """What the code of an ICMP message says besides its type; empty: nothing."""
    if kind == (1 if six else 3):
        return (_UNREACHABLE6 if six else _UNREACHABLE).get(code, f"code {code}")
    if kind == (3 if six else 11):
        return _EXCEEDED.get(code, f"code {code}")
    return ""


def ends(packet: Packet) -> str:
    """10.0.0.1:4000 > 10.0.0.2:80"""
    return f"{end(packet.src, packet.sport)} > {end(packet.dst, packet.dport)}"


def end(host: str, port: int | None) -> str:
    """An address, with its port where it has one (RFC 3986, section 3.2.2 on brackets)."""
    if port is None:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
