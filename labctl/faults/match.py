"""The language that picks packets: `tcp data 1`, `udp every 10`, `tcp syn`, `tcp contains "hi" dport 12345`. No I/O.

    expression = [ "any" | "tcp" | "udp" | "icmp" ] *term
    term       = flag / "data" [ number ] / "datagram" number / "every" number
               / "port" number / "sport" number / "dport" number
               / "contains" string / "size" range
    flag       = "syn" / "ack" / "fin" / "rst" / "psh"
    range      = number / number "-" number / number "-" / "-" number

All terms hold together. A flag says that it is set; `syn` without `ack` means the first SYN alone, as RFC 9293 has it
in a handshake. `data N`, `datagram N` and `every N` count, in each flow and from the rule's beginning, the packets that
all other terms fit. `size` is the whole IP packet's in bytes. docs/faults.md explains it with examples.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from labctl.errors import brief, nearest
from labctl.faults.measures import Malformed

PROTOCOLS = ("any", "tcp", "udp", "icmp")
FLAGS = ("syn", "ack", "fin", "rst", "psh")
COUNTED = ("data", "datagram", "every")
PORTS = ("port", "sport", "dport")
WORDS = (*PROTOCOLS, *FLAGS, *COUNTED, *PORTS, "contains", "size")
HINT = 'write `tcp data 1`, `tcp syn`, `udp every 10` or `tcp contains "hi"`'
LONGEST = 8192  # characters: more than all bytes of a packet take, each with its escape
_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^\s"]+)')
_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0", '"': b'"', "\\": b"\\"}


def parse(text: str) -> dict[str, Any]:
    """What the probe is told (docs/faults.md). Raises Malformed."""
    if len(text) > LONGEST:
        raise Malformed(f"the expression has {len(text)} characters, and {LONGEST} are the most", HINT)
    tokens = _tokens(text)
    if not tokens:
        raise Malformed("the expression is empty: it picks no packet", HINT)
    found: dict[str, Any] = {}
    if tokens[0] in PROTOCOLS:
        proto = tokens.pop(0)
        if proto != "any":
            found["proto"] = proto
    while tokens:
        _term(tokens.pop(0), tokens, found)
    _check(found)
    return found


def written(text: str) -> str:
    """An expression in one line, as it can be typed again: what can't be seen in it stands as its escapes."""
    return "".join(map(_seen, " ".join(_tokens(text))))


def is_counted(found: dict[str, Any]) -> bool:
    """Whether the expression says by itself how many packets it picks of a flow."""
    return "every" in found


def _term(word: str, rest: list[str], found: dict[str, Any]) -> None:
    if word in FLAGS:
        found.setdefault("flags", []).append(word)
    elif word == "data" and not (rest and rest[0].isascii() and rest[0].isdigit()):
        found["data"] = True
    elif word in COUNTED:
        if word == "data":
            found["data"] = True
        if word == "datagram":
            _say(found, "proto", "udp", word)
        _say(found, "every" if word == "every" else "nth", _number(word, rest, 1, 10**9), word)
    elif word in PORTS:
        _say(found, word, _number(word, rest, 1, 65535), word)
    elif word == "contains":
        if not rest:
            raise Malformed("contains: what?", 'write `tcp contains "hi"`')
        _say(found, "contains", base64.b64encode(_unquoted(rest.pop(0))).decode(), word)
    elif word == "size":
        _say(found, "size", _range(rest), word)
    elif word in PROTOCOLS:
        raise Malformed(f"{word} does not stand at the beginning", "begin with the protocol: `tcp data 1`")
    else:
        raise Malformed(f"{brief(word)!r} is no word of a match{nearest(word, WORDS)}", f"there are {', '.join(WORDS)}")


def _say(found: dict[str, Any], key: str, value: Any, word: str) -> None:
    if key in found and found[key] != value:
        raise Malformed(f"{word} contradicts what was said before", "say each thing once")
    found[key] = value


def _check(found: dict[str, Any]) -> None:
    flags = found.get("flags", [])
    proto = found.get("proto")
    if flags and proto not in (None, "tcp"):
        raise Malformed(f"{proto} has no flags such as {flags[0]}", f"write `tcp {' '.join(flags)}`")
    if flags and proto is None:
        found["proto"] = "tcp"
    if "syn" in flags and "ack" not in flags:
        found["without"] = ["ack"]
    if found.get("nth") and found.get("every"):
        raise Malformed("a packet is the Nth or every Nth, not both", "leave one of them out")
    if proto == "icmp" and any(key in found for key in PORTS):
        raise Malformed("icmp has no ports", "leave the port out")


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise Malformed(f"a quotation mark is open in {brief(text)!r}", HINT)
        tokens.append(found[1])
        at = found.end()
    return tokens


def _number(word: str, rest: list[str], least: int, most: int) -> int:
    text = rest.pop(0) if rest else ""
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not least <= int(text) <= most:
        raise Malformed(f"{word} {brief(text) or '?'}: a number from {least} to {most} is wanted", HINT)
    return int(text)


def _range(rest: list[str]) -> list[int]:
    text = rest.pop(0) if rest else ""
    found = re.fullmatch(r"(\d{0,6})(-?)(\d{0,6})", text, re.ASCII)
    if not found or not (found[1] or found[3]) or (found[3] and not found[2]):
        raise Malformed(
            f"size {brief(text) or '?'}: bytes are wanted, or a range of them", "write `size 100-200`, `size 1000-`"
        )
    least = int(found[1] or 0)
    most = int(found[3] or 1 << 20) if found[2] else least
    if least > most:
        raise Malformed(f"size {text}: no packet has from {least} to {most} bytes", "put the smaller number first")
    return [least, most]


def _seen(character: str) -> str:
    if character.isprintable():
        return character
    named = next((f"\\{word}" for word, byte in _ESCAPES.items() if byte == character.encode("utf-8", "replace")), "")
    return named or "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def _unquoted(token: str) -> bytes:
    if not token.startswith('"'):
        return token.encode()

    def escaped(found: re.Match[str]) -> str:
        word = found[1]
        if word.startswith("x"):
            return chr(0xDC00 + int(word[1:], 16)) if int(word[1:], 16) > 127 else chr(int(word[1:], 16))
        if word not in _ESCAPES:
            raise Malformed(f"\\{word} is no escape in {brief(token)}", r"there are \n \r \t \0 \" \\ and \xNN")
        return _ESCAPES[word].decode()

    text = re.sub(r"\\(x[0-9a-fA-F]{2}|.)", escaped, token[1:-1])
    found = text.encode("utf-8", "surrogateescape")
    if not found:
        raise Malformed("contains an empty text: every packet does", 'write `tcp contains "hi"`')
    return found
