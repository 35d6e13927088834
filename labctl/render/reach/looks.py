"""Small looks as text: a line for each echo, a line for each hop, a line for each record of an answer."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.lab.model import Lab
from labctl.lab.reach import ping
from labctl.lab.reach.dns import Lookup, Reply, belongs_to
from labctl.lab.reach.ping import Answer, Asked, Summary
from labctl.lab.reach.probe import owner
from labctl.lab.reach.route import Chosen, Entry, Hop
from labctl.render.cells import laid_out
from labctl.render.text import RED, colour_of, fitted, paint, printable, width

_MS = 1_000_000  # ns


def asked(found: Asked, *, columns: int | None) -> str:
    """`alice -> bob (10.77.0.6)  56 bytes`."""
    ttl = f"  ttl {found.ttl}" if found.ttl else ""
    return _line(f"{found.node} -> {found.target.shown}  {found.size} bytes{ttl}", columns, False, False)


def answer(found: Answer, limit: float, *, columns: int | None, colour: bool) -> str:
    """One line; `limit` in seconds is what an answer had."""
    number = f"{found.seq:>4}  "
    if found.kind == "reply":
        remarks = [word for word in ("again", "late", "damaged") if getattr(found, word)]
        words = {"again": "a duplicate", "late": "too late", "damaged": "with other bytes than were sent"}
        said = (
            f"{milliseconds(found.rtt_ns)}  {found.bytes} bytes from {_at(found.source, found.owner)}  ttl {found.ttl}"
        )
        return _line(number + "  ".join([said, *(words[word] for word in remarks)]), columns, bool(remarks), colour)
    if found.kind == "lost":
        return _line(f"{number}lost: no answer within {limit:g} s", columns, True, colour)
    if found.kind == "error":
        said = f"{milliseconds(found.rtt_ns)}  {_at(found.source, found.owner)} says: {found.why}"
        return _line(number + said, columns, True, colour)
    return _line(f"{number}not sent: {found.why}", columns, True, colour)


def summary_of(answers: Sequence[Answer]) -> str:
    """What answers came to, in a line."""
    return summary(ping.summary(answers))


def summary(found: Summary) -> str:
    counts = f"sent {found.sent}, received {found.received}, lost {found.lost}"
    counts += f", duplicates {found.duplicates}" if found.duplicates else ""
    if not found.times:
        return counts
    average = sum(found.times) / len(found.times)
    return f"{counts}  min {_ms(min(found.times))}, avg {_ms(average)}, max {_ms(max(found.times))} ms"


def chosen(found: Chosen, *, columns: int | None) -> str:
    """Whom the way leads to, and the table's word on it."""
    entry = found.entry
    way = f"via {_at(entry.via, entry.owner)}" if entry.via else "directly: it is on the same network"
    if entry.kind == "local":
        way = "itself: the address is its own"
    source = f", from {entry.source}" if entry.source else ""
    lines = (f"{found.node} -> {found.target.shown}", f"its routing table: {way}, through {entry.device}{source}")
    return "\n".join(_line(line, columns, False, False) for line in lines)


def hop(found: Hop, limit: float, *, columns: int | None, colour: bool) -> str:
    number = f"{found.number:>4}  "
    if not found.source:
        return _line(f"{number}*  no answer within {limit:g} s", columns, True, colour)
    said = f"{number}{milliseconds(found.rtt_ns)}  {_at(found.source, found.owner)}"
    said += f"  says: {found.why}" if found.why else "  is there" if found.reached else ""
    return _line(said, columns, bool(found.why), colour)


def routes(entries: Sequence[Entry], *, columns: int | None, colour: bool) -> str:
    """The routing table: all IPv4 routes, then all IPv6."""
    rows = [
        (
            f"IPv{entry.family}",
            entry.destination if entry.kind == "unicast" else f"{entry.kind} {entry.destination}",
            _at(entry.via, entry.owner) if entry.via else "directly",
            entry.device,
            entry.source or "-",
        )
        for entry in entries
    ]
    return laid_out(("", "DESTINATION", "VIA", "THROUGH", "FROM"), rows, columns, colour)


def names(lab: Lab, found: Lookup, *, columns: int | None, colour: bool) -> str:
    """What /etc/hosts says, then each question with its answers."""
    out = []
    for address, known in found.hosts:
        who = owner(lab, address)
        line = f"/etc/hosts, which comes before DNS: {address}  {' '.join(map(printable, known))}"
        out.append(_named(line, None if who in known else who, columns, colour))
    for reply in found.replies:
        out += _reply(lab, found, reply, columns, colour)
    return "\n".join(out)


def _reply(lab: Lab, looked: Lookup, reply: Reply, columns: int | None, colour: bool) -> list[str]:
    head = f"{reply.type} {printable(reply.name)}?"
    if not reply.message:
        reasons = "; ".join(f"{server}: {why}" for server, why in reply.reasons)
        return [_line(f"{head}  {looked.node} asked {reasons}", columns, True, colour)]
    message = reply.message
    count = len(message.answers)
    result = f"{message.words} ({message.mnemonic})" if message.words else _count(count)
    took = f"{milliseconds(reply.rtt_ns).strip()} by {reply.transport.upper()}"
    out = [
        _line(f"{head}  {looked.node} asked {reply.server}: {result}, in {took}", columns, bool(message.words), colour)
    ]
    for item in message.answers:
        line = f"    {printable(item.name)}  {item.type}  {printable(item.value)}  ttl {item.ttl} s"
        out.append(_named(line, belongs_to(lab, item), columns, colour))
    return out


def _named(text: str, who: str | None, columns: int | None, colour: bool) -> str:
    """A line with, behind it, the node that it leads to."""
    if not who:
        return _line(text, columns, False, colour)
    room = max(1, columns - width(who) - 2) if columns else None
    return f"{_line(text, room, False, colour)}  {paint(who, colour_of(who), colour)}"


def _count(count: int) -> str:
    return "no record of that type" if not count else f"{count} record{'' if count == 1 else 's'}"


def _line(text: str, columns: int | None, trouble: bool, colour: bool) -> str:
    text = printable(text)
    return paint(fitted(text, columns) if columns else text, RED if trouble else None, colour)


def _at(address: str | None, who: str | None) -> str:
    """`bob (10.77.0.6)`, or the address alone of what is no node."""
    return f"{who} ({address})" if who else str(address)


def milliseconds(ns: int | None) -> str:
    """A round trip in a column."""
    return f"{_ms(ns or 0):>8} ms"


def _ms(ns: float) -> str:
    return f"{ns / _MS:.3f}" if ns < 100 * _MS else f"{ns / _MS:.1f}"
