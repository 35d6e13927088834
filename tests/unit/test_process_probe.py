"""What records at a node, as it answers: over its socket, with a recorder that traces nothing."""

import json
import socket

import process_probe
import pytest
from labprocess.history import History

from labnode.loop import Loop


class Recorder:
    """What is to be recorded is given to it."""

    def __init__(self, loop, publish):
        self.publish = publish
        self.since: int | None = None
        self.histories: dict[str, History] = {}

    def start(self, ready) -> None:
        if self.since is None:
            self.since = 1
            self.histories = {kind: History() for kind in ("calls", "waits", "states")}
        ready({})

    def stop(self, over=lambda: None) -> None:
        self.since, self.histories = None, {}
        over()


class Client:
    """Whoever asks."""

    def __init__(self, loop: Loop, address: str, **request):
        self._loop, self.data, self.ended = loop, b"", False
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(address)
        self._socket.setblocking(False)
        self._socket.sendall(json.dumps(request).encode() + b"\n")

    def read(self) -> None:
        """What there is now."""
        try:
            while not self.ended:
                found = self._socket.recv(1 << 20)
                self.data += found
                self.ended = not found
        except BlockingIOError:
            return

    def until(self, true) -> None:
        """Reads on until something is true."""

        def enough() -> bool:
            self.read()
            return true()

        self._loop.run(enough)

    def all(self) -> list[dict]:
        self.until(lambda: self.ended)
        self._socket.close()
        return self.events()

    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.data.split(b"\n") if line]


@pytest.fixture
def probe(tmp_path, monkeypatch):
    monkeypatch.setattr(process_probe, "ADDRESS", str(tmp_path / "processes"))
    monkeypatch.setattr(process_probe, "Recorder", Recorder)
    found = process_probe.ProcessProbe(Loop())
    found.ask = lambda **request: Client(found.loop, process_probe.ADDRESS, **request)
    yield found
    found.close()


def names(events: list[dict]) -> list[str]:
    return [event["event"] for event in events]


@pytest.mark.parametrize("request_", [{"do": "start"}, {"do": "read", "kinds": ["calls"]}, {"do": "stop"}])
def test_an_answer_ends_with_a_word_that_this_was_all(probe, request_):
    assert names(probe.ask(**request_).all()) == ["recording", "complete"]


def test_only_who_began_takes_it_back(probe):
    assert probe.ask(do="start", mark="mine").all()[0]["fresh"] is True
    assert probe.ask(do="start", mark="yours").all()[0]["fresh"] is False
    assert probe.ask(do="stop", mark="yours").all()[0]["since"]
    assert probe.ask(do="read", kinds=[]).all()[0]["since"], "it was not theirs to end"
    assert probe.ask(do="stop", mark="mine").all()[0]["since"]
    assert probe.ask(do="read", kinds=[]).all()[0]["since"] is None
    probe.ask(do="start", mark="mine").all()
    probe.ask(do="stop").all()
    assert probe.ask(do="read", kinds=[]).all()[0]["since"] is None, "without a mark anybody's"
