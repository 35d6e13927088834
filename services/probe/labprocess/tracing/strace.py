"""What strace(1) prints, taken apart: lines of `strace -f -yy -o`, with times in nanoseconds, to calls.

A call that another one's line interrupts comes in two halves, `<unfinished ...>` and `<... resumed>`; here they are one
again. Nothing is opened or read: lines in, calls out.
"""

import re
from typing import NamedTuple

# What strace is started with, so that its output is as it is read here; then -p and the processes.
OPTIONS = ("-f", "-yy", "-s", "256", "--absolute-timestamps=format:unix,precision:ns", "--syscall-times=ns")
_HEAD = re.compile(r"(\d+) +(\d+)\.(\d{9}) (.*)", re.DOTALL)
_RESULT = re.compile(
    r"(?P<args>.*)\)\s+= (?P<value>-?\d+|0x[0-9a-f]+|\?)(?P<fd><.*?>)?(?: (?P<error>E[A-Z0-9_]+) \((?P<words>[^()]*)"
    r"(?:\([^()]*\))?[^()]*\))?(?: \((?P<more>.*)\))?(?: <(?P<seconds>\d+)\.(?P<fraction>\d{9})>)?$",
    re.DOTALL,
)
_BEGIN = re.compile(r"(\w+)\(", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_INTERRUPTED = re.compile(r" *<(?:unfinished|detached|pid changed to \d+) \.\.\.>$")
_NEVER = re.compile(r" *<unfinished \.\.\.>\) += \?$")  # the thread ended in it
_SIGNAL = re.compile(r"--- (?:stopped by )?(SIG\w+)")
_ENDED = re.compile(r"\+\+\+ (?:exited with (\d+)|killed by (SIG\w+)|(superseded) by execve in pid (\d+))")
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9a-f]{2})|(.))", re.DOTALL)
_LETTERS = {"n": 10, "t": 9, "r": 13, "v": 11, "f": 12, "a": 7, "b": 8, "e": 27}
_OPEN, _CLOSE = "([{", ")]}"


class Call(NamedTuple):
    """One system call. `ts` is when it was made, `duration` how long it took, in nanoseconds (None where strace could
    not see it end). `value` is None where it never returned, `gave` says which descriptor it gave."""

    pid: int
    ts: int
    name: str
    args: list[str]
    value: int | None
    gave: str = ""
    error: str = ""
    words: str = ""
    more: str = ""
    duration: int | None = None


class Signal(NamedTuple):
    pid: int
    ts: int
    name: str


class Ended(NamedTuple):
    """A thread or process that is over: by exit(2) with a `status`, by a signal, or by execve(2) in another thread of
    its process (`successor`)."""

    pid: int
    ts: int
    status: int | None
    signal: str = ""
    successor: int | None = None


class Reader:
    """Joins the halves of calls. One for each strace."""

    def __init__(self) -> None:
        self._begun: dict[int, tuple[int, str, str]] = {}  # pid: (ts, call, the first half of its arguments)

    def feed(self, line: str) -> Call | Signal | Ended | None:
        """What a line says; None for the first half of a call, and for what is no line of a trace."""
        head = _HEAD.fullmatch(line)
        if head is None:
            return None
        pid, ts, rest = int(head[1]), int(head[2]) * 1_000_000_000 + int(head[3]), head[4]
        if rest.startswith("<... "):
            resumed = _RESUMED.fullmatch(rest)
            begun = self._begun.pop(pid, None)
            # One of which the beginning was not seen can't be told: what it was called with is not known.
            return _call(pid, begun[0], begun[1], begun[2] + resumed[2]) if resumed and begun else None
        if rest.startswith("--- "):
            signal = _SIGNAL.match(rest)
            return Signal(pid, ts, signal[1]) if signal else None
        if rest.startswith("+++ "):
            return self._ended(pid, ts, rest)
        begin = _BEGIN.match(rest)
        if begin is None:
            return None
        half, interrupted = _INTERRUPTED.subn("", rest[begin.end() :])
        if interrupted:
            self._begun[pid] = (ts, begin[1], half)
            return None
        return _call(pid, ts, begin[1], half)

    def _ended(self, pid: int, ts: int, text: str) -> Ended | None:
        found = _ENDED.match(text)
        self._begun.pop(pid, None)
        if found is None:
            return None
        if found[3]:
            if int(found[4]) in self._begun:
                self._begun[pid] = self._begun.pop(int(found[4]))  # its execve(2) is resumed under this number
            return Ended(pid, ts, None, successor=int(found[4]))
        return Ended(pid, ts, int(found[1]) if found[1] else None, found[2] or "")


def _call(pid: int, ts: int, name: str, text: str) -> Call | None:
    """Of what stands behind the opening parenthesis."""
    found = _RESULT.fullmatch(_NEVER.sub(") = ?", text))
    if found is None:
        return None
    value = None if found["value"] == "?" else int(found["value"], 0)
    duration = int(found["seconds"]) * 1_000_000_000 + int(found["fraction"]) if found["seconds"] else None
    return Call(
        pid,
        ts,
        name,
        split(found["args"]),
        value,
        (found["fd"] or "")[1:-1],
        found["error"] or "",
        found["words"] or "",
        found["more"] or "",
        duration,
    )


def split(text: str) -> list[str]:
    """The parts between commas that stand in no string, bracket or description of a descriptor."""
    parts, depth, start, at = [], 0, 0, 0
    while at < len(text):
        character = text[at]
        if character == '"':
            at = _string_end(text, at)
        elif character == "<" and at and text[at - 1].isdigit() and text[at + 1 : at + 2] != "<":
            at = _description_end(text, at)
        elif character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
        at += 1
    last = text[start:].strip()
    return [*parts, last] if last or parts else []


def _string_end(text: str, at: int) -> int:
    at += 1
    while at < len(text) and text[at] != '"':
        at += 2 if text[at] == "\\" else 1
    return at


def _description_end(text: str, at: int) -> int:
    """Of `5<TCP:[a->b]>`: strace escapes what would end a path too soon, so only an arrow's `>` is none."""
    at += 1
    while at < len(text) and (text[at] != ">" or text[at - 1] == "-"):
        at += 1
    return at


def string(text: str) -> tuple[bytes, bool] | None:
    """The bytes of a string as strace writes it, and whether it was cut; None for what is no string (an address)."""
    cut = text.endswith("...")
    inner = text.removesuffix("...")
    if len(inner) < 2 or inner[0] != '"' or inner[-1] != '"':
        return None
    out, last = bytearray(), 0
    inner = inner[1:-1]
    for found in _ESCAPE.finditer(inner):
        out += inner[last : found.start()].encode()
        last = found.end()
        if found[1]:
            out.append(int(found[1], 8) & 0xFF)
        elif found[2]:
            out.append(int(found[2], 16))
        else:
            out += bytes([_LETTERS[found[3]]]) if found[3] in _LETTERS else found[3].encode()
    return bytes(out + inner[last:].encode()), cut


def members(text: str) -> dict[str, str]:
    """`{a=1, b={...}}` as its parts; `[128 => 16]` and `{...} => {...}` are none."""
    found = {}
    if text.startswith("{") and text.endswith("}"):
        for part in split(text[1:-1]):
            key, equals, value = part.partition("=")
            if equals:
                found[key] = value
            elif part.startswith("inet_pton("):
                found["sin6_addr"] = part
    return found
