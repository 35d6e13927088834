"""Links, and what is done to the packets on them. `Lab` has these as its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labctl.api.times import Since, condition, moment_ns, span

if TYPE_CHECKING:
    from labctl.api.place import Place
    from labctl.lab.faults.rules import Applied, Fault
    from labctl.lab.faults.spec import RuleSpec as RuleSpec
    from labctl.packets.crossings import Verdict


class Rule:
    """A rule on a link: `with lab.link("alice:bob").fault(loss="30%") as rule: ...` takes it back at the end.

    Without `with` it is in force until `clear`, until its time is over or the lab goes down; it holds from when it was
    made, not from when the block begins. Its properties ask the node's kernel, and after it was taken back say what it
    had done until then.
    """

    def __init__(self, place: Place, applied: Applied) -> None:
        self._place, self._applied = place, applied
        self._last: tuple[Fault, ...] | None = None

    def __enter__(self) -> Rule:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def __repr__(self) -> str:
        return f"<Rule {self.id}: {self.what} on {', '.join(self.links)}, seed {self.seed}>"

    @property
    def id(self) -> str:
        """Such as `f1`: what ladders, journals and `labctl fault ls` call it."""
        return self._applied.id

    @property
    def what(self) -> str:
        """As it is typed: `drop 30%`."""
        return self._applied.what

    @property
    def seed(self) -> int:
        """Of its generator: the same seed picks the same packets."""
        return self._applied.seed

    @property
    def links(self) -> tuple[str, ...]:
        """The ways that it holds for, such as `alice:bob`."""
        return self._applied.links

    @property
    def applied(self) -> Applied:
        """All of it as data, as it was set."""
        return self._applied

    def as_json(self) -> dict[str, Any]:
        """As `labctl fault add --json` has it."""
        return self._applied.as_json()

    @property
    def ways(self) -> tuple[Fault, ...]:
        """How it is on each of its ways: state, and counts of packets. Raises EngineError, ProbeError."""
        if self._last is not None:
            return self._last
        from labctl.lab.faults import rules

        return tuple(one for one in rules.listing(self._place.engine, self._place.find()) if one.id == self.id)

    @property
    def matched(self) -> int:
        """How many packets it was for until now, on all of its ways. Raises EngineError, ProbeError."""
        return sum(one.matched or 0 for one in self.ways)

    @property
    def done(self) -> Mapping[str, int]:
        """How many packets it did what to, by the word that ladders have for it. Raises EngineError, ProbeError."""
        found: Counter[str] = Counter()
        for one in self.ways:
            found.update(one.done or {})
        return dict(found)

    def clear(self) -> tuple[Fault, ...]:
        """Takes it back; the link is as it was. Again, or once its time is over, is no harm.

        Raises EngineError, FaultRefused, ProbeError.
        """
        if self._last is None:
            from labctl.lab.faults import rules

            lab = self._place.changeable()
            mine = [one for one in rules.listing(self._place.engine, lab) if one.id == self.id]
            self._last = tuple(rules.clear(self._place.engine, lab, mine))
        return self._last


class Link:
    """A link of a lab: `alice:bob` is from alice to bob, `alice-bob` both ways, a node alone all its traffic.

    All of its methods put a rule in force at once, and raise NodeNotFound, NotRunning, InvalidArgument
    (`bad-condition`, `bad-link-name`), NodeError (`no-link`), ForeignLab, FaultError, ProbeError; then nothing of it is
    in force. `lasting` is after how many seconds (or a text such as `30s`) a rule ends by itself.
    """

    def __init__(self, place: Place, name: str) -> None:
        self._place, self.name = place, name

    def __repr__(self) -> str:
        return f"<Link {self.name}>"

    def fault(
        self,
        *,
        delay: float | str | None = None,
        jitter: float | str | None = None,
        loss: float | str | None = None,
        duplicate: float | str | None = None,
        reorder: float | str | None = None,
        corrupt: float | str | None = None,
        rate: float | str | None = None,
        fix_checksum: bool = False,
        lasting: float | str | None = None,
        seed: int | None = None,
    ) -> Rule:
        """Conditions for all packets, which hold together: texts as `labctl fault add` takes them (`100ms`, `30%`,
        `1mbit`), or numbers: seconds of delay and jitter, bits a second of the rate, and of the others a share from 0
        to 1. `fix_checksum`: what is corrupt reaches the program. `seed` of its generator, else any."""
        given = {
            "delay": delay,
            "jitter": jitter,
            "loss": loss,
            "duplicate": duplicate,
            "reorder": reorder,
            "corrupt": corrupt,
            "rate": rate,
        }
        wanted = {name: value for name, value in given.items() if value is not None}
        return self.add(conditions(wanted, ["fix_checksum"] if fix_checksum else [], lasting=lasting, seed=seed))

    def drop(self, match: str, *, times: int | None = None, lasting: float | str | None = None) -> Rule:
        """Loses the packets that an expression picks (docs/faults.md), such as `tcp data 1`: so many `times`, else
        once, or every one where it says `every`."""
        return self._pick("drop", match, times=times, lasting=lasting)

    def delay(
        self, match: str, *, by: float | str = "200ms", times: int | None = None, lasting: float | str | None = None
    ) -> Rule:
        """Holds the packets that an expression picks, for so many seconds or a text such as `200ms`."""
        return self._pick("delay", match, times=times, lasting=lasting, by=condition("delay", by))

    def duplicate(self, match: str, *, times: int | None = None, lasting: float | str | None = None) -> Rule:
        """Delivers the packets that an expression picks twice."""
        return self._pick("duplicate", match, times=times, lasting=lasting)

    def corrupt(
        self,
        match: str,
        *,
        times: int | None = None,
        fix_checksum: bool = False,
        lasting: float | str | None = None,
        seed: int | None = None,
    ) -> Rule:
        """Flips a bit in the packets that an expression picks; `fix_checksum`: they reach the program."""
        switches = ["fix_checksum"] if fix_checksum else []
        return self._pick("corrupt", match, switches, times=times, lasting=lasting, seed=seed)

    def reset(self, match: str, *, times: int | None = None, lasting: float | str | None = None) -> Rule:
        """Cuts the TCP connections of the packets that an expression picks: each becomes a RST. Its sender hears of it
        by the answer to its next segment (RFC 9293, section 3.5.2)."""
        return self._pick("reset", match, times=times, lasting=lasting)

    def _pick(
        self,
        verb: str,
        match: str,
        switches: Sequence[str] = (),
        *,
        times: int | None,
        lasting: float | str | None,
        **more: Any,
    ) -> Rule:
        return self.add(pick(verb, match, switches, times=times, lasting=lasting, **more))

    def add(self, wanted: RuleSpec, *, on_start: str | None = None) -> Rule:
        """Any rule, of `labctl.api.link.conditions` or `pick`, which know all words of the table of kinds. `on_start`:
        from that node's next start on, before its first packet."""
        from labctl.lab.faults import control

        lab = self._place.breakable()
        return Rule(self._place, control.add(self._place.engine, lab, self.name, wanted, on_start=on_start))


def conditions(
    given: Mapping[str, float | str],
    switches: Sequence[str] = (),
    *,
    lasting: float | str | None = None,
    seed: int | None = None,
) -> RuleSpec:
    """Conditions for all packets by their words, `{"delay": "100ms"}`, with switches such as `fix_checksum`; see
    `Link.fault`. Raises InvalidArgument (`bad-condition`)."""
    from labctl.lab.faults import spec

    texts = {name: condition(name, value) for name, value in given.items()}
    return spec.of_conditions(spec.parsed(texts), switches, duration=span(lasting), seed=seed)


def pick(
    verb: str,
    match: str,
    switches: Sequence[str] = (),
    *,
    by: str | None = None,
    times: int | None = None,
    lasting: float | str | None = None,
    seed: int | None = None,
) -> RuleSpec:
    """One thing that is done to the packets that an expression picks: `drop`, `delay` (`by` so much) ...; see
    `Link.drop`. Raises InvalidArgument (`bad-condition`)."""
    from labctl.lab.faults import spec

    return spec.of_pick(verb, match, switches, by=by, times=times, duration=span(lasting), seed=seed)


class LinkedLab:
    """What `Lab` does to its links."""

    _place: Place

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Each node with each running host that it shares a network with: `alice:bob` and `bob:alice` are links."""
        lab = self._place.find()
        return tuple((one.name, other.name) for one in lab.nodes for other in lab.neighbours(one))

    def link(self, name: str) -> Link:
        """A link by its name: `alice:bob`, `alice-bob`, or a node alone. Raises NodeNotFound, InvalidArgument."""
        from labctl.lab.links import named

        lab = self._place.find()
        if name not in {node.name for node in (*lab.nodes, *lab.hosts)}:
            found = named(lab, name)
            for end in (found.a, found.b):
                lab.node(end)
        return Link(self._place, name)

    def partition(self, left: str, right: str, *, lasting: float | str | None = None) -> Rule:
        """Cuts nodes (`alice`, or `alice,web`) off from others, both ways, until `heal` or the rule is taken back.

        Raises NodeNotFound, NotRunning, InvalidArgument, FaultError, ProbeError.
        """
        from labctl.lab.faults import control

        lab = self._place.breakable()
        return Rule(self._place, control.partition(self._place.engine, lab, left, right, duration=span(lasting)))

    def heal(self) -> tuple[Fault, ...]:
        """Ends all partitions; gives them, as they were. Raises EngineError, FaultRefused, ProbeError."""
        from labctl.lab.faults import control

        return control.heal(self._place.engine, self._place.changeable()).cleared

    def faults(self) -> tuple[Fault, ...]:
        """All rules there are, one for each way, and those that are gone though nobody took them back.

        Raises EngineError, ProbeError.
        """
        from labctl.lab.faults import rules

        return tuple(rules.listing(self._place.engine, self._place.find()))

    def verdicts(self, *, since: Since | None = None) -> tuple[Verdict, ...]:
        """What rules did to packets, as their probes wrote it, also of rules that are gone: all of it, or `since` a
        time. Raises EngineError, InvalidArgument."""
        from labctl.lab.faults import verdicts

        return tuple(verdicts.since(self._place.engine, self._place.find(), moment_ns(since) or 0))

    def clear_faults(self, which: str | None = None) -> tuple[Fault, ...]:
        """Takes back a rule by its id, all of a link or a node, or without a name all there are; gives them.

        Raises FaultError (`no-such-fault`), FaultRefused, ProbeError.
        """
        from labctl.lab.faults import control

        return control.clear(self._place.engine, self._place.changeable(), which).cleared
