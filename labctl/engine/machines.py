"""What an engine says of the machines that it is: one, or several (labctl.engine.several)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from labctl.named import NamedTuple

if TYPE_CHECKING:
    from labctl.engine.model import Engine
    from labctl.engine.swarm import Reading


class Clock(NamedTuple):
    """How far a machine's clock is ahead of the others' (negative: behind), in nanoseconds, and how far off that may
    be. What is smaller than its own error is taken for nothing."""

    offset: int = 0
    error: int = 0

    @property
    def correction(self) -> int:
        """What is to be taken from a time that the machine says."""
        return self.offset if abs(self.offset) > self.error else 0


def clock_of(readings: Iterable[Reading]) -> Clock | None:
    """What a clock is by the answers to some questions; None without any.

    The difference lies between (said - answered) and (said - asked) of each; what all leave between them is what is
    known. (NTP, RFC 5905, section 8, takes the question with the shortest way alone, which leaves no less.)
    """
    found = list(readings)
    if not found:
        return None
    least, most = max(one.said - one.answered for one in found), min(one.said - one.asked for one in found)
    if least > most:  # one of the clocks was set in between: the shortest way then
        best = min(found, key=lambda one: one.answered - one.asked)
        least, most = best.said - best.answered, best.said - best.asked
    return Clock((least + most) // 2, max(1, (most - least + 1) // 2))


class Machines(Protocol):
    """A part of Engine. One engine alone answers as labctl.engine.alone has it."""

    @property
    def machines(self) -> tuple[str, ...]:
        """The names of the machines of an engine that is several; of one alone its name, "" for the usual one."""

    def called(self, machine: str, builder: Callable[[], Engine]) -> Engine:
        """Of one alone: the same, by the name of its machine, and for which another engine builds."""

    @property
    def publishes(self) -> bool:
        """Whether the ports that its containers publish are open on its machine."""

    @property
    def builder(self) -> Engine:
        """What builds and pulls images, and has them before they are sent (`distribute`): itself, unless it is that of
        one machine of several."""

    @property
    def missing(self) -> Mapping[str, str]:
        """Of an engine that is several: which machines did not answer when they were asked last, and why."""

    def narrowed(self, machines: Iterable[str]) -> Engine:
        """Of an engine that is several: those of some machines alone; the same engine where it is one."""

    def placing(self, machines: Sequence[str], places: Mapping[str, str], policy: str) -> Engine:
        """Of an engine that is several: the same, which makes a project's nodes on these machines alone, single ones as
        `places` says (`alice` or `web-2`: machine), the others by the policy `spread` or `pack`."""

    def shares(self, config: Mapping[str, Any]) -> Mapping[str, Mapping[str, Sequence[int]]]:
        """Of an engine that is several: the numbers of each service's containers that each machine would have. Raises
        LabError `bad-place`, `bridge-full`."""

    def clock(self, container: str) -> Clock:
        """The clock of the machine that a container is on, against that of the lab's others. Raises LabError."""
