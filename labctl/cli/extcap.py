"""labctl-extcap: each node of each running lab as a choice in Wireshark's own list of interfaces (extcap(4)).

Wireshark runs every program in its extcap folder and asks it, one option at a time: which interfaces there are, what
kind of packets one has, what can be set for it, and at last to capture there, into a pipe that Wireshark reads.
`labctl capture --install-extcap` puts it there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from labctl import __version__
from labctl.errors import BadFilter, LabError, LabNotFound

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.engine.model import Engine

PREFIX = "labctl_"
ABOUT = f"extcap {{version={__version__}}}{{display=labctl}}"


def main() -> None:
    """The console script."""
    from labctl import __main__

    __main__.main(run)


def run() -> int:
    asked = _parser().parse_known_args()[0]  # a newer Wireshark may ask for what isn't known yet
    if asked.capture:
        return _capture(asked)
    if asked.interfaces:
        print("\n".join([ABOUT, *_interfaces()]))
    elif asked.dlts:
        # What was sent before faults has no Ethernet header; the capture itself says so, interface by interface.
        print("dlt {number=1}{name=EN10MB}{display=Ethernet}")
    elif asked.config:
        print(
            "arg {number=0}{call=--last}{display=Also what was recorded in the last}{type=string}"
            "{tooltip=a time such as 30s or 5m; empty: only what comes}"
        )
    elif asked.filter and asked.interface:
        _check_filter(asked)
    else:
        print(ABOUT)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="labctl-extcap",
        description="Wireshark asks this program for labs' interfaces; `labctl capture` is for people.",
        allow_abbrev=False,
    )
    parser.add_argument("--extcap-interfaces", dest="interfaces", action="store_true")
    parser.add_argument("--extcap-version", dest="version", nargs="?")
    parser.add_argument("--extcap-interface", dest="interface", metavar="NAME")
    parser.add_argument("--extcap-dlts", dest="dlts", action="store_true")
    parser.add_argument("--extcap-config", dest="config", action="store_true")
    parser.add_argument("--extcap-capture-filter", dest="filter", default="", metavar="EXPR")
    parser.add_argument("--capture", action="store_true")
    parser.add_argument("--fifo", metavar="FILE")
    parser.add_argument("--last", default="", metavar="TIME")
    return parser


def _interfaces() -> Iterator[str]:
    """A line for each lab and for each of its nodes that runs. Where no engine answers there are none: Wireshark asks
    at each of its starts, and most of these have nothing to do with labs."""
    try:
        for value, lab, node, addresses in _choices(_engine()):
            if node:
                where = f" ({', '.join(addresses)})" if addresses else ""
                yield f"interface {{value={value}}}{{display=labctl: {node} in {lab.name}{where}}}"
            else:
                yield f"interface {{value={value}}}{{display=labctl: all nodes in {lab.name}}}"
    except LabError:
        return


def _choices(engine: Engine) -> Iterator[tuple[str, Lab, str | None, Sequence[str]]]:
    """Each interface's name with its lab, and its node where it is one's, with that one's addresses. A lab's name has
    no dot in it. What goes meanwhile is left out."""
    from labctl.api.labs import labs

    for lab in labs(engine=engine):
        try:
            there = lab.addresses()
        except LabNotFound:
            continue
        if there:
            yield f"{PREFIX}{lab.name}", lab, None, ()
        for node, addresses in there.items():
            yield f"{PREFIX}{lab.name}.{node}", lab, node, tuple(addresses)


def _chosen(engine: Engine, value: str) -> tuple[Lab, list[str]]:
    """The lab and the nodes of an interface. Raises LabError `no-interface`."""
    for name, lab, node, _ in _choices(engine):
        if name == value:
            return lab, [node] if node else []
    raise LabError("no-interface", name=value)


def _engine() -> Engine:
    from labctl.engine import connect_all

    return connect_all()


def _check_filter(asked: argparse.Namespace) -> None:
    """Says nothing of a good filter, or of one that nobody can judge yet, as nothing is recorded there."""
    lab, names = _chosen(_engine(), asked.interface)
    try:
        lab.check_filter(asked.filter, *names)
    except BadFilter as problem:
        print(problem.values["why"])


def _capture(asked: argparse.Namespace) -> int:
    """Captures into the pipe until Wireshark has enough: it closes the pipe, or sends SIGTERM."""
    from labctl.api.parts.captures import write_pcapng
    from labctl.cli import output
    from labctl.cli.context import ago

    if not asked.interface or not asked.fifo:
        raise LabError("bad-option", option="--capture", why="it needs --extcap-interface NAME and --fifo FILE")
    last = ago("--last", asked.last) if asked.last else 0.0
    lab, names = _chosen(_engine(), asked.interface)
    lab.hosts(*names)
    try:
        with open(asked.fifo, "wb") as out:
            with output.Progress("preparing") as report:
                lab.prepare(report)
            closed = partial(output.nobody_reads, out)
            write_pcapng(lab.packets(*names, filter=asked.filter, last=last, until=closed), out)
    except (BrokenPipeError, output.Terminated, KeyboardInterrupt):
        pass
    except OSError as problem:
        raise LabError("file-unwritable", file=asked.fifo, why=problem.strerror or problem) from None
    return 0


if __name__ == "__main__":
    main()
