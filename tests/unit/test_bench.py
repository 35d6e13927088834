"""bench: what is made of samples, and the client that asks the servers."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from bench import load_client, report
from bench.__main__ import MEASUREMENTS, main
from bench.model import Result, Setting, Target


def result(ours: tuple[float, ...], theirs: tuple[float, ...], target: Target) -> Result:
    return Result("x", "a thing", "ms", ours, theirs, "another", target)


def test_the_ratio_is_the_median_of_the_pairs_ratios() -> None:
    # The medians alone are 2 and 4: a slow spell of the machine (the last pair) must not count for one side only.
    found = result((1, 2, 30), (4, 2, 30), Target(1.0))
    assert found.ratio == 1.0
    assert found.is_met
    assert found.as_json()["ratio"] == {"median": 1.0, "min": 0.25, "max": 1.0}


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target(0.5), True),
        (Target(0.4), False),
        (Target(0.6, at_least=True), False),
        (Target(2.0, absolute=True), True),
        (Target(1.0, absolute=True), False),
    ],
)
def test_a_target_is_of_the_ratio_or_of_our_median(target: Target, met: bool) -> None:
    assert result((2,), (4,), target).is_met is met


def test_sides_are_measured_in_turn_and_the_first_pair_is_left_out() -> None:
    order: list[str] = []

    def side(name: str, values: Iterator[float]) -> float:
        order.append(name)
        return next(values)

    ours, theirs = iter([9.0, 1.0, 2.0]), iter([9.0, 3.0, 4.0])
    found = Setting(2, lambda text: None).alternate("x", lambda: side("a", ours), lambda: side("b", theirs))
    assert found == [(1.0, 2.0), (3.0, 4.0)]
    assert order == ["a", "b"] * 3


def test_the_table_names_what_was_missed() -> None:
    table = report.table([result((2,), (1,), Target(1.0)), result((1,), (), Target(5.0, absolute=True))])
    assert table.splitlines()[1:] == [
        "a thing   2 ms  another  1 ms    2.00   <= 1     missed",
        "a thing   1 ms  another  -       -      <= 5 ms  met",
    ]


def test_an_unknown_measurement_is_wrong_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr("sys.argv", ["bench", "speed"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert f"there are {', '.join(MEASUREMENTS)}" in capsys.readouterr().err


def serve(answer: bytes | None) -> int:
    """A server for two connections that answers each piece with the piece itself, or with `answer`; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk(sock: socket.socket) -> None:
        with sock:
            while data := sock.recv(65536):
                sock.sendall(data if answer is None else answer)

    def accept() -> None:
        with listener:
            for _ in range(2):
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("kind", "answer"), [("echo", None), ("web", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")]
)
def test_the_client_counts_round_trips(kind: str, answer: bytes | None, capsys: pytest.CaptureFixture) -> None:
    load_client.main(kind, "127.0.0.1", str(serve(answer)), "2", "5", "100")
    found = json.loads(capsys.readouterr().out)
    assert 100 <= found["count"] <= 101
    assert found["rate"] == pytest.approx(found["count"] / found["seconds"])
    assert found["busy"] > 0


def test_the_client_looks_at_every_answer() -> None:
    with pytest.raises(SystemExit, match="a wrong answer"):
        load_client.main(
            "web", "127.0.0.1", str(serve(b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno")), "1", "5", "9"
        )
