"""labctl-extcap: each node of each running lab as a choice in Wireshark's own list of interfaces (extcap(4)).

Wireshark runs every program in its extcap folder and asks it, one option at a time: which interfaces there are, what
kind of packets one has, what can be set for it, and at last to capture there, into a pipe that Wireshark reads.
`labctl capture --install-extcap` puts it there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from labctl import __version__
from labctl.errors import BadFilter, LabError

if TYPE_CHECKING:
    from labctl.engine.model import Engine
    from labctl.lab.model import Lab, Node

PREFIX = "labctl_"
ABOUT = f"extcap {{version={__version__}}}{{display=labctl}}"


def main() -> None:
    """The console script."""
    from labctl.__main__ import main as boundary

    boundary(run)


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
        for value, lab, node in _choices(_engine()):
            if node:
                where = f" ({', '.join(node.addresses)})" if node.addresses else ""
                yield f"interface {{value={value}}}{{display=labctl: {node.name} in {lab.name}{where}}}"
            else:
                yield f"interface {{value={value}}}{{display=labctl: all nodes in {lab.name}}}"
    except LabError:
        return


def _choices(engine: Engine) -> Iterator[tuple[str, Lab, Node | None]]:
    """Each interface's name with its lab, and its node where it is one's. A lab's name has no dot in it."""
    from labctl.lab.model import find_all

    for lab in find_all(engine):
        there = [node for node in lab.hosts if node.has_network]
        if there:
            yield f"{PREFIX}{lab.name}", lab, None
        for node in there:
            yield f"{PREFIX}{lab.name}.{node.name}", lab, node


def _chosen(engine: Engine, value: str) -> tuple[Lab, list[str]]:
    """The lab and the nodes of an interface. Raises LabError `no-interface`."""
    for name, lab, node in _choices(engine):
        if name == value:
            return lab, [node.name] if node else []
    raise LabError("no-interface", name=value)


def _engine() -> Engine:
    from labctl.engine import connect

    return connect()


def _check_filter(asked: argparse.Namespace) -> None:
    """Says nothing of a good filter, or of one that nobody can judge yet, as nothing is recorded there."""
    from labctl.lab.recording import recorders

    engine = _engine()
    lab, names = _chosen(engine, asked.interface)
    there = recorders.recorders(engine, lab)
    node = next((node for node in lab.hosts if node.name in (names or there) and node.name in there), None)
    if node is None:
        return
    try:
        with recorders.Listening(engine, [node], there, expression=asked.filter) as listening:
            for _ in listening.hear():
                pass
    except BadFilter as problem:
        print(problem.values["why"])


def _capture(asked: argparse.Namespace) -> int:
    """Captures into the pipe until Wireshark has enough: it closes the pipe, or sends SIGTERM."""
    from labctl.cli import output
    from labctl.cli.context import ago, prepare_probe
    from labctl.lab.recording import capture
    from labctl.lab.recording.write import write

    if not asked.interface or not asked.fifo:
        raise LabError("bad-option", option="--capture", why="it needs --extcap-interface NAME and --fifo FILE")
    last = ago("--last", asked.last) if asked.last else 0.0
    engine = _engine()
    lab, names = _chosen(engine, asked.interface)
    where = capture.place(lab, names, asked.filter)
    try:
        with open(asked.fifo, "wb") as out:
            prepare_probe(engine)
            closed = partial(output.nobody_reads, out)
            write(capture.Capture(engine, lab, where, last=last, seconds=None, enough=closed), out)
    except (BrokenPipeError, output.Terminated, KeyboardInterrupt):
        pass
    except OSError as problem:
        raise LabError("file-unwritable", file=asked.fifo, why=problem.strerror or problem) from None
    return 0


if __name__ == "__main__":
    main()
