"""Problems: what was found in a topology's files, each with its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from labctl.named import NamedTuple
from labctl.topology.check.kinds import KINDS, Kind, Level, Trait

Path = tuple[str | int, ...]


NEAR_LIMIT = 300


class Place(NamedTuple):
    """Line and column count from 1, the column in characters; `file` is which of several files, counted from 0."""

    line: int
    column: int
    file: int = 0


class Problem(NamedTuple):
    """One thing that is wrong. `path` leads to what it is about; `place` is None where that is the whole file, which
    `of_file` then names."""

    code: str
    message: str
    hint: str
    place: Place | None = None
    path: Path = ()
    of_file: int = 0

    @classmethod
    def of(cls, code: str, place: Place | None = None, path: Path = (), /, **values: object) -> Problem:
        kind = KINDS[code]
        about = owner(path)
        message = kind.message.format(**values)
        return cls(code, f"{about}: {message}" if about else message, kind.hint.format(**values), place, path)

    @property
    def kind(self) -> Kind:
        """Its row of the table, which says all that is done about it."""
        return KINDS[self.code]

    @property
    def level(self) -> Level:
        return self.kind.level

    def has(self, trait: Trait) -> bool:
        return trait in self.kind.traits

    @property
    def file(self) -> int:
        """Which of several files it is in, counted from 0."""
        return self.place.file if self.place else self.of_file

    def shown(self, files: Sequence[str]) -> str:
        """`lab.yaml:12:5: service alice: ...`, and the hint in a line under it."""
        file = files[self.file]
        where = f"{file}:{self.place.line}:{self.place.column}" if self.place else file
        level = "warning: " if self.level == "warning" else ""
        hint = f"\n  {self.hint}" if self.hint else ""
        return f"{where}: {level}{self.message}{hint}"

    def as_json(self, files: Sequence[str]) -> dict[str, object]:
        return {
            "level": self.level,
            "code": self.code,
            "file": files[self.file],
            "line": self.place.line if self.place else None,
            "column": self.place.column if self.place else None,
            "path": list(self.path),
            "message": self.message,
            "hint": self.hint,
        }


class Problems:
    """What was found so far. A value that an alias repeats is told of once."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Problem] = {}

    def add(self, code: str, path: Path, place: Place, /, **values: object) -> None:
        problem = Problem.of(code, place, path, **values)
        text = problem.message.removeprefix(f"{owner(path)}: ")
        self._found.setdefault((code, place, text), problem)

    def extend(self, others: Iterable[Problem]) -> None:
        for other in others:
            self._found.setdefault((other.code, other.place, other.message), other)

    def __len__(self) -> int:
        return len(self._found)

    def near(self, name: str, known: Iterable[str]) -> str:
        """As `near`, while there are few problems and few names: each comparison takes time."""
        names = list(known)
        return near(name, names) if len(self) < NEAR_LIMIT and len(names) < NEAR_LIMIT else ""

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Problem]:
        return iter(sorted(self._found.values(), key=_order))

    @property
    def errors(self) -> bool:
        return any(problem.level == "error" for problem in self._found.values())


def _order(problem: Problem) -> tuple[int, Place, str]:
    return problem.file, problem.place or Place(0, 0), problem.message


_OWNERS = {
    "services": "service",
    "networks": "network",
    "volumes": "volume",
    "secrets": "secret",
    "configs": "config",
    "models": "model",
}


def owner(path: Path) -> str:
    """`service alice`, `service alice, ports`, `x-labctl`: what a path leads to, in words."""
    if not path:
        return ""
    head, rest = str(path[0]), path[1:]
    if head in _OWNERS and rest:
        head, rest = f"{_OWNERS[head]} {rest[0]}", rest[1:]
    words = ".".join(str(step) for step in rest if isinstance(step, str))
    return f"{head}, {words}" if words else head


def near(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'image'?`, or nothing where no known name is near."""
    import difflib  # mistakes alone need it

    close = difflib.get_close_matches(name[:100], list(known), n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(word) for word in close)}?" if close else ""


def as_markdown() -> str:
    """docs/validation.md."""
    parts = [INTRODUCTION]
    for code, kind in KINDS.items():
        hint = f"\n{kind.hint}\n" if kind.hint and kind.hint != "{mend}" else ""
        level = " (warning)" if kind.level == "warning" else ""
        text = f"### {code}{level}\n\n{kind.meaning}\n\n    {kind.message}\n{hint}"
        parts.append(text.replace("{{", "{").replace("}}", "}").replace("!r}", "}"))
    return "\n".join(parts)


INTRODUCTION = """# What `labctl validate` finds

    $ labctl validate lab.yaml
    lab.yaml:12:5: service alice: unknown key 'imgae'; did you mean 'image'?
      known here: annotations, attach, build, ...

Each error stands with its file, line and column, and a line that says what to do; all of them are told at once. They go
to stdout, and the exit status is 1; without errors it is 0. Warnings say `warning:` and change no exit status.
With `--json` there is one document: `problems`, each with `level`, `code` (the names below), `file`, `line`, `column`,
`path`, `message` and `hint`, and `compose`, which says whether Compose was asked.

- Line and column are those of the file as it is written, also where a value comes out of an anchor or `<<`.
- Of several files (`-f a.yaml -f b.yaml`, or a folder with `compose.override.yaml`) each error stands in the one that
  it comes from; names and addresses are judged by what all of them say together.
- A value with a variable (`${NET:-10.1.0}.2`) is judged by what Compose makes of it, with the environment and the
  `.env` file that are there now; where Compose can't be asked, such values are not judged.
- In the end Compose itself reads the file, with all profiles on. What it alone knows is told as well. It stops at its
  first error, and what labctl found by itself already is not said twice.
- `labctl up` and `labctl plan` make the same checks before they touch anything, and tell all errors in the same way. Of
  a file that Compose takes they don't mind the spelling (`trap-...`): what Compose made of it is what is run.
- Without Docker's client all of labctl's own checks are made, and a line on stderr says that Compose wasn't asked.

An unquoted word that YAML 1.1 and YAML 1.2 read in two ways is an error where Compose refuses it, or makes other text
of it than is written; where Compose reads what is meant and only other tools might not, it is a warning.

Words in braces stand for what the message is about.
"""
