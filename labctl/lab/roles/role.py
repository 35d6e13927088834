"""What a role is to labctl: its words, its commands, its events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from labctl.errors import LabError
from labctl.named import NamedTuple

if TYPE_CHECKING:
    from labctl.engine.model import Engine
    from labctl.lab.keyboard.delivery import Delivery
    from labctl.lab.model import Lab

# An event's way between the node's own address and the other end's; "" where it has none.
Arrow = Literal["->", "<-", ""]
# `act(engine, lab, node, text, timeout)`, in seconds: types a text at a node and gives what came of it.
Typing = Callable[["Engine", "Lab", str, str, float], "Delivery"]

# `sends(engine, lab, node, text, to=..., timeout=...)`: the same; `to` is whom it is for, where the role's program
# can be told that. None where the text is for the node itself, and nobody answers.
Sending = Callable[..., "Delivery | None"]


class Command(NamedTuple):
    """`labctl GROUP NAME NODE TEXT`, of which labctl needs no more than what it calls."""

    name: str
    help: str
    act: Typing


class Role(NamedTuple):
    """`word` is the role in labels, tables and JSON; `called` what a sentence says of such a node.

    `events` are those that its program writes beside all nodes' (labctl.lab.roles.EVENTS). One of `outcomes` says what
    came of a typed line. `commands` are written by hand in labctl/cli, or made of `typing` where there is no more to it
    than that. `sends` is what `Node.send` does where a `typing` is not enough. What `forwards` is between others: a
    ladder is of these, and its address may stand for theirs.
    """

    word: str
    called: str
    commands: tuple[str, ...] = ()
    events: Mapping[str, Arrow] = {}
    outcomes: tuple[str, ...] = ()
    typing: Command | None = None
    sends: Sending | None = None
    forwards: bool = False

    @property
    def sending(self) -> Sending | None:
        """How a text is sent from a node of the role; None where none can be."""
        return self.sends or (self._typed if self.typing else None)

    def _typed(
        self, engine: Engine, lab: Lab, name: str, text: str, *, to: str | None, timeout: float
    ) -> Delivery | None:
        assert self.typing
        if to is not None:
            raise no_choice(self, name)
        return self.typing.act(engine, lab, name, text, timeout)


def no_choice(role: Role, name: str) -> LabError:
    """The error for a node that was told whom a text is for, and can't choose."""
    return LabError("bad-option", option="to", why=f"{name} is {role.called}, which can't choose whom it sends to")
