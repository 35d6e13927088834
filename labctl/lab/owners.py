"""Whose lab it is, and what it was made from: labels on all that labctl makes say both.

Several people may share one engine. What one of them made, another one's labctl neither changes nor removes unless told
to. A lab without such labels (an older labctl made it) is everybody's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from labctl.engine.model import LABEL_OWNER, LABEL_PROBE, LABEL_TOPOLOGY, Container, Engine
from labctl.errors import LabError
from labctl.named import NamedTuple

_LABEL = re.compile(r"(?P<uid>[0-9]{1,10})@(?P<host>[^/]*)/(?P<user>.+)")


class Owner(NamedTuple):
    """A user of a machine, from which labctl was run; not always the one that the engine is on."""

    uid: int
    host: str
    user: str

    def __str__(self) -> str:
        """As the label has it."""
        return f"{self.uid}@{self.host}/{self.user}"

    @property
    def shown(self) -> str:
        return f"{self.user}@{self.host}" if self.host else self.user

    def as_json(self) -> dict[str, Any]:
        return {"user": self.user, "uid": self.uid, "host": self.host}


class Standing(NamedTuple):
    """What there is of a lab: whose it is, and the name or the file of its topology; empty where that isn't known."""

    owner: Owner | None = None
    origin: str = ""


NOBODYS = Standing()


def me() -> Owner:
    return Owner(os.getuid(), os.uname().nodename, user_name())


def user_name() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user often has none
        return str(os.getuid())


def read(labels: Mapping[str, str]) -> Owner | None:
    found = _LABEL.fullmatch(labels.get(LABEL_OWNER, ""))
    return Owner(int(found["uid"]), found["host"], found["user"]) if found else None


def is_mine(engine: Engine, owner: Owner | None) -> bool:
    """Whether it is the caller, or nobody. A machine may get another name, and a folder with the engine's socket may be
    mounted into a container: on the engine's own machine the user counts alone."""
    if owner is None:
        return True
    if owner.uid != os.getuid():
        return False
    return owner.host == os.uname().nodename or (engine.is_local and owner.user == user_name())


def standing(labelled: Iterable[Mapping[str, str]]) -> Standing | None:
    """What the labels of a lab's containers, networks and volumes say; None where there are none.

    A helper is of whoever looked, which need not be whose lab it is: it counts only where nothing else is left.
    """
    found = sorted(labelled, key=lambda labels: LABEL_PROBE in labels)
    if not found:
        return None
    told = next((labels for labels in found if LABEL_OWNER in labels), found[0])
    return Standing(read(told), told.get(LABEL_TOPOLOGY, ""))


def same(engine: Engine, containers: Iterable[Container]) -> Owner | None:
    """Whose a lab's containers are, where that is the caller."""
    found = standing(item.labels for item in containers)
    return found.owner if found and is_mine(engine, found.owner) else None


def refuse_anothers(engine: Engine, lab: str, there: Standing | None, mend: str) -> None:
    """Raises LabError `lab-of-another`."""
    if there and there.owner and not is_mine(engine, there.owner):
        made = f", made from {there.origin}" if there.origin else ""
        raise LabError("lab-of-another", lab=lab, owner=there.owner.shown, made=made, mend=mend)


def own_name(lab: str) -> str:
    """A lab's name with the caller's behind it: for one whose plain name somebody else has."""
    user = re.sub(r"[^a-z0-9_-]", "", user_name().lower()) or str(os.getuid())
    return f"{lab}-{user}"
