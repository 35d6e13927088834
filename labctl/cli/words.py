"""What somebody may type who knows another tool: which of our commands does that."""

from __future__ import annotations

import signal
from typing import Any

import click
from typer.core import TyperGroup

from labctl.cli.output import Terminated

# The word, and what to type here. Of containerlab, netlab, Kathará, Mininet, Compose, docker, and Unix.
ELSEWHERE = {
    "deploy": "up",
    "create": "up",
    "lstart": "up",
    "destroy": "down",
    "remove": "down",
    "delete": "down",
    "cleanup": "down",
    "lclean": "down",
    "status": "ps",
    "linfo": "ps",
    "nodes": "ps",
    "list": "ls",
    "labs": "ls",
    "config": "validate",
    "lint": "validate",
    "check": "validate",
    "topology": "graph",
    "draw": "graph",
    "images": "build",
    "connect": "shell",
    "ssh": "shell",
    "bash": "shell",
    "sh": "shell",
    "console": "shell",
    "xterm": "shell",
    "term": "shell",
    "login": "shell",
    "type": "send",
    "copy": "cp",
    "scp": "cp",
    "htop": "top",
    "processes": "top",
    "port": "ps",
    "ports": "ps",
    "netstat": "sockets",
    "ss": "sockets",
    "lsof": "sockets",
    "strace": "syscalls",
    "tcpdump": "capture",
    "tshark": "capture",
    "sniff": "capture",
    "record": "capture --start",
    "wireshark": "capture --wireshark",
    "pcap": "packet",
    "iperf": "speed",
    "iperf3": "speed",
    "bandwidth": "speed",
    "throughput": "speed",
    "pingall": "ping",
    "traceroute": "route",
    "tracepath": "route",
    "mtr": "route",
    "routes": "route",
    "dig": "dns",
    "nslookup": "dns",
    "host": "dns",
    "resolve": "dns",
    "curl": "http get",
    "wget": "http get",
    "get": "http get",
    "nc": "echo send",
    "netcat": "echo send",
    "telnet": "echo send",
    "tc": "fault add",
    "netem": "fault add",
    "delay": "fault delay",
    "drop": "fault drop",
    "loss": "fault add",
    "cut": "partition",
    "link": "partition",
    "resume": "unpause",
    "freeze": "pause",
    "signal": "kill",
    "log": "logs",
    "journal": "logs",
    "events": "logs -f",
    "diagram": "ladder",
    "show": "inspect",
    "describe": "inspect",
    "info": "doctor",
    "prune": "clean --images",
    "uninstall": "clean --images",
    "man": "help",
}


class Commands(TyperGroup):
    """All of labctl; it knows some words of other tools. Its help is the page that `labctl --help` prints without any
    of this."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from labctl.cli import front, output

        formatter.write(front.text(output.columns()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as told:  # typer would make an exit status of it, and forget what is to be said
            ended = Terminated(signal.SIGINT)
            for note in getattr(told, "__notes__", ()):
                ended.add_note(note)
            raise ended from told

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as problem:
            ours = ELSEWHERE.get(args[0].lower())
            if ours is None:
                raise
            raise click.UsageError(f"No such command {args[0]!r}; here it is `labctl {ours}`.", ctx) from problem
