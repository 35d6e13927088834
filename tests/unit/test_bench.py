"""bench: what is made of samples, and the client that asks the servers."""

import ipaddress
import json
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import yaml

from bench import load_client, report
from bench.__main__ import ASKED, MEASUREMENTS, _options, main
from bench.floor import Floor
from bench.measurements import size
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


def test_the_short_part_leaves_the_large_meshes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def names(*arguments: str) -> list[str]:
        monkeypatch.setattr("sys.argv", ["bench", *arguments])
        return list(_options().names)

    usual = [name for name in MEASUREMENTS if name not in ASKED]
    assert names() == usual
    assert names("--short") == [name for name in usual if not name.startswith("size-")]
    assert names(*ASKED) == list(ASKED)
    assert names("size-20") == ["size-20"]


def test_a_mesh_is_the_topology_itself_in_that_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size, "free_subnet", lambda wished: ipaddress.IPv4Network((int(wished[0]) + 4096, 20)))
    found = yaml.safe_load(size.mesh(200))
    assert found["services"]["peer"]["scale"] == 200
    assert found["services"]["peer"]["extends"]["file"] == "services/nodes.yaml"
    assert found["networks"]["lab"]["ipam"]["config"] == [{"subnet": "10.79.16.0/20"}]


class Calls:
    """An engine's wire that only writes down what it is asked for."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str]] = []
        self.bodies: list[dict] = []

    def call(self, method: str, path: str, /, *, body: dict | None = None, **query: object) -> dict:
        self.made.append((method, path))
        if body:
            self.bodies.append(body)
        if method == "GET" and path.startswith("/containers"):
            config = {
                "Image": "x",
                "Hostname": path.split("/")[2],
                "OpenStdin": True,
                "Labels": {"dev.labctl.lab": "mesh"},
            }
            networks = {"NetworkSettings": {"Networks": {"mesh_lab": {}}}}
            return {"Config": config, "HostConfig": {"Memory": 64}, **networks}
        if method == "GET":
            keys = ("Driver", "IPAM", "Options", "EnableIPv6", "Internal", "Attachable")
            return {**dict.fromkeys(keys, "as it was"), "Id": "1", "Labels": {"dev.labctl.lab": "mesh"}}
        return {"Id": f"c{query.get('name', '')}"}


def test_the_floor_makes_the_same_containers_and_takes_them_down() -> None:
    floor = Floor("mesh")
    floor._wire = wire = Calls()  # type: ignore[assignment]
    lab = SimpleNamespace(
        name="mesh", containers=lambda: [SimpleNamespace(id=str(n), name=f"mesh-peer-{n}") for n in (1, 2, 3)]
    )
    floor.learn(lab)  # type: ignore[arg-type]
    wire.made.clear()
    floor.up()
    assert wire.made[0] == ("POST", "/networks/create")
    assert wire.made.count(("POST", "/containers/create")) == 3
    assert {path for method, path in wire.made if path.endswith("/start")} == {
        f"/containers/cmesh-peer-{number}/start" for number in (1, 2, 3)
    }
    network, first, *_ = wire.bodies
    assert network["Labels"] == first["Labels"] == {"com.docker.compose.project": "mesh"}, "nothing of labctl's"
    assert (first["Image"], first["OpenStdin"], first["HostConfig"]) == ("x", True, {"Memory": 64})
    assert "Hostname" not in first
    wire.made.clear()
    floor.down()
    assert [method for method, path in wire.made if path == "/containers/mesh-peer-2"] == ["DELETE"]
    assert wire.made[-1] == ("DELETE", "/networks/mesh_lab")
