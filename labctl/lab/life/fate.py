"""What became of a node that a failure is about: it may have ended, and then that is what there is to say."""

from __future__ import annotations

import re
from contextlib import suppress

from labctl.engine.model import COMPOSE_SERVICE, Engine
from labctl.errors import (
    CommandLeft,
    EngineRefused,
    LabError,
    LineError,
    NodeStopped,
    NoPartner,
    ProbeError,
    ReachError,
)
from labctl.lab.model import Lab, Node, find, plain

# What may come of it that a node has ended: names that nobody knows, addresses that nobody answers at.
MAY_BE_ITS_END = (LineError, ReachError, NodeStopped, CommandLeft, EngineRefused, ProbeError)
_OURS = ("mend", "near", "seen", "code")  # values that are labctl's own words
# Values that name nodes, or what is at them. The others are sentences, in which any word may be a node's name by chance
# (`a`, `server`): there it is meant where a colon or an 's is behind it.
_NAMES = ("node", "nodes", "name", "peer", "target", "server", "url", "about")
_MEANT = re.compile(r"([\w.-]+)(?::|'s\b)")
_WORD = re.compile(r"[\w.:-]+")
_COMMAND = re.compile(r"`([^`]+)`")


def told(engine: Engine, lab: Lab, problem: LabError) -> LabError:
    """The same error, which begins with what became of the nodes that it is about, where any of them has ended.

    `lab` is as it was when the command began. Raises nothing.
    """
    ended: list[Node] = []
    if isinstance(problem, MAY_BE_ITS_END):
        with suppress(LabError):
            ended = _ended(engine, lab, find(engine, lab.name), problem)
    if ended:
        problem.message = f"{'; '.join(f'{node.name} {node.condition}' for node in ended)}; {problem.message}"
        hints = [str(node.does_not_run("").values["mend"]) for node in ended]
        problem.hint = "; ".join([*hints, *_not_said(problem.hint, hints)])
    return problem


def _not_said(hint: str, before: list[str]) -> list[str]:
    """The parts of a hint but for those whose commands stand in others already."""
    said = {command for other in before for command in _COMMAND.findall(other)}
    parts = [part for part in hint.split("; ") if part]
    return [part for part in parts if not (found := set(_COMMAND.findall(part))) or found - said]


def _ended(engine: Engine, before: Lab, now: Lab, problem: LabError) -> list[Node]:
    """The nodes that a failure names, by a name or an address, and that don't run any more."""
    texts = {key: text for key, text in problem.values.items() if isinstance(text, str) and key not in _OURS}
    if "url" in texts:
        texts["url"] = texts["url"].partition("://")[2].partition("/")[0]
    words = {key: {part for word in _WORD.findall(text) for part in _readings(word)} for key, text in texts.items()}
    every = set().union(*words.values())
    names = set().union(*(words[key] for key in words if key in _NAMES))
    names |= {name for key, text in texts.items() if key not in _NAMES for name in _MEANT.findall(text)}
    names |= {node.name for word in every if (host := before.owner(word)) for node in before.members(host)}
    names |= {node.name for node in before.nodes if node.container.id in every or node.container.name in every}
    if isinstance(problem, NoPartner):
        from labctl.lab.roles.chat import CHAT

        names |= {node.name for node in now.nodes if node.role == CHAT.word}
    alive = {_service(node) for node in now.nodes if node.is_running}
    gone = [node for node in now.nodes if node.container.state not in ("running", "paused")]
    return [
        node
        for node in gone
        if node.name in names or _service(node) in names - alive or _addresses(engine, node) & set(map(plain, every))
    ]


def _addresses(engine: Engine, node: Node) -> set[str]:
    """What a node that has ended will be at again: the engine's list shows none then."""
    with suppress(LabError):  # it is being removed
        return set(map(plain, engine.details(node.container.id).fixed))
    return set()


def _readings(word: str) -> set[str]:
    """What a word may be: `web:8080` is a host and a port, `fd77::5` is an address, `web.` ends a sentence."""
    bare = word.strip(".:")
    return {bare, bare.rpartition(":")[0] or bare, bare.partition(":")[0]}


def _service(node: Node) -> str:
    """The name that the engine's name server knows all containers of a scaled service by."""
    return node.container.labels.get(COMPOSE_SERVICE, node.name)
