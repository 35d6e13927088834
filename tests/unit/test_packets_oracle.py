"""dpkt as an oracle: packets of its making, and the same with a byte changed, say here what they say there."""

import socket
import struct

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from traffic import packet

from labctl.packets.protocols import link
from labctl.packets.protocols.application import dns

PORT, WORD = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
ADDRESSES = st.sampled_from([4, 16]).flatmap(lambda size: st.tuples(*[st.binary(min_size=size, max_size=size)] * 2))
PAYLOAD = st.binary(max_size=40)
SEGMENTS = st.builds(
    dpkt.tcp.TCP,
    sport=PORT,
    dport=PORT,
    seq=WORD,
    ack=WORD,
    flags=st.integers(0, 0x1FF),
    win=PORT,
    urp=PORT,
    data=PAYLOAD,
)
DATAGRAMS = st.builds(dpkt.udp.UDP, sport=PORT, dport=PORT, data=PAYLOAD)


def text(address: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


def frame(ends, body, ident: int, ttl: int) -> bytes:
    """An Ethernet frame; dpkt fills in the checksums."""
    src, dst = ends
    number = dpkt.ip.IP_PROTO_TCP if isinstance(body, dpkt.tcp.TCP) else dpkt.ip.IP_PROTO_UDP
    if isinstance(body, dpkt.udp.UDP):
        body.ulen = 8 + len(body.data)
    if len(src) == 4:
        inner = dpkt.ip.IP(src=src, dst=dst, p=number, id=ident, ttl=ttl, data=body)
        return bytes(dpkt.ethernet.Ethernet(type=dpkt.ethernet.ETH_TYPE_IP, data=inner))
    inner = dpkt.ip6.IP6(src=src, dst=dst, nxt=number, hlim=ttl, plen=len(body), data=body)
    inner.extension_hdrs, inner.all_extension_headers, inner.p = {}, [], number
    return bytes(dpkt.ethernet.Ethernet(type=dpkt.ethernet.ETH_TYPE_IP6, data=inner))


def agree(data: bytes):
    """Both read the same; ours is returned."""
    found, theirs = packet(data, link_type=link.ETHERNET), dpkt.ethernet.Ethernet(data).data
    assert (found.src, found.dst) == (text(theirs.src), text(theirs.dst))
    upper = theirs.data
    assert (found.sport, found.dport) == (upper.sport, upper.dport)
    if isinstance(upper, dpkt.tcp.TCP):
        tcp = found.tcp
        assert (tcp.seq, tcp.ack, tcp.window, tcp.urgent) == (upper.seq, upper.ack, upper.win, upper.urp)
        assert tcp.flags & 0x1FF == upper.flags & 0x1FF
    assert found.payload == upper.data
    return found


@given(ADDRESSES, SEGMENTS | DATAGRAMS, PORT, st.integers(1, 255))
def test_packets_of_dpkts_making(ends, body, ident, ttl):
    found = agree(frame(ends, body, ident, ttl))
    assert (found.malformed, found.unread, found.payload, found.ttl) == ("", "", body.data, ttl)
    assert found.checksum == "ok"
    if found.version == 4:
        assert (found.ip_checksum, found.ip_id) == ("ok", ident)


@given(ADDRESSES, SEGMENTS | DATAGRAMS, st.data())
def test_a_changed_byte_is_a_wrong_checksum_and_dpkts_would_be_right(ends, body, draw):
    data = bytearray(frame(ends, body, 1, 64))
    begin = 14 + (20 if len(ends[0]) == 4 else 40)
    is_tcp = isinstance(body, dpkt.tcp.TCP)
    # Ports, sequence number, acknowledgement and payload: what tells lengths stays as it is.
    at = draw.draw(
        st.sampled_from([*range(begin, begin + (12 if is_tcp else 4)), *range(len(data) - len(body.data), len(data))])
    )
    data[at] ^= draw.draw(st.integers(1, 255))
    found = agree(bytes(data))
    if found.checksum in ("none", "missing", "partial"):
        return  # 0 stands there, or the sum of the pseudo-header: it may be as it was meant
    assert found.checksum == "bad"
    repaired = bytearray(data)
    struct.pack_into(">H", repaired, begin + (16 if is_tcp else 6), found.checksum_wanted)
    theirs = dpkt.ethernet.Ethernet(bytes(data)).data.data
    theirs.sum = 0
    assert bytes(repaired) == frame(ends, theirs, 1, 64)


NAMES = st.lists(st.from_regex(r"[a-z0-9]{1,10}", fullmatch=True), min_size=1, max_size=4).map(".".join)


def on_the_wire(name: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


@pytest.mark.parametrize("kind", ["A", "AAAA", "CNAME", "MX", "TXT"])
@given(ident=PORT, asked=NAMES, other=NAMES, ttl=st.integers(0, 2**31 - 1), more=st.binary(min_size=16, max_size=16))
def test_answers_of_a_name_server(kind, ident, asked, other, ttl, more):
    told = on_the_wire(other)
    value = {"A": more[:4], "AAAA": more, "CNAME": told, "MX": more[:2] + told, "TXT": told[:-1]}[kind]
    number = dns.NUMBERS[kind]
    data = struct.pack(">6H", ident, 0x8180, 1, 1, 0, 0) + on_the_wire(asked) + struct.pack(">HH", number, 1)
    data += b"\xc0\x0c" + struct.pack(">HHIH", number, 1, ttl, len(value)) + value
    ours, theirs = dns.decode(data), dpkt.dns.DNS(data)
    (mine,), (their,) = ours.answers, theirs.an
    assert (ours.ident, ours.questions) == (theirs.id, ((theirs.qd[0].name, kind),))
    assert (mine.name, mine.ttl, mine.type) == (their.name, their.ttl, kind)
    said = {
        "A": lambda: text(their.ip),
        "AAAA": lambda: text(their.ip6),
        "CNAME": lambda: their.cname,
        "MX": lambda: f"{their.preference[0]} {their.mxname}",  # dpkt leaves it in a tuple
        "TXT": lambda: " ".join(f'"{part}"' for part in their.text),
    }[kind]()
    assert mine.value == said
