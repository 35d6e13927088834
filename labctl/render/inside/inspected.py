"""A node's summary: a line for each thing that is known."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from labctl.engine.nodes import PROGRAMS_GATE
from labctl.render.tables import listening
from labctl.render.text import colour_of, paint, printable

if TYPE_CHECKING:
    from labctl.engine.settings import Settings
    from labctl.lab.life.inspecting import Inspected

_MIB = 1024**2


def node(found: Inspected, *, colour: bool) -> str:
    name = found.status.node.name
    head = f"{paint(printable(name), colour_of(name), colour)}  {_state(found)}"
    return "\n".join([head, *(f"  {title:<11} {printable(text)}" for title, text in _facts(found))])


def _state(found: Inspected) -> str:
    details = found.details
    if found.is_over:
        memory = ", out of memory" if details.out_of_memory else ""
        return f"{found.status.state} ({details.exit_code}{memory}) at {_clock(details.finished)}"
    if found.status.node.container.state == "created":
        return "created, and never started"
    return f"{found.status.state} since {_clock(details.started)}"


def _clock(text: str) -> str:
    return f"{text[:10]} {text[11:19]} UTC"


def _facts(found: Inspected) -> Iterator[tuple[str, str]]:
    container, made, details = found.status.node.container, found.settings, found.details
    yield "role", found.status.node.role or "somebody's own program"
    yield "image", container.image
    yield "container", f"{container.name}  {container.id[:12]}"
    command = made.command[1:] if made.command[:1] == (PROGRAMS_GATE,) else made.command
    yield "program", f"{shlex.join(command)}  as user {made.user}"
    if details.error:
        yield "error", details.error
    if made.restart != "no" or details.restarts:
        yield "restarts", f"{details.restarts} so far; policy {made.restart}"
    for name, addresses in container.addresses.items():
        mac = f"  {made.macs[name]}" if name in made.macs else ""
        yield "address", f"{', '.join(addresses) or 'none'}  on {name}{mac}"
    for route in found.routes:
        yield "route", route
    yield "names", ", ".join(sorted({name for names in details.aliases.values() for name in names})) or made.hostname
    yield "listens", listening(found.status.listening)
    for port in found.status.published:
        yield "published", f"{port.place} -> {port.private}/{port.proto}"
    yield "keyboard", "yes" if details.stdin_open else "none"
    yield "limits", _limits(found)
    yield "rights", _rights(made)
    for mount in made.mounts:
        source = f"{mount.source} at " if mount.source else ""
        yield "files", f"{mount.kind} {source}{mount.target}{'' if mount.writable else ', read-only'}"
    if container.health:
        yield "health", container.health
    if found.topology:
        title = f" ({found.title})" if found.title else ""
        yield "topology", f"{found.topology}{title}, service {found.service}"
    if found.helpers:
        yield "helpers", ", ".join(found.helpers)


def _limits(found: Inspected) -> str:
    made, processes = found.settings, found.details.processes
    parts = [f"memory {made.memory / _MIB:g} MiB"] if made.memory else []
    parts += [f"processors {made.cpus:g}"] if made.cpus else []
    parts += [f"processes {processes}"] if processes and processes > 0 else []
    return ", ".join(parts) or "none"


def _rights(made: Settings) -> str:
    if made.privileged:
        return "all: it is privileged"
    root = "read-only root" if made.read_only else "writable root"
    capabilities = "no capability" if "ALL" in made.dropped else "Docker's usual capabilities"
    if "ALL" not in made.dropped and made.dropped:
        capabilities += f" without {', '.join(made.dropped)}"
    if made.added:
        capabilities += f" but {', '.join(made.added)}" if "ALL" in made.dropped else f" and {', '.join(made.added)}"
    return f"{root}, {capabilities}"
