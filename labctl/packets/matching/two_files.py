"""Two captures of one conversation, taken at its two ends by two clocks: which end is whose, and how far the clocks are
apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from labctl.packets.crossings import Side
from labctl.packets.matching import identity
from labctl.packets.model import Packet
from labctl.packets.protocols import table

_Pair = tuple[Packet, Packet]  # one packet as both captures have it
_Ends = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Alignment:
    """`offset_ns`: how far the second clock is ahead of the first one; `shared`: packets that both captures have.

    `both_ways`: there are such in both directions, so that the time on the way is known to be no part of the offset.
    `early_ns`: by how much a packet seems to arrive before it was sent, since the clocks didn't stay as they were.
    `guessed`: only the clocks tell which capture is of which end, and these may not agree.
    """

    offset_ns: int
    shared: int
    both_ways: bool
    early_ns: int = 0
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class Aligned:
    """Both captures as the sides of a ladder, with all times by the first one's clock; `hosts` as that has them."""

    left: Side
    right: Side
    alignment: Alignment
    hosts: frozenset[str]


def aligned(first: Sequence[Packet], second: Sequence[Packet], among: Sequence[Packet] | None = None) -> Aligned | None:
    """None: the two have no packet in common by which they could be put together. `among`: only of the hosts that some
    packets of the first one went between.

    The first capture's end is on the left. Packets that look alike say nothing of clocks, so only those count that are
    there once in each.
    """
    pairs = _shared(first, second)
    wanted = None if among is None else {_hosts(packet) for packet in among}
    hosts = Counter(_hosts(pair[0]) for pair in pairs if wanted is None or _hosts(pair[0]) in wanted)
    if not hosts:
        return None
    (one, other), _ = hosts.most_common(1)[0]
    pairs = [pair for pair in pairs if _hosts(pair[0]) == (one, other)]
    ahead = {
        source: [there.ts_ns - here.ts_ns for here, there in pairs if here.src == source] for source in (one, other)
    }
    near, guessed = _near(pairs, ahead, (one, other))
    far = other if near == one else one
    there = _there(pairs, far)
    offset = _offset(ahead[near], ahead[far])
    early = max(0, offset - min(ahead[near])) if ahead[near] and ahead[far] else 0
    alignment = Alignment(offset, len(pairs), bool(ahead[near] and ahead[far]), early, guessed)
    moved = [replace(packet, ts_ns=packet.ts_ns - offset) for packet in second]
    return Aligned(_side(near, first), _side(there, moved), alignment, frozenset((one, other)))


def _hosts(packet: Packet) -> _Ends:
    return (packet.src, packet.dst) if packet.src < packet.dst else (packet.dst, packet.src)


def _shared(first: Sequence[Packet], second: Sequence[Packet]) -> list[_Pair]:
    """The packets that are in both, exactly as they are or, where none is, as a router rewrites them."""
    telling = identity.is_telling
    for key_of, tells in ((identity.exact, telling), (identity.exact, _is_datagram), (identity.translated, telling)):
        here, there = _once(first, key_of, tells), _once(second, key_of, tells)
        pairs = [(packet, there[key]) for key, packet in here.items() if key in there]
        if pairs:
            return pairs
    return []


def _is_datagram(packet: Packet) -> bool:
    """Some text between the same ports, short as it may be: Linux gives what is sent without a connection no id."""
    return packet.protocol in table().datagrams and bool(packet.payload)


def _once(
    packets: Sequence[Packet], key_of: Callable[[Packet], identity.Key], tells: Callable[[Packet], bool]
) -> dict[identity.Key, Packet]:
    """The packets whose key no other one has."""
    found: dict[identity.Key, Packet | None] = {}
    for packet in packets:
        if packet.src and packet.record.timed and tells(packet):
            key = key_of(packet)
            found[key] = None if key in found else packet
    return {key: packet for key, packet in found.items() if packet is not None}


def _near(pairs: Sequence[_Pair], ahead: dict[str, list[int]], hosts: _Ends) -> tuple[str, bool]:
    """The host that the first capture was taken at, where what it sends is sooner, and what it gets later; and whether
    that is a guess."""
    one, other = hosts
    if ahead[one] and ahead[other]:
        return one if _forth(pairs, one) >= 0 else other, False
    source = one if ahead[one] else other
    rest = other if source == one else one
    # In one direction the hops that are left tell, or what was left to the sender's card; else the times as they are.
    hops = sum((here.ttl or 0) - (there.ttl or 0) for here, there in pairs)
    card = sum((here.checksum == "partial") - (there.checksum == "partial") for here, there in pairs)
    if told := hops or card:
        return source if told > 0 else rest, False
    return source if _mean(ahead[source]) >= 0 else rest, True


def _forth(pairs: Sequence[_Pair], host: str) -> float:
    """How much longer what a host sends seems to take than what it gets (ns). Of each two that follow one another in
    different directions, so that clocks which drift don't matter."""
    inorder = sorted(pairs, key=lambda pair: (pair[0].ts_ns, pair[0].index))
    turns = []
    for (here, there), (next_here, next_there) in pairwise(inorder):
        if here.src != next_here.src:
            longer = (there.ts_ns - here.ts_ns) - (next_there.ts_ns - next_here.ts_ns)
            turns.append(longer if here.src == host else -longer)
    return median(turns)


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)


def _offset(forth: Sequence[int], back: Sequence[int]) -> int:
    """As NTP takes it (RFC 5905, section 8): the quickest way there and the quickest back take equally long."""
    if forth and back:
        return (min(forth) + max(back)) // 2
    return min(forth) if forth else max(back)


def _there(pairs: Sequence[_Pair], far: str) -> str:
    """What the far end is called in the second capture: a router may have translated its address."""
    names = Counter(there.src if here.src == far else there.dst for here, there in pairs)
    return names.most_common(1)[0][0]


def _side(host: str, packets: Sequence[Packet]) -> Side:
    mine = sorted(packets, key=lambda packet: (packet.ts_ns, packet.index))
    sent = [packet for packet in mine if packet.src == host]
    arrived = [packet for packet in mine if packet.src != host and packet.dst == host]
    times = [packet.ts_ns for packet in mine]
    return Side(host, sent, arrived, (host,), since_ns=min(times), until_ns=max(times))
