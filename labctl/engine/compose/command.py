"""Runs `docker compose`: Compose is the topology language, so Compose itself reads the files."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from labctl import environment, kept
from labctl.cancel import Cancel
from labctl.engine.compose import last_words, plugin, told
from labctl.engine.compose.question import Question, asked
from labctl.engine.docker.endpoint import Endpoint
from labctl.errors import LabError
from labctl.phases import reached

TYPE_CHECKING = False  # as typing has it, which takes longer to import than this
if TYPE_CHECKING:
    import subprocess

    from labctl.engine.projects import Reading

MINIMUM = (2, 20)
READ_LIMIT = 60.0  # seconds, for what only reads
# Compiled where one is needed, which `re` keeps: few commands need any.
_NO_PLUGIN = r"unknown|is not a docker command"  # newer and older clients
_FULL = r"v?(\d+\.\d+\.\d+)"
_UNREADABLE = r"Error loading config file: open (.+?): (.+)"
_UNSET = r'The \\?"([^"\\]+)\\?" variable is not set'


class Compose:
    """Compose for one engine. `variables` are set for interpolation on top of the environment, `env_files` hold more
    of them in place of the `.env` file.

    `unfinished` holds the names of what the last `up` had asked the engine for when it failed or was interrupted: the
    engine may still be at work on it. `cancels` end a `build` and an `up`, as ^C would.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        variables: Mapping[str, str] | None = None,
        env_files: Sequence[Path] = (),
        *,
        cancels: Collection[Cancel] = (),
    ) -> None:
        self._cancels = cancels
        # Programs that `labctl run` made are orphans to Compose once they have ended, and no mistake.
        self._variables = {"COMPOSE_IGNORE_ORPHANS": "1", **(variables or {})}
        self._options = [word for file in env_files for word in ("--env-file", str(file))]
        self.unfinished: frozenset[str] = frozenset()
        # What Docker's own client would not find by itself: a rootless socket, another machine.
        self._variables |= endpoint.environment

    def version(self) -> tuple[int, int]:
        """Raises LabError where there is no Compose, or one that is too old."""
        result = self._run(["compose", "version", "--short"], READ_LIMIT)
        _refuse_killed("version", result)
        _refuse_unreadable(result.stderr)
        found = re.match(r"v?(\d+)\.(\d+)", result.stdout.strip())
        minimum = ".".join(map(str, MINIMUM))
        if result.returncode or not found:
            raise LabError("compose-missing", minimum=minimum, found="there is none")
        version = (int(found[1]), int(found[2]))
        if version < MINIMUM:
            raise LabError("compose-missing", minimum=minimum, found=f"this is {found[0]}")
        return version

    def full_version(self) -> str:
        """As Compose writes it on what it makes: three numbers. Raises LabError."""
        asks = told.version()
        if known := re.fullmatch(_FULL, kept.answer(asks) or ""):
            return known[1]
        result = self._run(["version", "--short"], READ_LIMIT, reads=True)
        found = re.match(_FULL, result.stdout.strip())
        if result.returncode or not found:
            raise LabError("compose-failed", verb="version", why=last_words.reason(result.stderr))
        kept.note(asks, found[1])
        return found[1]

    def begin(self, files: Sequence[Path], name: str | None = None) -> Question | Reading:
        """Asks what `config` of the same files and name will ask, before anybody needs to know; or gives what was told
        before, where that is known."""
        arguments = self._reading(files, name)
        asks = told.reading(arguments, files, self._environment())
        return _known(asks) or self._ask(arguments, reads=True, asks=asks)

    def config(
        self,
        file: Path,
        *,
        more: Sequence[Path] = (),
        name: str | None = None,
        text: str | None = None,
        begun: Question | Reading | None = None,
        before: Callable[[], None] | None = None,
    ) -> Reading:
        """The file, and `more` over it, as Compose understands them: merged, interpolated, normalised YAML.

        `text` stands for the content of all of them; `begun` is what `begin` gave. `before` is called where Compose has
        to read them for that. Raises LabError.
        """
        from labctl.engine.projects import Reading  # which imports typing

        if isinstance(begun, Reading):
            return begun
        files, arguments = [file, *more], self._reading([file, *more], name, text)
        if begun is None:
            asks = told.reading(arguments, files, self._environment()) if text is None else None
            if known := _known(asks):
                return known
        with _ended_unless_done(begun):
            if before:
                before()
        if begun is None:
            begun = self._ask(arguments, reads=True, asks=asks)
        result = self._run(arguments, READ_LIMIT, text, reads=True, begun=begun)
        if result.returncode:
            _refuse_killed("config", result)
            _refuse_unreadable(result.stderr)
            if re.search(_NO_PLUGIN, result.stderr) and "compose" in result.stderr:
                self.version()  # says so where Compose itself is missing
            version = self._shown_version() if "Additional property" in result.stderr else ""
            why = _refusal(result)
            raise LabError("topology-invalid", file=file, why=why, compose=version, unset=_unset(result.stderr))
        unset = _unset(result.stderr)
        # Of a file that was changed meanwhile it isn't known which of both was read.
        if begun.asks and not unset and begun.asks == told.reading(arguments, files, self._environment()):
            kept.note(begun.asks, result.stdout)
            return Reading(result.stdout, asks=begun.asks)
        return Reading(result.stdout, unset)

    def _reading(self, files: Sequence[Path], name: str | None, text: str | None = None) -> list[str]:
        return [*self._options, *(["-p", name] if name else []), *_source(files, text), "config"]

    def _shown_version(self) -> str:
        with contextlib.suppress(LabError):
            return ".".join(map(str, self.version()))
        return ""

    def build(
        self,
        file: Path,
        services: Sequence[str],
        report: Callable[[str], None],
        limit: float,
        *,
        more: Sequence[Path] = (),
        name: str | None = None,
        text: str | None = None,
    ) -> None:
        """Builds the images of some services; those without a name get the project's, `name` or the file's own.

        Raises LabError `build-failed` with the step that failed and its last lines.
        """
        project = ["-p", name] if name else []
        options = ["--progress", "plain", *self._options, *project, *_source([file, *more], text)]
        self._stream("build", [*options, "build", *services], text, report, limit)

    def own_hashes(
        self, files: Sequence[Path], *, name: str, text: str | None = None, reading: str | None = None
    ) -> dict[str, str]:
        """As `hashes`, of the services as the files have them. `text` stands for the content of all of them; `reading`
        is what Compose made of them just now: where it made that before of the same, it isn't asked again."""
        options = [*self._options, "-p", name, *_source(files, text)]

        def about() -> str | None:
            return told.digests(options, files, text, reading, self._environment()) if reading else None

        asks = about()
        if (known := kept.answer(asks)) is not None:
            return _pairs(known)
        found = self._hashes(options, text)
        if asks == about():
            kept.note(asks, "".join(f"{service} {digest}\n" for service, digest in found.items()))
        return found

    def hashes(self, name: str, folder: Path, config: str) -> dict[str, str]:
        """Compose's digest of each service: what it compares with a container's label to tell whether it changed."""
        options = [*self._options, "-p", name, "--project-directory", str(folder), "-f", "-"]
        return self._hashes(options, config)

    def _hashes(self, options: Sequence[str], text: str | None) -> dict[str, str]:
        result = self._run([*options, "config", "--hash", "*"], READ_LIMIT, text, reads=True)
        if result.returncode:
            _refuse_killed("config", result)
            raise LabError("compose-failed", verb="config", why=last_words.reason(result.stderr))
        return _pairs(result.stdout)

    def up(
        self,
        name: str,
        folder: Path,
        config: str,
        report: Callable[[str], None],
        limit: float,
        *,
        hold: Sequence[int] = (),
        start: bool = True,
    ) -> None:
        """Makes a project be as `config` says; unchanged containers are left alone. Builds and removes nothing.

        Without `start`, containers are made and not started.

        Compose holds the file descriptors of `hold`, and their locks, for as long as it lives.
        """
        options = ["--progress", "plain", *self._options, "-p", name, "--project-directory", str(folder), "-f", "-"]
        command = [*options, "up", "--no-build", "--detach" if start else "--no-start"]
        self._stream("up", command, config, report, limit, hold)

    def client(self, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """The command line of Docker's own client with some arguments, and the environment that it needs."""
        return [_docker(), *arguments], self._environment()

    def _environment(self) -> dict[str, str]:
        return {**environment.variables(), **self._variables}

    def _run(
        self,
        arguments: Sequence[str],
        limit: float,
        text: str | None = None,
        *,
        reads: bool = False,
        begun: Question | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs Docker's client, or, for what only `reads`, Compose alone."""
        import subprocess  # here, as in `_stream`: where all has been told before, nothing is started

        try:
            return (begun or self._ask(arguments, reads=reads)).answer(text, limit)
        except subprocess.TimeoutExpired:
            if reads:
                verb = "config" if "config" in arguments else arguments[0]
                raise LabError("compose-timeout", seconds=limit, action=f"docker compose {verb}") from None
            action = "docker " + " ".join(arguments[:2])
            raise LabError("engine-timeout", seconds=limit, action=action) from None

    def _ask(self, arguments: Sequence[str], *, reads: bool, asks: str | None = None) -> Question:
        docker = _docker()
        return asked([*(plugin.reader(docker) if reads else [docker]), *arguments], self._environment(), asks)

    def _stream(
        self,
        verb: str,
        arguments: Sequence[str],
        text: str | None,
        report: Callable[[str], None],
        limit: float,
        hold: Sequence[int] = (),
    ) -> None:
        """Runs Compose and reports its progress line by line; ends it, in order, when we are interrupted."""
        import subprocess

        from labctl.engine.children import Group
        from labctl.engine.compose import progress

        deadline = time.monotonic() + limit
        said: list[str] = []
        with Group() as group:
            child = group.start(
                [*plugin.program(_docker()), *arguments],
                hold=hold,
                stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE if verb == "build" else subprocess.DEVNULL,  # where a build tells of its steps
                stderr=subprocess.STDOUT if verb == "build" else subprocess.PIPE,
                env=self._environment(),
            )
            try:
                if verb == "up":
                    reached("up:making")
                if child.stdin and text is not None:
                    with contextlib.suppress(BrokenPipeError):  # it has ended already, and says why on stderr
                        child.stdin.write(text.encode())
                        child.stdin.close()
                progress.read(child, report, deadline, said, self._cancels)
                status = child.wait(max(1.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                progress.end(child, group, said)
                if verb == "build":
                    raise _build_failure(arguments, f"it took over {limit:g} s", said) from None
                from labctl.engine.projects import BY_COMPOSE

                raise LabError("engine-timeout", seconds=round(limit, 1), action=BY_COMPOSE) from None
            except BaseException:
                progress.end(child, group, said)
                raise
            finally:
                self.unfinished = progress.unfinished(said)
        if status:
            raise _failure(verb, arguments, status, said)


def _known(asks: str | None) -> Reading | None:
    """What was told the last time."""
    from labctl.engine.projects import Reading

    text = kept.answer(asks)
    return None if text is None else Reading(text, asks=asks or "")


@contextlib.contextmanager
def _ended_unless_done(question: Question | None) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if question:
            question.close()
        raise


def _failure(verb: str, arguments: Sequence[str], status: int, said: Sequence[str]) -> LabError:
    """Of a Compose that ended with a status other than 0."""
    text = "\n".join(said)
    why = last_words.reason(text)
    if signal_ := last_words.killed_by(status, text):
        return LabError("compose-killed", verb=verb, signal=signal_)
    if "no space left on device" in why:
        return LabError("disk-full", why=why)
    if verb == "build":
        return _build_failure(arguments, why.removeprefix("failed to solve: "), said)
    return LabError("compose-failed", verb=verb, why=why)


def _build_failure(arguments: Sequence[str], why: str, said: Sequence[str]) -> LabError:
    what = ", ".join(arguments[arguments.index("build") + 1 :])
    step = "\n".join(f"    {line}" for line in last_words.failed_step([line for line in said if line]))
    return LabError("build-failed", what=what, why=why, step=step)


def _refuse_killed(verb: str, result: subprocess.CompletedProcess[str]) -> None:
    """Raises LabError `compose-killed` where a signal ended a Compose that only reads."""
    if result.returncode and (signal_ := last_words.killed_by(result.returncode, result.stderr)):
        raise LabError("compose-killed", verb=verb, signal=signal_)


def _pairs(said: str) -> dict[str, str]:
    """The digests of services, a line each."""
    pairs = (line.split() for line in said.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _source(files: Sequence[Path], text: str | None) -> list[str]:
    if text is not None:
        return ["--project-directory", str(files[0].parent), "-f", "-"]
    return [word for file in files for word in ("-f", str(file))]


def _unset(said: str) -> tuple[str, ...]:
    """The variables that Compose warns of."""
    return tuple(dict.fromkeys(re.findall(_UNSET, said)))


def _refusal(result: subprocess.CompletedProcess[str]) -> str:
    """Why Compose doesn't take a file, in one line."""
    said = result.stderr
    if "out of memory" in said or "cannot allocate memory" in said:
        return f"reading it takes more than {plugin.MEMORY >> 10} MiB of memory"
    crash = re.search(r"^(?:panic|fatal error): (.*)", said, re.M)
    if crash:
        return f"Compose itself crashed on it ({crash[1].strip()}), which is a bug of Compose's"
    cycle = re.search(r"include cycle detected:\n(.+)", said, re.S)
    if cycle:
        return "include cycle detected: " + " includes ".join(
            line.strip().removeprefix("include ") for line in cycle[1].strip().splitlines()
        )
    return last_words.reason(said)


def _refuse_unreadable(said: str) -> None:
    """Raises LabError `docker-config` where that is why Docker's client doesn't know `compose`: it finds no plugin."""
    found = re.search(_UNREADABLE, said)
    if found and re.search(_NO_PLUGIN, said):
        raise LabError("docker-config", file=found[1], why=found[2])


def _docker() -> str:
    """As shutil.which finds it; to import that module takes as long as all else that is done here."""
    for folder in os.get_exec_path():
        file = os.path.join(folder, "docker")
        if os.path.isfile(file) and os.access(file, os.X_OK):
            return file
    raise LabError("docker-missing")
