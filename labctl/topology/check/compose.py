"""Where in the file Compose's own complaint belongs, and whether it says what is known already."""

from __future__ import annotations

import pathlib
import re
from collections import abc
from collections.abc import Iterable

from labctl.topology.check.kinds import Trait
from labctl.topology.check.problems import Path, Place, Problem, Problems
from labctl.topology.check.reading.shapes import is_known
from labctl.topology.check.reading.source import Mapping, Scalar, Sequence, Source, Value

# Compiled where one is needed, which `re` keeps: few commands need any.
_LINE = r"\bline (\d+)\b"
_OWNER = r'\b(service|network|volume|secret|config) "?([A-Za-z0-9._-]+)"?'
_DOTTED = r"\b(services|networks|volumes|secrets|configs|include|x-labctl)((?:[.\[][^\s:,'\"]*)?)"
_INSIDE = r"\bservice\.([a-z_]+(?:\.[a-z_]+)*)"
_UNKNOWN = r"Additional property (.+) is not allowed"
_SECTIONS = {key: f"{key}s" for key in ("service", "network", "volume", "secret", "config")}
_CYCLE = r"cycle detected: ([A-Za-z0-9._-]+)"
_NOISE = {"services", "networks", "volumes", "must", "not", "allowed", "invalid", "compose", "project", "service"}


def add_complaint(
    source: Source, why: str, files: abc.Sequence[pathlib.Path], found: Problems, version: str = ""
) -> None:
    """Adds what Compose said, unless one of the problems found says it already. `version` is Compose's."""
    said = _tidy(why, files[0].parent)
    path, place = locate(source, said, _named(why, files))
    unknown = re.search(_UNKNOWN, said)
    if unknown and is_known(path, unknown[1]):
        found.add("compose-too-old", path, place, key=unknown[1], version=version or "here")
        return
    if any(_same(problem, said, path, place) for problem in found if problem.level == "error"):
        return
    dotted = ".".join(map(str, path)) + " "  # the message begins with the same in words
    found.add("compose", path, place, why=said.replace(dotted, "") if len(path) > 1 else said)


def _named(why: str, files: abc.Sequence[pathlib.Path]) -> int | None:
    """Which of several files the sentence names."""
    named = [number for number, file in enumerate(files) if re.search(re.escape(str(file)) + r"(?![\w.-])", why)]
    return named[0] if len(files) > 1 and len(named) == 1 else None


def _tidy(why: str, folder: pathlib.Path) -> str:
    text = re.sub(r"^validating \S*?: ", "", why).removesuffix(": invalid compose project")
    return text.replace(f"{folder}/", "").strip()


def locate(whole: Source, said: str, file: int | None = None) -> tuple[Path, Place]:
    """The path and the place that a sentence of Compose's names; the top of the file where it names none. `file` is
    which of several files it names."""
    source = whole if file is None else Source(whole.parts[file], parts=(whole.parts[file],))
    line = re.search(_LINE, said)
    if line:
        return (), Place(int(line[1]), 1, file or 0)
    best: Path = ()
    for section, rest in re.findall(_DOTTED, said):
        path = _follow(source, section, rest)
        best = max(best, path, key=len)
    if len(best) < 2:
        cycle = re.search(_CYCLE, said)
        for what, name in [*re.findall(_OWNER, said), *([("service", cycle[1])] if cycle else [])]:
            if name in source.section(_SECTIONS[what]):
                best = (_SECTIONS[what], name)
                break
    if len(best) < 2:
        best = _inside(source, said) or best
    if not best:
        holder = _holder(source, said)
        if holder:
            return holder[0], holder[1].place
        elif "include" in source.root.entries and file is None:
            best = ("include",)  # of a file that labctl doesn't read
    unknown = re.search(_UNKNOWN, said)
    return best, source.place((*best, unknown[1]) if unknown else best, key=True)


def _holder(source: Source, said: str) -> tuple[Path, Scalar] | None:
    """The value that is a word of the sentence: the name of a file, mostly."""
    words = {word for word in said.split() if len(word) > 3}
    words |= {word.rstrip(":,;.").strip("\"'") for word in words}
    return next(((path, value) for path, value in source.walk() if value.text.removeprefix("./") in words), None)


def _inside(source: Source, said: str) -> Path:
    """`service.build.platforms` names no service: the first one that has it, one with the value in quotes before."""
    dotted = re.search(_INSIDE, said)
    if not dotted:
        return ()
    steps = dotted[1].split(".")
    paths: list[Path] = [("services", name, *steps) for name in source.section("services")]
    fits = [path for path in paths if source.find(path)[2] == len(path)]
    quoted = set(re.findall(r'"([^"]+)"', said))
    holds = {path[:2] for path, value in source.walk() if value.text in quoted}
    return next((path for path in fits if path[:2] in holds), fits[0] if fits else ())


def _follow(source: Source, section: str, rest: str) -> Path:
    """The longest path in the file that dotted words lead along. Names may hold dots themselves."""
    entry = source.root.entries.get(section)
    path: Path = (section,) if entry else ()
    value: Value | None = entry.value if entry else None
    rest = rest.lstrip(".")
    while value is not None and rest:
        step, value, rest = _step(value, rest)
        if step is None:
            break
        path = (*path, step)
    return path


def _step(value: Value, rest: str) -> tuple[str | int | None, Value | None, str]:
    bare = rest.lstrip("[.")
    if isinstance(value, Mapping):
        fits = [name for name in value.entries if re.match(re.escape(name) + r"(?![A-Za-z0-9_-])", bare)]
        if fits:
            name = max(fits, key=len)
            return name, value.entries[name].value, bare[len(name) :].lstrip("].")
    elif isinstance(value, Sequence):
        found = re.match(r"(\d{1,6})", bare)
        if found and int(found[1]) < len(value.items):
            return int(found[1]), value.items[int(found[1])], bare[found.end() :].lstrip("].")
    return None, None, ""


def _same(problem: Problem, said: str, path: Path, place: Place) -> bool:
    """Told already: at the same place, or about the same thing with the same words."""
    if any(words in said for words in problem.kind.compose):
        return True
    if problem.place and (path or re.search(_UNKNOWN, said)) and problem.place == place:
        return True
    if path and problem.path == path and problem.has(Trait.TYPE):
        return True
    if problem.place and not path and re.search(_LINE, said) and problem.place.line == place.line:
        return True
    inside = problem.path[: len(path)] == path or path[: len(problem.path)] == problem.path
    words = set(_words(said)) - set(map(str, path)) - _NOISE
    heard = set(_words(problem.message))
    return inside and bool(words & heard) and (bool(path) or bool(words & heard & set(_values(said))))


def _words(text: str) -> Iterable[str]:
    return (word.strip("-.:") for word in re.findall(r"[\w./:-]+", text))


def _values(text: str) -> Iterable[str]:
    """Words that can hardly stand in two sentences by chance: numbers, addresses, names in quotes."""
    return [word for word in _words(text) if any(character.isdigit() for character in word)] + re.findall(
        r'"([^"]+)"', text
    )
