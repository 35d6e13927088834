"""One packet's values: what tshark says in labctl's words, what labctl says, and why the two may differ."""

from __future__ import annotations

import re
from typing import Any

from labctl.packets.model import Packet

_NUMBER = re.compile(r"(0x[0-9a-f]+|\d+)")
_IN_BRACKETS = re.compile(r"\((0x[0-9a-f]+|\d+)\)")
_SUMS = {"Bad": "bad", "Good": "ok", "Unverified": "unknown", "Not present": "none", "Illegal": "missing"}
ATM = 123
_LINKS = (
    "eth",
    "ethertype",
    "vlan",
    "sll",
    "null",
    "raw",
    "ppp",
    "pppoes",
    "chdlc",
    "llc",
    "mpls",
    "nflog",
    "loop",
    "dot1ad",
)
_EXTENSIONS = ("ipv6.hopopts", "ipv6.dstopts", "ipv6.routing", "ipv6.fraghdr", "ah", "data")


def number(text: str) -> int | None:
    """Of `80`, `0x1116 (4374)`, `request (1)`, or nothing."""
    found = _NUMBER.match(text) or _IN_BRACKETS.search(text)
    return int(found[1], 0) if found else None


def stack(row: dict[str, str]) -> list[str]:
    return row["frame.protocols"].split(":")


def network(row: dict[str, str]) -> str:
    """The first network protocol, if what stands before it is what labctl unwraps."""
    for name in stack(row):
        if name in ("ip", "ipv6", "arp"):
            return name
        if name not in _LINKS:
            return ""
    return ""


def transport(row: dict[str, str]) -> str:
    """What is next after IP and its extension headers."""
    names = stack(row)
    for place, name in enumerate(names):
        if name in ("ip", "ipv6"):
            rest = [each for each in names[place + 1 :] if each not in _EXTENSIONS]
            return rest[0] if rest else ""
    return ""


def theirs(row: dict[str, str]) -> dict[str, Any]:
    """What tshark says, as far as labctl has a word for it."""
    seconds, _, fraction = (row["frame.time_epoch"] or "0").partition(".")
    nanoseconds = int(fraction.ljust(9, "0"))
    out: dict[str, Any] = {
        "ts_ns": int(seconds) * 10**9 + (-nanoseconds if seconds.startswith("-") else nanoseconds),
        "original_length": int(row["frame.len"]),
        "captured_length": int(row["frame.cap_len"]),
    }
    below = network(row)
    if below == "ip" and row["ip.src"]:
        out |= {"src": row["ip.src"], "dst": row["ip.dst"], "ip_id": number(row["ip.id"]), "ttl": number(row["ip.ttl"])}
        out |= {"total_length": number(row["ip.len"]), "fragment_offset": (number(row["ip.frag_offset"]) or 0) * 8}
        out |= {"more_fragments": row["ip.flags.mf"] in ("1", "Set")}
        out |= {"ip_checksum": _SUMS.get(row["ip.checksum.status"])}
    elif below == "ipv6" and row["ipv6.dst"]:
        out |= {"src": row["ipv6.src"], "dst": row["ipv6.dst"], "ttl": number(row["ipv6.hlim"])}
        out |= {"total_length": (number(row["ipv6.plen"]) or 0) + 40}
        if row["ipv6.fraghdr.ident"]:
            offset = (number(row["ipv6.fraghdr.offset"]) or 0) * 8
            out |= {"fragment_offset": offset, "ip_id": number(row["ipv6.fraghdr.ident"])}
            out |= {"more_fragments": row["ipv6.fraghdr.more"] in ("1", "Yes", "Set")}
    elif below == "arp":
        out |= {"arp": number(row["arp.opcode"]), "sender": row["arp.src.hw_mac"], "target": row["arp.dst.hw_mac"]}
        out |= {"src": row["arp.src.proto_ipv4"], "dst": row["arp.dst.proto_ipv4"]}
    if below in ("ip", "ipv6"):
        out |= _upper(row, transport(row))
    return {key: value for key, value in out.items() if value not in (None, "")}


def _upper(row: dict[str, str], name: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if name == "tcp":
        for key, label in (("seq", "seq_raw"), ("ack", "ack_raw"), ("window", "window_size_value"), ("flags", "flags")):
            out[key] = number(row[f"tcp.{label}"])
        out |= {"length": number(row["tcp.len"]), "urgent": number(row["tcp.urgent_pointer"])}
        for key, label in (("mss", "mss_val"), ("scale", "wscale.shift"), ("stamp", "timestamp.tsval")):
            out[key] = number(row[f"tcp.options.{label}"])
    elif name == "udp":
        out["udp_length"] = number(row["udp.length"])
    elif name in ("icmp", "icmpv6"):
        out |= {"type": number(row[f"{name}.type"]), "code": number(row[f"{name}.code"])}
        out |= {"mtu": number(row[f"{name}.mtu"]), "checksum": _SUMS.get(row[f"{name}.checksum.status"])}
        if name == "icmp":
            out["gateway"] = row["icmp.redir_gw"]
            if out["type"] not in (3, 4, 5, 11, 12):  # else they are of the quoted packet
                out |= {"id": number(row["icmp.ident"]), "echo": number(row["icmp.seq"])}
        else:
            out |= {"id": number(row["icmpv6.echo.identifier"]), "echo": number(row["icmpv6.echo.sequence_number"])}
            out["about"] = row["icmpv6.nd.ns.target_address"] or row["icmpv6.nd.na.target_address"]
    elif name == "igmp":
        out |= {"igmp": number(row["igmp.type"]), "group": row["igmp.maddr"]}
        out["checksum"] = _SUMS.get(row["igmp.checksum.status"])
    if name in ("tcp", "udp"):
        out |= {"sport": number(row[f"{name}.srcport"]), "dport": number(row[f"{name}.dstport"])}
        out["checksum"] = _SUMS.get(row[f"{name}.checksum.status"])
    return out


def ours(packet: Packet, keys: dict[str, Any]) -> dict[str, Any]:
    """The same of ours."""
    record, tcp, icmp, arp = packet.record, packet.tcp, packet.icmp, packet.arp
    out: dict[str, Any] = {
        "ts_ns": packet.ts_ns,
        "original_length": record.original_length,
        "captured_length": len(record.data),
    }
    for name in ("src", "dst", "ip_id", "ttl", "total_length", "fragment_offset", "more_fragments", "udp_length"):
        out[name] = getattr(packet, name)
    out |= {"sport": packet.sport, "dport": packet.dport}
    out |= {"checksum": packet.checksum, "ip_checksum": packet.ip_checksum}
    if tcp:
        out |= {"seq": tcp.seq, "ack": tcp.ack, "flags": tcp.flags, "window": tcp.window, "mss": tcp.mss}
        out |= {"scale": tcp.window_scale, "length": packet.payload_length, "urgent": tcp.urgent}
        out |= {"stamp": tcp.timestamps[0] if tcp.timestamps else None}
    if icmp:
        out |= {"type": icmp.type, "code": icmp.code, "mtu": icmp.mtu, "gateway": icmp.gateway, "about": icmp.target}
        out |= {"id": icmp.id, "echo": icmp.seq}
    if arp:
        out |= {"arp": arp.operation, "sender": arp.sender_mac, "target": arp.target_mac}
    if packet.igmp:
        out |= {"igmp": packet.igmp.type, "group": packet.igmp.groups[0] if packet.igmp.groups else None}
    return {key: out.get(key) for key in keys}


def reason(packet: Packet, row: dict[str, str], key: str, mine: Any, other: Any) -> str:
    """Why a value differs, in a sentence; empty: none is known."""
    if "checksum" in key and mine == "partial":
        return "a checksum that was left to the network card is not called bad"
    if key == "total_length" and row["ipv6.plen"] == "0":
        return "IPv6 with a length of 0 (a jumbogram, or merged by the kernel) is as long as its frame"
    if key == "ts_ns" and other < 0 <= mine:
        return "a fraction of a second that is no fraction makes tshark's time negative"
    if key == "ts_ns" and (mine - other) % (1 << 32) == 0:
        return "a fraction of a second that is many seconds is more than tshark's 32 bits of nanoseconds hold"
    if key == "original_length" and other == (1 << 31) - 1 < mine:
        return "a packet of more than 2 GiB, as its file says, is one of 2 GiB less a byte to tshark"
    if key in ("id", "echo") and mine is None and stack(row).count("ipv6") > 1:
        return "the numbers of an echo that an ICMPv6 error quotes are not the error's own"
    if key == "dst" and packet.version == 4 and number(row["ip.hdr_len"]) != 20:  # options
        return "of a packet with a source route, the destination is what stands in its header: the next router"
    if key in ("original_length", "captured_length") and packet.record.interface.link_type == ATM:
        return "the four bytes that SunATM puts before a packet are counted"
    if packet.version == 6 and packet.ip_id is None and "ipv6.fraghdr" in stack(row):
        return "a fragment header behind headers that labctl does not unwrap (mobility, HIP, Shim6)"
    if key == "checksum" and "ipv6.dstopts" in stack(row):
        return "a home address whose option has a wrong length is not taken for one"
    if mine in (None, "", 0, b"") and (packet.malformed or packet.unread):
        return "of a header that is not whole or can't be, labctl gives no values but in the layers"
    return ""
