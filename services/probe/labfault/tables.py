"""Which packets the kernel gives to the queue: a table of nftables that marks them, and one rule of iptables.

nftables' own `queue` statement isn't in every kernel, iptables' NFQUEUE target is. All of it is in this network
namespace, and nothing anywhere else.

A mark is set only while the probe shows that it lives: each HEARTBEAT it puts an element into one of some sets, where
the kernel keeps it for LEASE. So the links heal also when the probe is frozen; if it dies, the queue has no owner and
is bypassed at once.

Nothing of this is taken for granted: `missing` asks the kernel whether it is still there. Others may have flushed it.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import json
import socket
import struct
import subprocess
import time

import nfnetlink
from nfnetlink import attribute, message, nest

TABLE = "labctl_faults"
MARK, COPY = 0x40000000, 0x20000000  # bits of a packet's mark: to the queue; sent by ourselves
NUMBERS = range(74, 90)  # of NFQUEUE: others may have some of them
HEARTBEAT, LEASE = 0.25, 0.9  # seconds
# A kernel doesn't renew an element that is still there. So it must be gone when its set's turn comes again, also where
# a change beats out of turn: with fewer sets, or beats without a pause, links would heal for a moment.
_SETS, _PAUSE = 8, HEARTBEAT / 2  # _SETS * _PAUSE > LEASE
_LIMIT = 10  # seconds for a command
_HOOK = f"POSTROUTING -m mark --mark {MARK:#x}/{MARK:#x} -j NFQUEUE --queue-num"
_TOOLS = {"iptables": "ip", "ip6tables": "ip6"}  # and nftables' name of the family
_NFT = 10 << 8  # NFNL_SUBSYS_NFTABLES
_BEGIN, _END, _GETRULE, _DELRULE, _NEWSETELEM = 0x10, 0x11, _NFT | 7, _NFT | 8, _NFT | 12
_HANDLE, _EXPRESSIONS = 3, 4  # NFTA_RULE_*
_FAMILIES = {"inet": 1, "ip": 2, "ip6": 10}  # NFPROTO_*
_INET = _FAMILIES["inet"]
_CREATE = 0x400
_TABLE_IS_MISSING = f"the table inet {TABLE}, or rules in it,"
BEFORE = -151  # the hook's priority where packets are looked at before any rule; they are marked just ahead of it


Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network
Peers = list[frozenset[bytes] | None]  # of each rule: the addresses of the link's other end; None for all packets


class Routes:
    """The namespace's routes, as ip(8) tells them."""

    def __init__(self) -> None:
        self._found: list[tuple[Prefix, str | None, str | None]] = []  # with gateway and device, the longest first
        for family in ("-4", "-6"):
            for route in json.loads(_run(["ip", "-json", family, "route", "show"]) or "[]"):
                if route.get("type", "unicast") == "unicast" and "dst" in route:
                    whole = "0.0.0.0/0" if family == "-4" else "::/0"
                    prefix = ipaddress.ip_network(whole if route["dst"] == "default" else route["dst"], strict=False)
                    self._found.append((prefix, route.get("gateway"), route.get("dev")))
        self._own: set[bytes] = set()
        self.mtu = 65535
        for link in json.loads(_run(["ip", "-json", "address", "show"]) or "[]"):
            if link["ifname"] != "lo":
                self.mtu = min(self.mtu, link["mtu"])
                self._own |= {ipaddress.ip_address(item["local"]).packed for item in link["addr_info"]}
        self._found.sort(key=lambda item: item[0].prefixlen, reverse=True)

    def is_own(self, source: bytes) -> bool:
        """Whether a packet with that source was made here, and not only passes."""
        return source in self._own

    def ways(self, destination: bytes) -> set[bytes]:
        """The neighbours that a destination is reached by: itself, and the router that its route names."""
        address = ipaddress.ip_address(destination) if destination else None
        if address is None or address.is_multicast:
            return set()
        found = {destination}
        for prefix, gateway, _ in self._found:
            if prefix.version == address.version and address in prefix:
                return found | ({ipaddress.ip_address(gateway).packed} if gateway else set())
        return found

    def through(self, peers: frozenset[bytes]) -> list[tuple[Prefix, bool]]:
        """`(prefix, whether it goes through one of the peers)` of all routes, the longest prefix first."""
        named = {str(ipaddress.ip_address(peer)) for peer in peers}
        return [(prefix, gateway in named) for prefix, gateway, _ in self._found]


class Tables:
    """What stands in the namespace. `set` replaces all of it at once, or raises OSError and leaves what was there."""

    def __init__(self) -> None:
        self._beat, self._beaten = 0, -LEASE  # how often, and when last
        self._socket: socket.socket | None = None
        self._asking: socket.socket | None = None  # for questions; the other one's answers are those to beats
        self._number = 0  # of the queue
        self.are_needed = False
        self._ours: list[str] = []  # tables of iptables that were not there before
        self._handles: dict[str, list[bytes]] = {}  # of the rules that were set, by chain, as the kernel named them

    def stand(self, number: int) -> None:
        """The frame without any link, and the way to a queue. Raises OSError, and then nothing of it is there."""
        if self.are_set and number == self._number and not self._frame_is_missing():
            return
        self.clear()
        self._number = number
        self._socket, self._asking = nfnetlink.connect(), nfnetlink.connect()
        self._socket.setblocking(False)
        self._asking.settimeout(_LIMIT)
        try:
            _run(["nft", "-f", "-"], _frame())
            for tool, family in _TOOLS.items():
                if not _succeeds(["nft", "list", "table", family, "mangle"]):
                    self._ours.append(family)
                _run([tool, "-t", "mangle", "-A", *_hook(number)])
        except (OSError, subprocess.TimeoutExpired):
            self.clear()
            raise
        self._handles = {"leaving": self._found()["leaving"]}  # the links are still to come
        self._beaten = -LEASE

    def set(self, peers: Peers, routes: Routes, number: int) -> None:
        """`peers` holds, for each rule, None (all packets) or the addresses of the link's other end; `number` is that
        of the queue."""
        self.stand(number)
        # The hook stays: with it the kernel would drop all packets that wait for a verdict.
        _run(["nft", "-f", "-"], _links(peers, routes))
        self.are_needed = True
        self._handles = self._found()
        self.beat()

    def try_out(self, peers: Peers, routes: Routes) -> None:
        """Whether `set` would succeed, once the frame stands. Raises OSError."""
        _run(["nft", "-c", "-f", "-"], _links(peers, routes))

    def missing(self) -> str:
        """What of it somebody has taken away, as words; '' where all is there as it was set."""
        if not self.are_set:
            return f"the table inet {TABLE}" if self.are_needed else ""
        return self._frame_is_missing() or ("" if self._found() == self._handles else _TABLE_IS_MISSING)

    def _frame_is_missing(self) -> str:
        for family in _TOOLS.values():
            rules = self._rules(family, "mangle", "POSTROUTING")
            if not any(_is_hook(expressions, self._number) for _, expressions in rules):
                return f"the rule of {family} mangle that hands packets over"
        return "" if self._found()["leaving"] == self._handles.get("leaving") else _TABLE_IS_MISSING

    def _found(self) -> dict[str, list[bytes]]:
        return {chain: [handle for handle, _ in self._rules("inet", TABLE, chain)] for chain in ("leaving", "links")}

    def _rules(self, family: str, table: str, chain: str) -> list[tuple[bytes, bytes]]:
        """`(handle, expressions)` of a chain's rules; none where there is no such chain."""
        asked = attribute(1, table.encode() + b"\0") + attribute(2, chain.encode() + b"\0")
        found: list[tuple[bytes, bytes]] = []
        if self._asking is None:
            return found
        for body in nfnetlink.dump(self._asking, _GETRULE, asked, _FAMILIES[family]):
            fields = {kind: body[begin:end] for kind, begin, end in nfnetlink.attributes(body, 0, len(body))}
            # Older kernels leave out nothing of what was not asked for.
            if (fields.get(1), fields.get(2)) == (table.encode() + b"\0", chain.encode() + b"\0"):
                found.append((fields.get(_HANDLE, b""), fields.get(_EXPRESSIONS, b"")))
        return found

    def let_pass(self) -> None:
        """From now on no packet is marked. At once, and not by nft(8): meanwhile others would overtake what waits."""
        if self._socket:
            self._forget_answers()
            self._socket.settimeout(_LIMIT)
            # A socket of its own would be closed now, and that waits for the kernel to forget the rules (20 ms).
            try:
                with contextlib.suppress(FileNotFoundError):  # others have removed the table
                    nfnetlink.send(self._socket, _flushed("links"))
            finally:
                self._socket.setblocking(False)  # else the next beat waits for ever
            self._handles["links"] = []
        self.are_needed = False

    @property
    def are_set(self) -> bool:
        return self._socket is not None

    def beat(self) -> None:
        """Says that the probe lives, for another LEASE."""
        now = time.monotonic()
        if self._socket is None or now - self._beaten < _PAUSE:
            return
        self._beaten = now
        self._forget_answers()
        elements = b"".join(nest(1, nest(1, attribute(1, bytes([proto])))) for proto in (2, 10))  # IPv4, IPv6
        name = f"alive{self._beat % _SETS}".encode() + b"\0"
        body = attribute(1, TABLE.encode() + b"\0") + attribute(2, name) + nest(3, elements)
        self._beat += 1
        self._socket.send(
            message(_BEGIN, 0, _NFT >> 8) + message(_NEWSETELEM, _CREATE, 0, body, _INET) + message(_END, 0, 10)
        )

    def _forget_answers(self) -> None:
        """An error of the last beat; there is none that could be mended."""
        with contextlib.suppress(BlockingIOError):
            while self._socket:
                self._socket.recv(1 << 16)

    def clear(self) -> None:
        """Nothing is left."""
        if not self.are_set:
            return
        clear_leftovers()
        for family in self._ours:
            _succeeds(["nft", "delete", "table", family, "mangle"])
        self._ours = []
        for sock in (self._socket, self._asking):
            if sock:
                sock.close()
        self._socket = self._asking = None


def claim() -> None:
    """Makes the network ours: removes what a probe left that was killed. Raises OSError EBUSY where one lives."""
    deadline = time.monotonic() + LEASE
    while _has_signs_of_life():
        if time.monotonic() > deadline:
            raise OSError(errno.EBUSY, "another probe of labctl's has rules in this network; clear those first")
        time.sleep(LEASE / 10)
    clear_leftovers()


def _has_signs_of_life() -> bool:
    """Whether some probe has said that it lives, within the last LEASE."""
    try:
        found = json.loads(_run(["nft", "-j", "list", "table", "inet", TABLE]))
    except OSError:
        return False  # no table
    return any(item["set"].get("elem") for item in found["nftables"] if "set" in item)


def clear_leftovers() -> None:
    """Removes what a probe left that was killed."""
    _succeeds(["nft", "delete", "table", "inet", TABLE])
    for tool in _TOOLS:
        done = subprocess.run(
            [tool, "-t", "mangle", "-S", "POSTROUTING"], capture_output=True, text=True, timeout=_LIMIT
        )
        for line in done.stdout.splitlines():
            if f"--mark {MARK:#x}/{MARK:#x} -j NFQUEUE" in line:
                _succeeds([tool, "-t", "mangle", "-D", *line.split()[1:]])


def _hook(number: int) -> list[str]:
    return [*_HOOK.split(), str(number), "--queue-bypass"]


def _is_hook(expressions: bytes, number: int) -> bool:
    """Whether a rule gives packets to a queue: struct xt_NFQ_info_v3, linux/netfilter/xt_NFQUEUE.h."""
    return b"NFQUEUE\0" in expressions and struct.pack("=HHH", number, 1, 1) in expressions


def _frame() -> str:
    """The table as nft(8) reads it, with no link in it yet."""
    sets = "".join(
        f" set alive{number} {{ type nf_proto; flags timeout; timeout {LEASE * 1000:.0f}ms; }}\n"
        for number in range(_SETS)
    )
    alive = "".join(f"  meta nfproto @alive{number} goto links\n" for number in range(_SETS))
    return (
        f"table inet {TABLE} {{\n{sets} chain links {{ }}\n"
        f" chain leaving {{\n  type filter hook postrouting priority {BEFORE - 1}; policy accept;\n"
        f'  oifname "lo" return\n  meta mark & {COPY:#x} != 0 return\n{alive} }}\n}}\n'
    )


def _links(peers: Peers, routes: Routes) -> str:
    """The order to replace the rules of all links, in one step."""
    return f"flush chain inet {TABLE} links\n{_chosen(peers, routes)}"


def _chosen(peers: Peers, routes: Routes) -> str:
    """The rules of the chain `links`: a mark for what goes to one of the peers, or through it."""
    add, mark = f"add rule inet {TABLE} links", f"meta mark set meta mark | {MARK:#x}"
    if None in peers:
        return f"{add} {mark}\n"
    named = frozenset(address for each in peers for address in each or ())
    lines = [
        f"{add} {_daddr(ipaddress.ip_network(ipaddress.ip_address(peer)))} {mark} return\n" for peer in sorted(named)
    ]
    found = routes.through(named)
    if any(through for _, through in found):
        lines.append(f"{add} fib daddr type {{ broadcast, multicast }} return\n")
        lines += [f"{add} {_daddr(prefix)} {f'{mark} ' if through else ''}return\n" for prefix, through in found]
    return "".join(lines)


def _flushed(chain: str) -> bytes:
    """The order to remove all rules of a chain, which is to be acknowledged."""
    body = attribute(1, TABLE.encode() + b"\0") + attribute(2, chain.encode() + b"\0")
    order = message(_DELRULE, nfnetlink.ACK, 0, body, _INET)
    return message(_BEGIN, 0, _NFT >> 8) + order + message(_END, 0, _NFT >> 8)


def _daddr(prefix: Prefix) -> str:
    if not prefix.prefixlen:
        return f"meta nfproto {'ipv6' if prefix.version == 6 else 'ipv4'}"
    return f"{'ip6' if prefix.version == 6 else 'ip'} daddr {prefix}"


def _run(command: list[str], given: str = "") -> str:
    """Raises OSError with the command's own words."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=_LIMIT, check=False)
    if done.returncode:
        raise OSError(95, f"{' '.join(command[:2])}: {done.stderr.strip() or 'failed'}")  # EOPNOTSUPP
    return done.stdout


def _succeeds(command: list[str]) -> bool:
    return not subprocess.run(command, capture_output=True, timeout=_LIMIT, check=False).returncode
