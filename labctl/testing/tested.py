"""A lab as a test has it: what it looks at began with the test, and its faults have to do something."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from labctl.api.lab import Lab
from labctl.api.link import Link, Rule
from labctl.cancel import Cancel
from labctl.errors import InvalidArgument, LabError

if TYPE_CHECKING:
    from labctl.api.wire import Wire
    from labctl.engine.model import Engine
    from labctl.events.model import Event


class TestedLab(Lab):
    """A Lab that knows when its test began. `record`: its packets are recorded."""

    __test__ = False  # it is none of pytest's classes

    def __init__(self, engine: Engine, name: str, *, record: bool, may_not_fire: bool = False) -> None:
        super().__init__(engine, name, Cancel(), takes_down=True)
        self.began = dt.datetime.now(dt.UTC)
        self.is_recorded = record
        self._rules: list[tuple[Rule, bool]] = []  # and whether each has to do something
        self._may_not_fire = may_not_fire

    def link(self, name: str, *, may_not_fire: bool = False) -> TestedLink:
        """As `Lab.link`. A rule on it that does nothing until the test ends makes the test fail: of loss in which
        nothing was lost nothing is proved. `may_not_fire`: not so."""
        super().link(name)  # its checks
        return TestedLink(self, name, may_not_fire=may_not_fire)

    def partition(self, left: str, right: str, *, lasting: float | str | None = None) -> Rule:
        """As `Lab.partition`; it has to stop a packet, unless the whole test's faults may do nothing."""
        return self.made(super().partition(left, right, lasting=lasting), may_not_fire=False)

    def made(self, rule: Rule, *, may_not_fire: bool) -> Rule:
        """Keeps a rule in mind that a test has made."""
        self._rules.append((rule, not (may_not_fire or self._may_not_fire)))
        return rule

    def wire(self, *names: str, since: Any = None, port: int | None = None) -> Wire:
        """As `Lab.wire`, since the test began unless another time is given."""
        return super().wire(*names, since=since or self.began, port=port)

    def expect(self, event: str, *, within: float = 5.0, since: Any = None) -> Event:
        """A node's event since the test began, or within so many seconds: `bob message 'hi'`, `web request
        path=/`. First the node, then what `labctl wait --event` takes.

        Raises AssertionError where it does not come, and what the nodes said instead; NodeNotFound, InvalidArgument.
        """
        from labctl.errors import LabTimeout, NodeStopped

        __tracebackhide__ = True  # the failure is the caller's line
        node, _, what = event.strip().partition(" ")
        if not what:
            raise LabError("bad-option", option="expect", why=f"{event!r} is no node and its event: `bob message 'hi'`")
        try:
            return self.wait_for(what, nodes=(node,), since=since or self.began, timeout=within)
        except (LabTimeout, NodeStopped) as problem:
            said = "\n".join(timeline(self, (node,), last=10)) or f"{node} said nothing"
            # Why it could not come any more; that the time is over has been said.
            why = f": {problem}" if isinstance(problem, NodeStopped) else ""
            raise AssertionError(f"{node} had no event {what} within {within:g} s{why}\n{said}") from None

    def join(self, container: Any, *, network: str | None = None, aliases: Sequence[str] = ()) -> str:
        """A container that somebody else started joins one of the lab's networks (the only one, unless it is named),
        under these names. `container`: one of testcontainers, one of docker's, or an id. Its address there.

        Raises InvalidArgument where the network isn't clear, EngineError.
        """
        network = self.network(network)
        return self.engine.join(network, _ident(container), tuple(aliases))

    def network(self, name: str | None = None) -> str:
        """What the engine calls a network of the lab (the only one, unless it is named): testcontainers' and docker's
        `network=`. Raises InvalidArgument."""
        from labctl.engine.model import COMPOSE_NETWORK, COMPOSE_PROJECT

        mine = self.engine.networks([f"{COMPOSE_PROJECT}={self.name}"])
        found = {one.labels.get(COMPOSE_NETWORK, one.name): one.name for one in mine}
        if name is None and len(found) == 1:
            return next(iter(found.values()))
        if name not in found:
            has = ", ".join(sorted(found)) or "none"
            raise LabError("bad-option", option="network", why=f"{self.name} has {has}; name one of them")
        return found[name]

    def connect(self, node: str, network: Any, *, aliases: Sequence[str] = ()) -> str:
        """A node of the lab joins somebody else's network, as one of testcontainers': its name or id. The address.

        Who removes the network while the lab is there lets the node leave first (`disconnect`): the engine refuses
        else. Raises NodeNotFound, EngineError.
        """
        return self.engine.join(_network(network), self.snapshot().node(node).container.id, (node, *aliases))

    def disconnect(self, node: str, network: Any) -> None:
        """A node leaves a network that `connect` brought it to. Raises NodeNotFound, EngineError."""
        self.engine.leave(_network(network), self.snapshot().node(node).container.id)

    def idle_rules(self) -> list[str]:
        """The rules that have to do something and did nothing, each as it is typed."""
        idle = [rule for rule, must in self._rules if must and not self._did(rule)]
        return [f"{rule.what} on {', '.join(rule.links)} ({rule.id})" for rule in idle]

    def take_back(self) -> None:
        """Ends all rules that the test has made. Raises LabError."""
        for rule, _ in self._rules:
            rule.clear()

    def start_all(self) -> None:
        """All nodes run again that were stopped, killed or paused. Raises LabError."""
        for one in self.status():
            if one.state == "paused":
                self.node(one.node.name).unpause()
            elif one.state in ("exited", "created", "dead"):
                self.node(one.node.name).start()

    def _did(self, rule: Rule) -> bool:
        """By what the kernel counts or, where it is gone by itself, by what its probe wrote."""
        try:
            if sum(rule.done.values()):
                return True
        except LabError:
            return True  # the node is gone, and with it who could tell
        return any(one.rule == rule.id for one in self.verdicts(since=self.began))


class TestedLink(Link):
    """A link of a TestedLab."""

    __test__ = False

    def __init__(self, lab: TestedLab, name: str, *, may_not_fire: bool) -> None:
        super().__init__(lab._place, name)
        self._lab, self._may_not_fire = lab, may_not_fire

    def add(self, wanted: Any, *, on_start: str | None = None) -> Rule:
        return self._lab.made(super().add(wanted, on_start=on_start), may_not_fire=self._may_not_fire)


def timeline(lab: TestedLab, nodes: Sequence[str] = (), *, last: int) -> list[str]:
    """The last events since the test began, of some nodes or all, a line each."""
    from labctl.render.timeline import Timeline

    try:
        events = list(lab.journal(*nodes, since=lab.began, tail=last))
    except LabError as problem:
        return [f"(the journal can't be read: {problem.message})"]
    drawn = Timeline(sorted({event.node for event in events}), columns=120, colour=False)
    return [drawn.line(event) for event in events]


def _network(network: Any) -> str:
    """The id or name of a network of testcontainers, of docker's SDK, or as it is."""
    return str(getattr(network, "id", None) or getattr(network, "name", None) or network)


def _ident(container: Any) -> str:
    """The id of a container of testcontainers, of docker's SDK, or as it is."""
    if isinstance(container, str):
        return container
    wrapped = getattr(container, "get_wrapped_container", None)
    found = wrapped() if wrapped is not None else container
    ident = getattr(found, "id", None)
    if not isinstance(ident, str):
        raise InvalidArgument("bad-option", option="container", why="it is no container that runs, and no id")
    return ident
