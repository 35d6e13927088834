"""The classes of the errors that labctl explains: a program catches them by these, and never by comparing codes.

Which class a code has stands in the tables (labctl/errors/tables). They are read when the first error is made: most
runs make none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

TYPE_CHECKING = False  # as typing has it, which takes longer to import than this
if TYPE_CHECKING:
    from typing import Any, Self

LONG = ("why", "mend", "reason", "listing", "seen", "problems", "lines", "step")  # values that may have several lines


class LabError(Exception):
    """An error that labctl explains; every other class here is one of these.

    `LabError("no-lab")` is made of a code and the values for its message, and is of the code's class. `message` says
    what was asked and why it can't be, `hint` what to do about it ("" where there is nothing), `values` holds what it
    is about. It can be pickled.
    """

    code: str
    message: str
    hint: str
    values: dict[str, Any]

    def __new__(cls, code: str, /, **values: object) -> Self:
        from labctl.errors.tables import ERRORS

        family = ERRORS[code].family
        if not issubclass(family, cls):
            raise TypeError(f"{code} is a {family.__name__}, and no {cls.__name__}")
        return super().__new__(family)

    def __init__(self, code: str, /, **values: object) -> None:
        from labctl.errors.tables import ERRORS

        kind = ERRORS[code]
        self.code = code
        self.values = values
        words = {key: _one_line(value) if key not in LONG else value for key, value in values.items()}
        self.message = kind.message.format(**words)
        self.hint = kind.hint.format(**words)
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # By default an exception is made again from its arguments, and this one's is the message.
        values = {key: _picklable(value) for key, value in self.values.items()}
        return _made_again, (self.code, values), {**self.__dict__, "values": values}

    def having(self, **values: object) -> LabError:
        """The same error with other values, or more of them."""
        return LabError(self.code, **{**self.values, **values})

    def as_json(self) -> dict[str, Any]:
        """`code`, `message` and `hint`, as every document of `--json` shows an error."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class InvalidArgument(LabError):
    """What was given can't be meant: a value out of its range, a name that is none, a text that is no line."""


class BadFilter(InvalidArgument):
    """An expression that picks packets can't be understood."""


class LabTimeout(LabError):
    """What was waited for did not come in the time that was given."""


class Cancelled(LabError):
    """Another thread of the program cancelled it; what was begun is taken back, as after ^C."""


class EngineError(LabError):
    """The Docker engine, Compose or an image is not what is needed."""


class EngineUnreachable(EngineError):
    """No engine answers."""


class EngineTimeout(EngineError, LabTimeout):
    """The engine did not answer in time."""


class EngineRefused(EngineError):
    """The engine answered with an error."""


class MachineKeptOut(EngineRefused):
    """A machine's engine can't join a network that reaches over several machines."""


class ComposeFailed(EngineError):
    """Compose answered with an error."""


class TopologyError(LabError):
    """There is no such topology, or it can't be brought up on this machine."""


class TopologyInvalid(TopologyError):
    """A topology's files have errors."""


class LabNotFound(LabError):
    """No such lab is there (any more), or it isn't clear which one is meant."""


class ForeignLab(LabError):
    """It is somebody else's, or was made from something else: labctl changes and removes only what is its caller's."""


class NodeError(LabError):
    """A node is not there, or can't do what it is asked."""


class NodeNotFound(NodeError):
    """The lab has no such node."""


class NotRunning(NodeError):
    """The node's program doesn't run, or is paused."""


class NodeFailed(NodeError):
    """The node's program ended before it was ready, or is unhealthy."""


class NodeStopped(NodeError):
    """The node's program ended while something was waited for."""


class ProgramNotFound(NodeError):
    """The node's image has no such program."""


class CommandLeft(NodeError):
    """A command that was started in a node may still run."""


class LineError(NodeError):
    """A line was typed, and what was to come of it did not."""


class NotTaken(LineError, LabTimeout):
    """The node did not take the line, which won't go out later."""


class LineRefused(LineError):
    """The node answered the line with an error."""


class NotConfirmed(LineError):
    """The line went out, or may still, and nothing shows that it arrived: who types it again may say it twice."""


class NoPartner(NotConfirmed):
    """The line waits at a chat node until somebody is there."""


class NoAnswer(NotConfirmed):
    """What was sent was not answered."""


class FaultError(LabError):
    """A rule can't be set, or there is none of that name."""


class FaultRefused(FaultError):
    """The probe that would put the rule in force could not."""


class ProbeError(LabError):
    """A helper container could not do its work."""


class ReachError(NodeError):
    """A node can't reach an address, a name or a server."""


class Unresolved(ReachError):
    """A node's resolver has no address for a name."""


class NotRecorded(LabError):
    """What was asked for is in no recording, or not all of it."""


class CaptureError(LabError):
    """A capture file can't be read, or doesn't hold what was asked for."""


class PatternDiffers(LabError, AssertionError):
    """What the wire showed doesn't fit a pattern."""


class LessonError(LabError):
    """A lesson can't be found, or can't be played here."""


class LessonInvalid(LessonError):
    """A lesson's file has mistakes; `values["found"]` holds them one by one, each with file, place and message."""


class RunError(LabError):
    """A file with a run can't be read, or can't be done again here."""


class FileError(LabError):
    """A file of this machine can't be written or locked."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean alice?`, or nothing where no other known name is near."""
    import difflib

    others = [other for other in known if other != name]
    close = difflib.get_close_matches(name[:100], others, n=3, cutoff=0.6)
    close = close or [other for other in others if name and other.startswith(name)][:3]
    return f"; did you mean {' or '.join(close)}?" if close else ""


def brief(text: str) -> str:
    """A text as a message repeats it: its beginning, where it is long."""
    return text if len(text) <= 60 else text[:57] + "..."


def _one_line(value: object) -> object:
    """A name as an error repeats it: one that holds a newline doesn't make a line that looks like our own."""
    if not isinstance(value, (str, os.PathLike)):
        return value
    text = os.fspath(value)
    if not isinstance(text, str):
        return value
    return text.replace("\n", "\\u000a") if "\n" in text else text


def _made_again(code: str, values: dict[str, Any]) -> LabError:
    return LabError(code, **values)


def _picklable(value: object) -> object:
    """The value, or its text where it can't be sent to another process."""
    import pickle

    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - pickle tells of it by many classes
        return str(value)
    return value
