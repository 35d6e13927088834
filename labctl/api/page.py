"""The reference at the end of docs/api.md: `python -m labctl.api.page` writes it anew, from what the code says."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import labctl
from labctl.errors import LabError

MARK = "## Reference\n"
# What these functions and classes give, or are called with, that has no name in `labctl` itself: where it stands.
GIVEN = {
    "labctl.api.results.xray": ("XRay",),
    "labctl.bundle.diff": ("Difference",),
    "labctl.bundle.model": ("Input",),
    "labctl.engine.memory": ("Execution", "MemoryContainer"),
    "labctl.engine.model": ("Container", "Listening", "Port", "Process"),
    "labctl.lab.faults.rules": ("Applied",),
    "labctl.lab.faults.spec": ("RuleSpec",),
    "labctl.lab.inside.archives": ("Carried",),
    "labctl.lab.inside.top": ("Running",),
    "labctl.lab.life.doctor": ("Finding",),
    "labctl.lab.life.inspecting": ("Inspected",),
    "labctl.lab.life.plan": ("Plan", "PlannedNetwork", "PlannedNode"),
    "labctl.lab.machines.finding": ("Finding",),
    "labctl.lab.machines.swarm": ("Joined",),
    "labctl.lab.owners": ("Owner",),
    "labctl.lab.processes.syscalls": ("Recording",),
    "labctl.lab.reach.dns": ("Lookup",),
    "labctl.lab.reach.ping": ("Answer", "Asked", "Summary"),
    "labctl.lab.reach.route": ("Chosen", "Entry", "Hop"),
    "labctl.lab.reach.speed": ("Asked", "Measured"),
    "labctl.lab.recording.capture": ("Capture", "Seen"),
    "labctl.lab.recording.following": ("Step",),
    "labctl.lab.validate": ("Report",),
    "labctl.packets.crossings": ("Verdict",),
    "labctl.packets.ladder.ladder": ("Arrow",),
    "labctl.packets.model": ("Packet",),
    "labctl.render.xray": ("Moment",),
    "labctl.topology.check.problems": ("Problem",),
}


def reference() -> str:
    """Every public name: functions first, then classes, each with what it has. Errors have a page of their own."""
    names = [name for name in labctl.__all__ if name != "__version__"]
    found = {name: getattr(labctl, name) for name in names}
    functions = [name for name in names if inspect.isfunction(found[name])]
    values = [name for name in names if inspect.isclass(found[name]) and not issubclass(found[name], LabError)]
    parts = [
        MARK,
        "Written from the code. A `FilePath` is a text or an os.PathLike, `Since` a text, a datetime or a timedelta, "
        "`Family` 4 or 6; errors are on [a page of their own](errors.md).\n",
    ]
    parts += [_entry(f"### {name}", name, found[name]) for name in functions]
    parts += ["\n".join(_class(name, found[name])) for name in values]
    parts += [
        "## What the results are made of\n",
        "These come out of the functions and classes above. Nobody makes them or needs to import them; the module is "
        "where they stand.\n",
    ]
    given = sorted((name, module) for module, names in GIVEN.items() for name in names)
    parts += ["\n".join(_class(name, getattr(importlib.import_module(at), name), at)) for name, at in given]
    return "\n".join(parts)


def _entry(heading: str, name: str, what: object) -> str:
    return f"{heading}\n\n    {name}{_signature(what)}\n\n{_prose(what)}\n"


def _class(name: str, what: type, module: str = "") -> Iterator[str]:
    yield f"### {name}{f' ({module})' if module else ''}\n\n{_prose(what)}\n"
    fields = [one.name for one in dataclasses.fields(what)] if dataclasses.is_dataclass(what) else _columns(what)
    if fields:
        yield f"Fields: {', '.join(f'`{field}`' for field in fields)}.\n"
    members = {key: value for base in reversed(what.__mro__[:-1]) for key, value in vars(base).items()}
    for key, value in members.items():
        if key.startswith("_") or not (value.__doc__ and (inspect.isfunction(value) or isinstance(value, property))):
            continue
        if isinstance(value, property):
            yield f"- `{key}`: {_prose(value)}"
        else:
            yield f"- `{key}{_signature(value)}`: {_prose(value)}"
    yield ""


def _columns(what: type) -> tuple[str, ...]:
    """The fields of a named tuple; of anything else none."""
    found: tuple[str, ...] = getattr(what, "_fields", ())
    return found


def _signature(what: object) -> str:
    """As the code has it, without `self`, and without the modules of the types."""
    found = inspect.signature(what)  # type: ignore[arg-type]
    shown: list[str] = []
    is_bare = False
    for name, one in found.parameters.items():
        if one.kind is one.KEYWORD_ONLY and not is_bare and "*" not in "".join(shown):
            shown.append("*")
        is_bare = is_bare or one.kind is one.KEYWORD_ONLY
        if name != "self":
            star = "*" if one.kind is one.VAR_POSITIONAL else ""
            default = "" if one.default is one.empty else f" = {_value(one.default)}"
            shown.append(f"{star}{name}: {one.annotation}{default}")
    return f"({', '.join(shown)}) -> {found.return_annotation}"


def _value(default: object) -> str:
    """A default as it is typed; of a function, where its own name says nothing, that there is one."""
    return "..." if inspect.isfunction(default) else repr(default)


def _prose(what: object) -> str:
    """The docstring in one paragraph."""
    return " ".join((inspect.getdoc(what) or "").partition("\n\n>>>")[0].split())


def main() -> None:
    page = Path(__file__).parents[2] / "docs" / "api.md"
    page.write_text(page.read_text().partition(MARK)[0] + reference())


if __name__ == "__main__":
    main()
