"""The probe of faults, without a kernel: the order of orders, and what it does where the kernel refuses."""

import time
from types import SimpleNamespace

import fault_probe
import pytest
from labfault import tables

from labnode.keyboard import Input


def test_a_change_comes_after_what_was_committed_before(tmp_path, monkeypatch):
    """It may be what takes that back: else the rule would come into force behind it, for good."""
    monkeypatch.setattr(fault_probe, "COMMITS", str(tmp_path))
    done: list[dict] = []
    probe = object.__new__(fault_probe.FaultProbe)
    probe._apply, probe._list = done.append, lambda typed: None
    probe._loop = SimpleNamespace(later=lambda *_: None)
    rule, keys = {"id": "f1", "link": "a:b", "seed": 1}, [["f1", "a:b"]]
    wanted, other = {"set": [rule]}, {"set": []}
    probe._pending = {
        "c" * 24: (time.monotonic(), wanted, Input("1", "change", None, {})),
        "d" * 24: (time.monotonic(), other, Input("2", "change", None, {})),
    }
    (tmp_path / ("c" * 24)).touch()
    probe.on_input(Input("3", "change", None, {"change": {"clear": keys}}))
    assert done == [wanted, {"clear": keys}]
    assert list(probe._pending) == ["d" * 24], "that one isn't decided yet"


def test_where_the_kernel_refuses_the_probe_goes_on(monkeypatch):
    """A beat must never wait for an answer: the rules' lease would be over, and nobody told."""

    class Socket:
        timeout: float | None = 0.0

        def settimeout(self, seconds):
            self.timeout = seconds

        def setblocking(self, wanted):
            self.timeout = None if wanted else 0.0

        def recv(self, size):
            raise BlockingIOError

    def send(sock, data):
        assert sock.timeout, "it does not wait for ever either"
        raise PermissionError

    monkeypatch.setattr(tables.nfnetlink, "send", send)
    standing = tables.Tables()
    standing._socket = Socket()
    with pytest.raises(PermissionError):
        standing.let_pass()
    assert standing._socket.timeout == 0.0
