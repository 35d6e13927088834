"""Signals by their names and numbers, the real-time ones among them, as kill(1) of bash and Docker write them."""

from __future__ import annotations

import re
import signal

from labctl.errors import LabError

_REAL_TIME = r"RTMIN\+(\d{1,2})|RTMAX-(\d{1,2})"


def name_of(number: int) -> str:
    """`SIGKILL` of 9, `SIGRTMIN+1` of the second real-time signal; `signal 99` of what is none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        least, last = int(signal.SIGRTMIN), int(signal.SIGRTMAX)  # signal(7)
    if not least < number < last:
        return f"signal {number}"
    middle = least + (last - least) // 2
    return f"SIGRTMIN+{number - least}" if number <= middle else f"SIGRTMAX-{last - number}"


def number_of(text: str) -> int:
    """Of `SIGHUP`, `hup`, `1`, `RTMIN+1`. Raises ValueError."""
    short = text.upper().removeprefix("SIG")
    if short.isdecimal():
        number = int(short) if text.isdecimal() else 0
    elif found := re.fullmatch(_REAL_TIME, short):
        number = signal.SIGRTMIN + int(found[1]) if found[1] else signal.SIGRTMAX - int(found[2])
        number = number if signal.SIGRTMIN <= number <= signal.SIGRTMAX else 0
    else:
        number = next((item.value for item in signal.Signals if item.name == f"SIG{short}"), 0)
    if number not in signal.valid_signals() or not number:
        raise ValueError(text)
    return int(number)


def named(text: str) -> str:
    """`SIGHUP` of `HUP`, `sighup` or `1`; `SIGRTMIN+1` of `rtmin+1` or `35`. Raises LabError `bad-option`."""
    try:
        return name_of(number_of(text))
    except ValueError:
        why = f"{text!r} is no signal; `kill -l` lists them"
        raise LabError("bad-option", option="--signal", why=why) from None
