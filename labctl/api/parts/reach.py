"""What can be reached from a node, and how fast: ping, route, names, throughput. `Lab` and `Node` have these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from labctl.api.times import rate_of, seconds_of

if TYPE_CHECKING:
    from labctl.api.place import Place
    from labctl.api.results.reached import Ping, Resolution, Route, Speed
    from labctl.lab.reach import dns, ping, route, speed
    from labctl.lab.reach.route import Entry

Family = Literal[4, 6]


class ReachingLab:
    """What `Lab` measures between its nodes."""

    _place: Place

    def speed(
        self,
        source: str,
        target: str,
        *,
        udp: bool = False,
        seconds: float | str = 3.0,
        rate: float | str | None = None,
        size: int = 1448,
        most: int | None = None,
        family: Family | None = None,
        begun: Callable[[speed.Asked], object] = lambda asked: None,
    ) -> Speed:
        """How fast a node can send to another: for `seconds`, `most` bytes at most (2 MiB where one of them is
        recorded, unless it is given; 0: any number), datagrams of `size` bytes at `rate` bits a second, or a text such
        as `5mbit` (10e6; 0: no limit). It ends after three times `seconds` and 50 s at the latest; `begun` is called
        with what is measured, before it is.

        Raises NoAnswer where nothing arrived, InvalidArgument, NodeNotFound, NotRunning, ProbeError.
        """
        from labctl.api.results.reached import Speed
        from labctl.lab.reach import speed

        lab, time = self._place.prepared(), seconds_of("seconds", seconds) if isinstance(seconds, str) else seconds
        asked: speed.Asked | None = None
        for item in speed.speed(
            self._place.engine,
            lab,
            source,
            target,
            udp=udp,
            seconds=time,
            most=most,
            rate=rate_of(rate),
            size=size,
            family=family,
        ):
            if isinstance(item, speed.Asked):
                asked = item
                begun(asked)
            else:
                measured = item
        assert asked
        speed.check(asked, measured)
        return Speed(asked, measured, speed.document(lab, asked, measured))


class ReachingNode:
    """What `Node` finds out about its place in the network; the node itself needs no tool and no privilege."""

    _name: str
    _place: Place

    def ping(
        self,
        target: str,
        *,
        count: int = 3,
        interval: float | str = 0.2,
        timeout: float = 2.0,
        size: int = 56,
        ttl: int | None = None,
        family: Family | None = None,
        begun: Callable[[ping.Asked], object] = lambda asked: None,
        show: Callable[[ping.Answer], object] = lambda answer: None,
    ) -> Ping:
        """Asks whether a node, an address or a name answers (ICMP echo): `count` requests with `interval` seconds
        between, each of `size` bytes and answered within `timeout` seconds. `begun` is called with what is asked,
        `show` with each answer as it comes.

        Raises NoAnswer, ReachError (`unreachable`), Unresolved, NodeNotFound, NotRunning.
        """
        from labctl.api.results.reached import Ping
        from labctl.lab.reach import ping

        engine, lab = self._place.engine, self._place.prepared()
        time = seconds_of("interval", interval)
        asked, answers = None, []
        for item in ping.ping(
            engine,
            lab,
            self._name,
            target,
            count=count,
            interval=time,
            timeout=timeout,
            size=size,
            ttl=ttl,
            family=family,
        ):
            if isinstance(item, ping.Asked):
                asked = item
                begun(asked)
            else:
                answers.append(item)
                show(item)
        assert asked
        ping.check(lab, asked, answers)
        return Ping(asked.target, tuple(answers), ping.summary(answers), ping.document(lab, asked, answers))

    def route(
        self,
        target: str,
        *,
        timeout: float = 1.0,
        family: Family | None = None,
        begun: Callable[[route.Chosen], object] = lambda chosen: None,
        show: Callable[[route.Hop], object] = lambda hop: None,
    ) -> Route:
        """The way to a node, an address or a name, hop by hop; `timeout` in seconds for each of 16 at most. `begun` is
        called with the route of its table, `show` with each hop as it is known.

        Raises NoAnswer, ReachError (`unreachable`), Unresolved, NodeNotFound, NotRunning.
        """
        from labctl.api.results.reached import Route
        from labctl.lab.reach import route

        lab = self._place.prepared()
        chosen, hops = None, []
        for item in route.path(self._place.engine, lab, self._name, target, timeout=timeout, family=family):
            if isinstance(item, route.Chosen):
                chosen = item
                begun(chosen)
            else:
                hops.append(item)
                show(item)
        assert chosen
        route.check(lab, chosen, hops, timeout)
        return Route(chosen.target, chosen.entry, tuple(hops), route.document(lab, chosen, hops))

    def routes(self) -> tuple[Entry, ...]:
        """The node's routing table, IPv4 first. Raises NotRunning, ProbeError."""
        from labctl.lab.reach import route

        return tuple(route.table(self._place.engine, self._place.prepared(), self._name))

    def dns(
        self,
        name: str,
        *,
        types: Sequence[str] = (),
        server: str | None = None,
        timeout: float = 5.0,
        show: Callable[[dns.Lookup], object] = lambda lookup: None,
    ) -> Resolution:
        """Asks the node's name server (or another), as the node itself would, for records of some types (A and AAAA; of
        an address PTR); `timeout` in seconds for each. `show` is called with what was said, also where it was no.

        Raises ReachError (`no-such-name`, `no-records`, `dns-failed`, `dns-silent`), InvalidArgument, NotRunning.
        """
        from labctl.api.results.reached import Resolution
        from labctl.lab.reach import dns

        lab = self._place.prepared()
        lookup = dns.ask(self._place.engine, lab, self._name, name, types=types, server=server, timeout=timeout)
        show(lookup)
        dns.check(lab, lookup)
        return Resolution(lookup, lookup.as_json(lab))
