"""What Compose, or Docker's client, is asked: a process that begins at once, and whose answer is read when it is
needed."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from labctl.engine.children import PATIENCE, Group

TYPE_CHECKING = False  # as typing has it, which takes longer to import than this
if TYPE_CHECKING:
    import subprocess


class Question:
    """A process with nothing on its standard input until `answer`. It never outlives labctl; who doesn't want the
    answer any more ends it by `close`. `asks` is by what name the answer can be kept, as all that it depends on was
    before the process began (labctl.engine.compose.told)."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str], asks: str | None = None) -> None:
        import subprocess  # here: where all has been told before, nothing is started

        self.asks = asks
        self._command = [*command], {**variables}
        with contextlib.ExitStack() as stack:
            self._group = stack.enter_context(Group())
            self._child = self._group.start(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",  # as Compose writes, whatever the locale
                errors="replace",
                env=variables,
            )
            self._stack = stack.pop_all()

    def answer(self, text: str | None, limit: float) -> subprocess.CompletedProcess[str]:
        """What it said, once it has ended; `text` is its input. Raises TimeoutExpired after `limit` seconds, and it is
        ended."""
        import subprocess

        with self._stack:
            # Nothing to read where there is nothing to say: our own standard input is never theirs.
            out, err = self._child.communicate(text or "", limit)
        return subprocess.CompletedProcess(self._child.args, self._child.returncode, out, err)

    def is_of(self, command: Sequence[str], variables: Mapping[str, str]) -> bool:
        """Whether it asks just that."""
        return self._command == ([*command], {**variables})

    def close(self) -> None:
        """Ends it, and all that it started."""
        with self._stack:
            self._group.kill()
            self._child.communicate(timeout=PATIENCE)


_expected: list[Question] = []  # one at most


def expect(question: Question) -> None:
    """Keeps what is asked before it is known who needs the answer."""
    _expected.append(question)


def asked(command: Sequence[str], variables: Mapping[str, str], asks: str | None = None) -> Question:
    """A question; the one that is expected, where it is just this one. Where the first that is asked is another, nobody
    waits for that any more."""
    kept = _expected.pop() if _expected else None
    if kept and kept.is_of(command, variables):
        return kept
    if kept:
        kept.close()
    return Question(command, variables, asks)
