"""What Wireshark is offered while labs come and go."""

import pytest

from labctl.cli import extcap
from labctl.engine.memory import MemoryEngine


class Passing(MemoryEngine):
    """From the second look at it on, the lab `short` is gone; from the fourth on, bob is as well."""

    looks = 0

    def containers(self, labels=(), *, running=False):
        self.looks += 1
        gone = {"short-alice-1"} if self.looks > 1 else set()
        gone |= {"lab-bob-1"} if self.looks > 3 else set()
        return [one for one in super().containers(labels, running=running) if one.name not in gone]


@pytest.fixture
def offered(monkeypatch):
    engine = Passing()
    engine.add("short", "alice", addresses={"short_net": ("10.77.1.5",)})
    for name, address in (("alice", "10.77.0.5"), ("bob", "10.77.0.6")):
        engine.add("lab", name, addresses={"lab_net": (address,)})
    monkeypatch.setattr(extcap, "_engine", lambda: engine)
    return list(extcap._interfaces())


def test_what_goes_meanwhile_hides_nothing_else(offered):
    assert "interface {value=labctl_lab}{display=labctl: all nodes in lab}" in offered
    assert "interface {value=labctl_lab.alice}{display=labctl: alice in lab (10.77.0.5)}" in offered
    assert not any("short" in line for line in offered)
