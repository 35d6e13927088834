"""A program's folder for an engine on another machine: what is sent of it, and where it goes."""

import os
import tarfile

import pytest

from labctl.engine.docker import making, sending
from labctl.engine.nodes import NodeOrder
from labctl.errors import LabError


class Wire:
    """Keeps what it is given."""

    def __init__(self):
        self.asked, self.members = [], {}

    def stream(self, method, path, *, file, limit):
        self.asked.append((method, path))
        with tarfile.open(file) as tar:
            self.members = {member.name: member for member in tar}
        self.sock = self
        return self

    def close(self):
        pass


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "program"
    (place / "lib").mkdir(parents=True)
    (place / "server.py").write_text("print()\n")
    (place / "server.py").chmod(0o666)
    (place / "lib" / "more.py").write_text("x = 1\n")
    (place / "again.py").symlink_to("server.py")
    os.mkfifo(place / "pipe")
    return place


def test_all_of_it_is_sent_as_roots_which_nobody_else_may_write(folder):
    wire = Wire()
    sending.send(wire, "c" * 64, str(folder), "/program", "far")
    assert wire.asked == [("PUT", f"/containers/{'c' * 64}/archive?path=%2Fprogram")]
    assert set(wire.members) == {".", "./server.py", "./lib", "./lib/more.py", "./again.py"}
    assert {(member.uid, member.gid) for member in wire.members.values()} == {(0, 0)}
    assert wire.members["./server.py"].mode == 0o644
    assert wire.members["./again.py"].linkname == "server.py"


def test_one_that_is_too_large_is_refused(folder, monkeypatch):
    monkeypatch.setattr(sending, "MOST", 10)
    with pytest.raises(LabError, match="can't be sent to far, where the engine is: it holds more than") as caught:
        sending.send(Wire(), "c" * 64, str(folder), "/program", "far")
    assert caught.value.code == "folder-not-sent"


def test_where_nothing_is_mounted_there_is_a_volume_for_it():
    order = NodeOrder("n", "n", "i", ("x",), {}, {}, "net", (), 1 << 20, folder="/here", place="/program")
    assert making.node(order)["HostConfig"]["Mounts"][0] | {"Type": "bind"} == {
        "Type": "bind",
        "Source": "/here",
        "Target": "/program",
        "ReadOnly": True,
    }
    mounts = making.node(order, mounts=False)["HostConfig"]["Mounts"]
    assert mounts == [{"Type": "volume", "Target": "/program"}]
