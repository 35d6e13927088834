"""The sign that tells nodes which wait for it that they may begin (labnode/gate.py): the loopback interface's alias.

A name that a program of the node could take for itself, such as that of an abstract socket, would not do: these belong
to the network namespace, too.
"""

import subprocess

from labnode import gate

_LIMIT = 10  # seconds


def give(word: str) -> None:
    """Says that what `word` names is there. Raises OSError."""
    _set(f"{gate.SIGN} {word}")


def take_back(word: str) -> None:
    """Says it no more, unless somebody else has said something since. Raises OSError."""
    if gate.sign() == f"{gate.SIGN} {word}":
        _set("")


def _set(text: str) -> None:
    command = ["ip", "link", "set", "dev", "lo", "alias", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
    if done.returncode:
        raise OSError(95, f"ip link: {done.stderr.strip() or 'failed'}")  # EOPNOTSUPP
