"""Recorders of the in-memory engine: what they would tell, and a lab for them."""

import io
import json
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from labctl.engine.memory import Execution, MemoryEngine
from labctl.engine.model import LABEL_PROBED, Line
from labctl.errors import LabError
from labctl.lab.model import Lab, find
from labctl.packets.files.write import Writer
from labctl.packets.protocols.link import ETHERNET, RAW

ALICE, BOB, WEB = "10.77.0.5", "10.77.0.6", "10.77.1.7"
ETHER = bytes(12) + b"\x08\0"
USER = 147  # a link type that is nobody's


class Recorders:
    """What the recorders would answer, without any kernel: `packets` by node, as (tap, nanoseconds ago, bytes)."""

    def __init__(self, engine: MemoryEngine) -> None:
        self.packets: dict[str, list[tuple[str, int, bytes]]] = {}
        self.asked: list[tuple[str, list[str]]] = []
        self.status, self.words, self.refused, self.drops = 0, b"", "", 0
        self.problems: list[str] = []
        self.orders: list[Any] = []
        self.late: dict[str, float] = {}  # seconds after the others that a node's recorder answers
        self.since: float | None = None  # seconds from now, when the recorder began
        self.on_asked: Callable[[str], object] = lambda node: None
        engine.probe_commands = self.commands

    def commands(self, order: Any) -> Callable[[Sequence[str]], Execution]:
        node = order.labels[LABEL_PROBED]
        self.orders.append(order)

        def run(command: Sequence[str]) -> Execution:
            self.asked.append((node, list(command[2:])))
            self.on_asked(node)
            if self.refused:
                return Execution([Line(json.dumps({"refused": self.refused}).encode() + b"\n", stderr=True)], 2)
            if self.status or self.words:
                return Execution([Line(self.words, stderr=True)], self.status)
            asked = time.time_ns()
            now = asked + int(self.late.get(node, 0.0) * 1e9)
            out = io.BytesIO()
            writer = Writer(out)
            wanted = float(command[command.index("--last") + 1]) * 1e9 - (now - asked) if "--last" in command else now
            for tap, ago, data in self.packets.get(node, []):
                if ago > wanted:
                    continue
                number = writer.interface(f"eth0:{tap}", RAW if tap == "sent" else ETHERNET)
                writer.packet(number, asked - ago, data)
            state = {
                "now_ns": now,
                "begin_ns": 0,
                "since_ns": 0 if self.since is None else now + int(self.since * 1e9),
                "live": False,
                "ended": True,
                "drops": self.drops,
                "interfaces": {"2": "eth0"},
                "problems": self.problems,
            }
            writer.packet(writer.interface("recorder:state", USER), now, json.dumps(state).encode())
            return Execution([Line(out.getvalue())])

        return run


@pytest.fixture
def lab(engine: MemoryEngine) -> Callable[[], Lab]:
    engine.add("lab", "alice", role="chat", addresses={"ab": (ALICE,)})
    engine.add("lab", "bob", role="chat", addresses={"ab": (BOB,)})
    engine.add("lab", "web", role="http", addresses={"w": (WEB,)}, gateways=("10.77.1.1",))
    engine.add("lab", "off", role="udp", addresses={"ab": ("10.77.0.8",)}, state="exited")
    return lambda: find(engine, "lab")


@pytest.fixture
def fakes(engine: MemoryEngine) -> Recorders:
    return Recorders(engine)


def refused(code: str, word: str, act: Callable[..., object], *args: object, **options: Any) -> None:
    with pytest.raises(LabError) as found:
        act(*args, **options)
    assert found.value.code == code, found.value.message
    assert word in found.value.message


def arp(asking: str, asked: str, *, operation: int = 1, target: bytes = b"\xff" * 6) -> bytes:
    ends = [bytes(6) + bytes(map(int, address.split("."))) for address in (asking, asked)]
    head = target + bytes(6) + b"\x08\x06"
    return head + struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + ends[0] + ends[1]
