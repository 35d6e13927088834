"""The roles that nodes have, and the words by which something is done to such a node."""

from __future__ import annotations

from labctl.lab import roles
from labctl.named import NamedTuple


class Verb(NamedTuple):
    """What types a text at a node of a role, which `Node.send(..., role=role)` does."""

    role: str
    name: str
    help: str


def groups() -> dict[str, str]:
    """The words under which what a role can do stands together, with what it is for; "" where nothing does."""
    return dict(roles.FILES)


def verbs(group: str) -> tuple[Verb, ...]:
    """What of a group needs no more than a node and a text."""
    found = roles.in_file(group)
    return tuple(Verb(role.word, role.typing.name, role.typing.help) for role in found if role.typing)
