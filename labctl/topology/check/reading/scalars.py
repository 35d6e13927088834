"""How one unquoted word is read: by Compose (Go's yaml.v3: YAML 1.2 with some of 1.1), and by readers of YAML 1.1."""

from __future__ import annotations

import re
from typing import Literal

from labctl.topology.check.reading.source import Scalar

Type = Literal["null", "bool", "int", "float", "date", "str"]

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true", "True", "TRUE", "false", "False", "FALSE"}
_OLD_BOOL = re.compile(r"y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF")
_INT = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([Tt]|[ ]+)?(\d{1,2}:\d{1,2}:\d{1,2}(\.\d*)?)?[ ]*(Z|[-+]\d{1,2}(:\d\d)?)?")
_SIXTIES = re.compile(r"[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+")
_LONGEST = 64  # characters of what can be a number that anybody meant

WORDS = {"null": "empty", "bool": "a boolean", "int": "a number", "float": "a number", "date": "a date", "str": "text"}


def type_of(scalar: Scalar) -> Type:
    """What Compose takes the scalar for."""
    text = scalar.text
    if not scalar.plain:
        return "str"
    if text in _NULL:
        return "null"
    if text in _BOOL:
        return "bool"
    if len(text) > _LONGEST:
        return "str"
    bare = text.replace("_", "")
    if text[0] in "0123456789+-." and bare:
        if _INT.fullmatch(bare):
            return "int"
        if _FLOAT.fullmatch(bare) or _SPECIAL.fullmatch(bare):
            return "float"
        if _DATE.fullmatch(text):
            return "date"
    return "str"


def number(text: str) -> int:
    """The value of what is an `int` to Compose."""
    bare = text.replace("_", "").lower()
    sign, digits = (-1, bare[1:]) if bare.startswith("-") else (1, bare.removeprefix("+"))
    for prefix, base in (("0x", 16), ("0o", 8), ("0b", 2)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base)
    return sign * int(digits, 8 if len(digits) > 1 and digits[0] == "0" else 10)


def rewritten(scalar: Scalar) -> str:
    """The text that Compose makes of a scalar where text is wanted and other types are taken (`environment`)."""
    kind = type_of(scalar)
    if kind == "int":
        return str(number(scalar.text))
    if kind == "float" and not _SPECIAL.fullmatch(scalar.text):
        value = float(scalar.text.replace("_", ""))
        return str(int(value)) if abs(value) < 1e21 and value == int(value) else repr(value)
    if kind == "date":
        parts = scalar.text.split("-")
        plain = len(parts) == 3 and parts[2].isdigit()
        return f"{parts[0]}-{parts[1]:0>2}-{parts[2]:0>2} 00:00:00 +0000 UTC" if plain else f"{scalar.text} +0000 UTC"
    return scalar.text


def is_old_boolean(scalar: Scalar) -> bool:
    """A boolean to YAML 1.1 only."""
    return scalar.plain and bool(_OLD_BOOL.fullmatch(scalar.text))


def sixties(scalar: Scalar) -> int | None:
    """The number that YAML 1.1 reads from `22:22`."""
    if not scalar.plain or len(scalar.text) > _LONGEST or not _SIXTIES.fullmatch(scalar.text):
        return None
    value = 0
    for part in scalar.text.lstrip("+-").replace("_", "").split(":"):
        value = value * 60 + int(part)
    return -value if scalar.text.startswith("-") else value
