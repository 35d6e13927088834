"""From system calls as strace tells them to events: which socket, between which addresses, with which bytes.

strace describes a descriptor as it was when it first met it, so what a socket has become since (bind(2), connect(2))
is kept here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from labnode import journal
from labprocess.tracing.strace import Call, Ended, Signal, members, split, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

SENDS = ("send", "sendto", "sendmsg", "write", "writev", "sendfile")
RECEIVES = ("recv", "recvfrom", "recvmsg", "read", "readv")
MANY = ("sendmmsg", "recvmmsg")  # several datagrams with one call, as glibc's resolver asks for A and AAAA
WAITS = ("epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6", "restart_syscall")
# Calls of files, too: told only where it is a socket that they are made on.
ON_SOCKETS = ("read", "readv", "write", "writev", "close", "fcntl", "ioctl", "dup", "dup2", "dup3", "sendfile")
STARTS = ("fork", "vfork", "clone", "clone3")
TRACED = ("%net", *ON_SOCKETS, *WAITS[:-1], "restart_syscall", "execve", *STARTS)
UNKNOWN = "?"
RUNTIME = "runc:["  # the engine's own program in a process that is about to be what was asked for
_DESCRIBED = re.compile(r"(-?\d+)<(.*)>", re.DOTALL)
_SOCKET = re.compile(r"([A-Za-z][A-Za-z0-9-]*):\[(.*)\]", re.DOTALL)
_ENDS = re.compile(r"(?:\[([^\]]*)\]|([0-9.]+)):(\d+)")
_PROTOS = {"TCP": "tcp", "UDP": "udp", "PING": "icmp"}
_FAMILIES = {"UNIX": "unix", "NETLINK": "netlink", "PACKET": "packet", "RAW": "raw"}
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_IP4 = re.compile(r'\{sa_family=(AF_INET), sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]*)"\)\}')
_IP6 = re.compile(
    r'\{sa_family=(AF_INET6), sin6_port=htons\((\d+)\), sin6_flowinfo=[^,]*, inet_pton\(AF_INET6, "([^"]*)", [^)]*\)'
    r"(?:, sin6_scope_id=[^}]*)?\}"
)


class Identity(NamedTuple):
    """Whose thread it is: its process, that one's parent, its program."""

    process: int
    parent: int
    program: str


@dataclass
class Socket:
    """What is known of one. `proto` is None for what has no ports, and `family` says then what it is."""

    proto: str | None
    family: str
    local: tuple[str, int] | None = None
    peer: tuple[str, int] | None = None
    inode: int = 0

    def fields(self) -> Fields:
        found: Fields = {"proto": self.proto} if self.proto else {"family": self.family}
        if self.local:
            found["local"] = list(self.local)
        if self.peer:
            found["peer"] = list(self.peer)
        return found


Ends = tuple[tuple[str, int], tuple[str, int] | None]


def is_whole(call: Call) -> bool:
    """False of an execve(2) in the middle of which strace began to follow: it knows what came of it alone."""
    return bool(call.args) and string(call.args[0]) is not None


class Calls:
    """`identify(thread)` says whose a thread is, None where it is gone; `lookup(proto, inode)` asks the kernel for a
    socket's two ends."""

    def __init__(self, identify: Callable[[int], Identity | None], lookup: Callable[[str, int], Ends | None]) -> None:
        self._identify, self._lookup = identify, lookup
        self._who: dict[int, Identity] = {}
        self._sockets: dict[int, dict[int, Socket]] = {}  # by process and descriptor
        self._muted: set[int] = set()  # processes that are still the engine's
        # Connections whose own end isn't known yet: when, the event, whose, which descriptor, and its socket.
        self._waiting: list[tuple[int, Fields, int, int, Socket]] = []

    def events(self, item: Call | Signal | Ended) -> list[tuple[int, Fields]]:
        """What there is to tell now, with the time of each in nanoseconds since the epoch.

        A connect(2) whose socket was gone from the kernel's table before it could be looked up waits for the next call
        on it, of which strace tells both ends, or for its end.
        """
        event = self.event(item)
        out = self._known_now()
        if event and not (isinstance(item, Call) and self._must_wait(item, event)):
            out.append((item.ts, event))
        return out

    def _must_wait(self, call: Call, event: Fields) -> bool:
        if event.get("call") != "connect" or event.get("proto") != "tcp" or event.get("local"):
            return False
        if event["result"] != 0 and event.get("error") != "EINPROGRESS":
            return False
        sock = self._sockets.get(event["pid"], {}).get(event["fd"])
        if sock:
            self._waiting.append((call.ts, event, event["pid"], event["fd"], sock))
        return sock is not None

    def _known_now(self) -> list[tuple[int, Fields]]:
        out, rest = [], []
        for entry in self._waiting:
            moment, event, pid, number, sock = entry
            if sock.local or self._sockets.get(pid, {}).get(number) is not sock:
                out.append((moment, event | sock.fields()))
            else:
                rest.append(entry)
        self._waiting = rest
        return out

    def event(self, item: Call | Signal | Ended) -> Fields | None:
        """The event of it, without its node; None for what is none of anybody's interest."""
        who = self._of(item.pid)
        if isinstance(item, Ended):
            return self._ended(item, who)
        base: Fields = {"ts": stamp(item.ts), "pid": who.process, "program": who.program}
        if item.pid != who.process:
            base["tid"] = item.pid
        if isinstance(item, Signal):
            muted = who.process in self._muted or item.name == "SIGCHLD"
            return None if muted else {**base, "event": "signal", "signal": item.name}
        if item.name == "execve":
            return self._executed(item, who, base)
        if item.name in STARTS:
            self._begun(item, who)
            return None
        if who.process in self._muted:
            return None
        return self._call(item, who, base)

    def _of(self, thread: int) -> Identity:
        if thread not in self._who:
            self._meet_process(thread, self._identify(thread) or Identity(thread, 0, UNKNOWN))
        return self._who[thread]

    def _begun(self, call: Call, parent: Identity) -> None:
        """A call gave a new thread or process; what it prints may be here before, and it may be gone by then."""
        if call.value and call.value > 0 and call.value not in self._who:
            is_thread = any("CLONE_THREAD" in arg for arg in call.args)
            found = parent if is_thread else Identity(call.value, parent.process, parent.program)
            self._meet_process(call.value, found)

    def _meet_process(self, thread: int, found: Identity) -> None:
        self._who[thread] = found
        if found.process not in self._sockets:
            inherited = self._sockets.get(found.parent, {})
            self._sockets[found.process] = {fd: replace(sock) for fd, sock in inherited.items()}
            if found.program.startswith(RUNTIME):
                self._muted.add(found.process)

    def _ended(self, item: Ended, who: Identity) -> Fields | None:
        if item.successor is not None:
            return None  # the process goes on, as another program
        self._who.pop(item.pid, None)
        if item.pid != who.process or who.program == UNKNOWN:
            return None
        self._sockets.pop(who.process, None)
        if who.process in self._muted:
            self._muted.discard(who.process)
            return None
        how = {"signal": item.signal} if item.signal else {"status": item.status}
        shown = {"pid": who.process, "program": who.program, "state": "ended", **how}
        return {"ts": stamp(item.ts), "event": "process", **shown}

    def _executed(self, call: Call, who: Identity, base: Fields) -> Fields | None:
        if call.value != 0:
            return None
        path = string(call.args[0]) if is_whole(call) else None
        name = path[0].decode(errors="replace").rpartition("/")[2][:15] if path else who.program
        # All threads but one are gone, and it has the process's number now.
        self._who = {thread: found for thread, found in self._who.items() if found.process != who.process}
        self._who[who.process] = Identity(who.process, who.parent, name)
        self._muted.discard(who.process)
        self._sockets[who.process] = {}
        base.pop("tid", None)
        command = readable(call.args[1]) if path and len(call.args) > 1 else f'["{name}", ...]'
        return {**base, "event": "process", "program": name, "state": "started", "command": command}

    def _call(self, call: Call, who: Identity, base: Fields) -> Fields | None:
        mine = self._sockets.setdefault(who.process, {})
        number, sock = self._meet(call, mine)
        if call.name in ON_SOCKETS and sock is None:
            return None
        fields: Fields = {"call": call.name, "args": [readable(arg) for arg in call.args]}
        if number is not None:
            fields["args"][0] = str(number)
            fields["fd"] = number
        happened = self._follow(call, number, sock, mine) or sock
        if happened:
            fields |= happened.fields()
        fields |= _other_end(call) | _datagrams(call)
        fields["result"] = call.value
        if call.error:
            fields |= {"error": call.error, "reason": call.words}
        if call.more:
            fields["more"] = readable(call.more)
        if call.duration is not None:
            fields["duration_ns"] = call.duration
        return {**base, "event": "syscall", **fields, **_payload(call)}

    def _meet(self, call: Call, mine: dict[int, Socket]) -> tuple[int | None, Socket | None]:
        """The descriptor that a call is made on, and its socket, with what strace says of it."""
        found = _DESCRIBED.fullmatch(call.args[0]) if call.args else None
        if found is None:
            bare = call.args[0] if call.args and call.name not in ("socket", "socketpair", *WAITS) else ""
            return (int(bare), mine.get(int(bare))) if re.fullmatch(r"-?\d+", bare) else (None, None)
        number, told = int(found[1]), described(found[2])
        if told is None:
            mine.pop(number, None)
            return number, None
        known = mine.get(number)
        if known is None or (known.proto, known.family) != (told.proto, told.family):
            known = mine[number] = told
        elif told.local and told.peer:
            known.local, known.peer = told.local, told.peer
        elif told.local and known.local is None:
            known.local = told.local
        return number, known

    def _follow(self, call: Call, number: int | None, sock: Socket | None, mine: dict[int, Socket]) -> Socket | None:
        """What a call makes of the socket; the new one where it gives one that it is about."""
        if call.value is not None and call.value >= 0 and call.gave:
            new = described(call.gave)
            if new and call.name == "socket":
                mine[call.value] = new
                return new
            if new and call.name in ("accept", "accept4"):
                mine[call.value] = new
                return new
            if sock and call.name in ("dup", "dup2", "dup3", "fcntl"):
                mine[call.value] = sock
        if sock is None:
            return None
        if call.name == "connect" and (call.value == 0 or call.error == "EINPROGRESS"):
            self._connected(sock, address(call.args[1]) if len(call.args) > 1 else None)
        elif (call.name == "bind" and call.value == 0) or (
            call.name in (*SENDS, "sendmmsg") and sock.proto == "udp" and not sock.local
        ):
            self._ask(sock)
        elif call.name == "close" and call.value == 0 and number is not None:
            mine.pop(number, None)
        return None

    def _connected(self, sock: Socket, peer: tuple[str, int] | None) -> None:
        sock.peer = peer or sock.peer
        self._ask(sock)

    def _ask(self, sock: Socket) -> None:
        found = self._lookup(sock.proto, sock.inode) if sock.inode and sock.proto in ("tcp", "udp") else None
        if found:
            sock.local, sock.peer = found[0], found[1] or sock.peer


def described(text: str) -> Socket | None:
    """A descriptor as strace describes it, `TCP:[10.77.0.3:7->10.77.0.4:33596]`; None where it is no socket."""
    found = _SOCKET.fullmatch(text)
    if found is None or found[1] in ("pipe", "anon_inode", "mnt", "net"):
        return None
    kind = found[1].removesuffix("v6")
    proto = _PROTOS.get(kind)
    family = _FAMILIES.get(kind.partition("-")[0], kind.lower())
    inode = int(found[2]) if found[2].isdigit() else 0
    if proto is None:
        return Socket(None, family, inode=inode)
    ends = [(match[1] or match[2], int(match[3])) for match in _ENDS.finditer(found[2])]
    return Socket(proto, proto, ends[0] if ends else None, ends[1] if len(ends) > 1 else None, inode)


def address(text: str) -> tuple[str, int] | None:
    """The address in a sockaddr of IPv4 or IPv6."""
    found = _IP4.search(text) or _IP6.search(text)
    return (found[3], int(found[2])) if found else None


def readable(text: str) -> str:
    """An argument as a person would write it: addresses short, strings in their own letters."""
    text = _IP4.sub(r"{\1, \3:\2}", text)
    text = _IP6.sub(r"{\1, [\3]:\2}", text)
    return _QUOTED.sub(lambda found: quoted(found[0]), text)


def quoted(text: str) -> str:
    """A string of strace's, with UTF-8 as letters; C's escapes for what is none or can't be shown."""
    found = string(text)
    assert found is not None
    out = []
    for character in found[0].decode("utf-8", "surrogateescape"):
        number = ord(character)
        if 0xDC80 <= number <= 0xDCFF:
            out.append(f"\\x{number - 0xDC00:02x}")
        elif character in _SHORT:
            out.append(_SHORT[character])
        elif number < 0x20 or number == 0x7F:
            out.append(f"\\x{number:02x}")
        else:
            out.append(character)
    return f'"{"".join(out)}"'


_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0", '"': '\\"', "\\": "\\\\"}


def _other_end(call: Call) -> Fields:
    """Whom one datagram went to or came from, and what an address is asked for."""
    text = ""
    if call.name in ("sendto", "recvfrom") and len(call.args) > 4:
        text = call.args[4]
    elif call.name in ("connect", "getpeername") and len(call.args) > 1:
        text = call.args[1]
    elif call.name in ("sendmsg", "recvmsg") and len(call.args) > 1:
        text = members(call.args[1]).get("msg_name", "")
    elif call.name in ("bind", "getsockname") and len(call.args) > 1 and call.value == 0:
        found = address(call.args[1])
        # bind(2) to port 0 gets one that the kernel chose.
        return {"local": list(found)} if found and found[1] else {}
    found = address(text)
    return {"peer": list(found)} if found else {}


def _payload(call: Call) -> Fields:
    """The bytes that went or came, as fields of an event."""
    if call.name not in (*SENDS, *RECEIVES) or call.value is None or call.value < 0:
        return {}
    if call.name in ("sendmsg", "recvmsg"):
        vectors = members(call.args[1]).get("msg_iov", "") if len(call.args) > 1 else ""
        data = _gathered(vectors)
    elif call.name in ("readv", "writev"):
        data = _gathered(call.args[1] if len(call.args) > 1 else "")
    else:
        found = string(call.args[1]) if len(call.args) > 1 else None
        data = found[0] if found else b""
    return _bytes(data, call.value)


def _bytes(data: bytes, count: int) -> Fields:
    """So many bytes, of which strace shows the beginning."""
    data = data[:count]
    if count == len(data):
        return journal.payload(data)
    # strace may have cut in the middle of a character: `payload` does not.
    fields = journal.payload(data, max(0, len(data) - 1))
    return {**fields, "bytes": count, "cut": count - len(data) + fields.get("cut", 0)}


def _datagrams(call: Call) -> Fields:
    """Of a call for several: each that went or came with its peer and its bytes; `peer` where all have the same."""
    messages = call.args[1] if len(call.args) > 1 else ""
    if call.name not in MANY or call.value is None or call.value < 0 or not messages.startswith("["):
        return {}
    found = []
    for text in split(messages[1:-1])[: call.value]:  # of those to be sent, the first ones were
        message = members(text)
        header = members(message.get("msg_hdr", ""))
        if not message.get("msg_len", "").isdigit():
            break
        peer = address(header.get("msg_name", ""))
        shown = _bytes(_gathered(header.get("msg_iov", "")), int(message["msg_len"]))
        found.append({"peer": list(peer), **shown} if peer else shown)
    peers = [one.get("peer") for one in found]
    same = {"peer": peers[0]} if found and peers[0] and peers.count(peers[0]) == len(peers) else {}
    return {**same, "bytes": sum(one["bytes"] for one in found), "datagrams": found}


def _gathered(vectors: str) -> bytes:
    """What stands in the buffers of an array of iovec (readv(2)), up to the first that strace cut."""
    out = b""
    for vector in split(vectors[1:-1]) if vectors.startswith("[") else []:
        found = string(members(vector).get("iov_base", ""))
        if found is None:
            break
        out += found[0]
        if found[1]:
            break
    return out


def stamp(moment: int) -> str:
    """Nanoseconds since the epoch as events hold them."""
    seconds, nanoseconds = divmod(moment, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds:09d}Z"
