"""exec, shell, top and cp without a lab: their command lines, what is ended, archives that are not to be trusted."""

import io
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import click
import pytest

from labctl.cli.app import command_line
from labctl.engine.memory import Execution
from labctl.engine.model import Line, Process
from labctl.errors import LabError
from labctl.lab.inside import archives, carrier, copying, execution, killer, shells
from labctl.lab.inside.execution import Place
from labctl.lab.inside.processes import top
from labctl.lab.life.choosing import one, several
from labctl.render.processes import table


def parsed(name: str, *args: str) -> dict:
    command = command_line().commands[name]
    context = command.make_context(name, list(args), parent=click.Context(command_line(), info_name="labctl"))
    return context.params


@pytest.mark.parametrize(
    ("args", "lab", "nothing", "command"),
    [
        (["a", "ls", "-l"], None, False, ["ls", "-l"]),
        (["a", "--", "ls", "-l"], None, False, ["ls", "-l"]),
        (["--", "a", "ls", "-l"], None, False, ["ls", "-l"]),
        (["-n", "a", "ls", "-n", "--lab", "x"], None, True, ["ls", "-n", "--lab", "x"]),
        (["a", "--lab", "x", "-n", "ls", "-n"], "x", True, ["ls", "-n"]),
        (["--lab=x", "a", "ls", "--lab=y"], "x", False, ["ls", "--lab=y"]),
        (["a", "sh", "-c", "x", "--", "y"], None, False, ["sh", "-c", "x", "--", "y"]),
        (["a", "--", "--", "x"], None, False, ["--", "x"]),
        (["a", "-"], None, False, ["-"]),
    ],
)
def test_where_a_command_begins(args, lab, nothing, command):
    found = parsed("exec", *args)
    assert (found["node"], found["lab"], found["nothing"], list(found["command"])) == ("a", lab, nothing, command)


def test_trace_leaves_its_commands_options_alone():
    found = parsed("trace", "--node", "a", "chat", "send", "alice", "hi", "--timeout", "3")
    assert [list(found[key]) for key in ("node", "command")] == [
        ["a"],
        ["chat", "send", "alice", "hi", "--timeout", "3"],
    ]


# Scaled services


def scaled(engine):
    for number in ("2", "1"):
        made = engine.add("lab", "pool")
        made.record.labels["com.docker.compose.container-number"] = number
    engine.add("lab", "web")


def test_a_scaled_service_is_its_first_node_or_all(engine, lab_of):
    scaled(engine)
    lab = lab_of()
    assert one(lab, "pool") == "pool-1"
    assert one(lab, "pool", 2) == "pool-2"
    assert one(lab, "pool-2") == "pool-2"
    assert [node.name for node in several(lab, ["pool", "web", "pool-1"])] == ["pool-1", "pool-2", "web"]
    with pytest.raises(LabError, match="pool has no container 3, but 1, 2"):
        one(lab, "pool", 3)
    with pytest.raises(LabError, match="there is no node poool"):
        one(lab, "poool")


# Commands


@pytest.fixture
def place(engine, lab_of):
    container = engine.add("lab", "a")
    lab = lab_of()
    return container, Place(lab, lab.node("a"))


def run(engine, place, *command: str) -> tuple[int, list]:
    said = []
    status = execution.run(
        engine,
        place,
        command,
        source=None,
        show=lambda data, stderr: said.append((data, stderr)),
        why_ended=lambda cause: None,
    )
    return status, said


def test_output_and_status_are_the_commands(engine, place):
    container, where = place
    container.commands = lambda command: Execution([Line(b"out"), Line(b"err", True)], 3)
    assert run(engine, where, "x") == (3, [(b"out", False), (b"err", True)])


@pytest.mark.parametrize(
    ("words", "status"),
    [("executable file not found in $PATH", 127), ("permission denied", 126), ("is a directory", 126)],
)
def test_program_that_is_not_there(engine, place, words, status):
    container, where = place
    said = f'OCI runtime exec failed: exec failed: unable to start container process: exec: "x": {words}: unknown\r\n'
    container.commands = lambda command: Execution([Line(said.encode())], 126)
    with pytest.raises(LabError, match="a can't run x") as caught:
        run(engine, where, "x")
    assert (caught.value.values["why"], execution.status_of(caught.value)) == (words, status)


def test_program_that_only_says_so(engine, place):
    container, where = place
    container.commands = lambda command: Execution([Line(b"OCI runtime exec failed: x")], 0)
    assert run(engine, where, "x") == (0, [(b"OCI runtime exec failed: x", False)])


def test_image_without_a_shell(engine, place):
    container, where = place
    container.commands = lambda command: Execution([Line(b"OCI runtime exec failed: exec failed: no sh")], 127)
    with pytest.raises(LabError, match="a has no shell: its image memory/None has neither bash nor sh"):
        shells.command_of(engine, where)
    container.commands = lambda command: Execution()
    assert shells.command_of(engine, where)[:2] == ["sh", "-c"]


MULE = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@pytest.mark.parametrize(("stubborn", "counts"), [(False, "1 0 0\n"), (True, "2 2 0\n")])
def test_killer_ends_what_carries_the_mark_alone(stubborn, counts):
    """Children whose environment is empty with it; SIGKILL for who doesn't listen."""
    mark = f"LABCTL_COMMAND={os.urandom(8).hex()}"
    name, value = mark.split("=")
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {MULE!r}], env={{}})" if stubborn else None
    command = [sys.executable, "-c", f"import signal; signal.signal(15, signal.SIG_IGN); {code}"] if code else ["cat"]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        subprocess.Popen(command, env={**os.environ, name: value}, **streams) as marked,
        subprocess.Popen(["cat"], **streams) as other,
    ):
        if stubborn:
            assert marked.stdout.readline() == b"up\n"
        program = [sys.executable, killer.__file__, mark, str(int(signal.SIGTERM)), "0.2" if stubborn else "5"]
        done = subprocess.run(program, capture_output=True, text=True, timeout=30, check=True)
        assert done.stdout == counts
        assert marked.wait(10) == (-9 if stubborn else -15)
        assert other.poll() is None
        other.stdin.close()


def test_top_names_who_does_not_run(engine, lab_of):
    container = engine.add("lab", "a")
    engine.add("lab", "b", state="exited")
    container.running = [Process(7, 1, "root", 0.5, 2048, "00:03", "cat -u"), Process(8, 7, "0", None, None, "", "x")]
    found = top(engine, lab_of(), [])
    assert [item.node for item in found] == ["a"]
    lines = table(found, columns=None, colour=False).splitlines()
    assert lines[0].split() == ["NODE", "PID", "PPID", "USER", "%CPU", "MEMORY", "ELAPSED", "COMMAND"]
    assert lines[1].split() == ["a", "7", "1", "root", "0.5", "2.0", "MiB", "00:03", "cat", "-u"]
    assert lines[2].split() == ["a", "8", "7", "0", "-", "-", "-", "x"]
    with pytest.raises(LabError, match="b is exited, so it has no processes"):
        top(engine, lab_of(), ["a", "b"])


# Files


@pytest.mark.parametrize(
    ("text", "node", "path", "name"),
    [
        ("a:/etc/passwd", "a", "/etc/passwd", "passwd"),
        ("a:etc/", "a", "/etc/", "etc"),
        ("a:/etc/.", "a", "/etc/.", "etc"),
        ("./a:b", None, "./a:b", "a:b"),
        ("/x/a:b", None, "/x/a:b", "a:b"),
        ("plain", None, "plain", "plain"),
        ("-", None, "-", "-"),
    ],
)
def test_ends_of_a_copy(text, node, path, name):
    found = copying.spot(text)
    assert (found.node, found.path, found.name) == (node, path, name)


def archive(*members: tuple[str, object]) -> io.BytesIO:
    """Of names with bytes, a link's target (text), None for a folder, or a type."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, what in members:
            info = tarfile.TarInfo(name)
            if what is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(what, str):
                info.type, info.linkname = tarfile.SYMTYPE, what
            elif isinstance(what, bytes) and len(what) == 1 and what not in (b"x",):
                info.type = what
            else:
                info.size = len(what)
            tar.addfile(info, io.BytesIO(what) if info.isreg() else None)
    out.seek(0)
    return out


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([("d", None), ("d/../../x", b"out")], "leads out of it"),
        ([("d", None), ("d/..", "x")], "leads out of it"),
        ([("d", None), ("d/l", "/"), ("d/l/x", b"out")], "is no folder"),
        ([("d", None), ("d/l", "{here}"), ("d/l", None), ("d/l/x", b"out")], "is a link"),
        ([("d", None), ("d/a/b", b"out")], "is no folder"),
    ],
)
def test_nothing_leaves_the_place_of_a_copy(tmp_path, members, why):
    (tmp_path / "here").mkdir()
    filled = [(name, what.format(here=tmp_path) if isinstance(what, str) else what) for name, what in members]
    with pytest.raises(LabError, match=why):
        archives.unpack(archive(*filled), tmp_path / "here", "d", contents=False)
    assert not (tmp_path / "x").exists()
    assert not Path("/x").exists()


def test_absolute_names_and_devices_are_no_danger(tmp_path):
    found = archives.unpack(
        archive(("/etc", None), ("/etc/passwd", b"mine"), ("/etc/null", tarfile.CHRTYPE)),
        tmp_path,
        "etc",
        contents=False,
    )
    assert (tmp_path / "etc" / "passwd").read_bytes() == b"mine"
    assert (found.files, found.bytes, found.left_out) == (1, 4, 1)


def test_file_within_a_folder_replaces_a_link_and_does_not_follow_it(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("safe")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").symlink_to(outside)
    archives.unpack(archive(("d", None), ("d/f", b"new")), tmp_path, "d", contents=False)
    assert outside.read_text() == "safe"
    assert (tmp_path / "d" / "f").read_bytes() == b"new"


def test_archive_in_pieces_of_any_size(tmp_path):
    data = archive(("f", b"x" * 100_000)).getvalue()
    pieces = archives.Pieces(data[n : n + 777] for n in range(0, len(data), 777))
    archives.unpack(pieces, tmp_path / "f", "f", contents=False)
    assert (tmp_path / "f").read_bytes() == b"x" * 100_000


def test_carrier_puts_and_gets(tmp_path, monkeypatch):
    """Its two halves, without the change of root that a helper makes."""

    class Standard:
        def __init__(self, data=b""):
            self.buffer = io.BytesIO(data)

    (tmp_path / "there").mkdir()
    data = archive(("it", None), ("it/a", b"x"), ("it/in", None), ("it/in/b", b"bb")).getvalue()
    monkeypatch.setattr(sys, "stdin", Standard(data))
    carrier.put(str(tmp_path / "there"), "folder", "tree")
    assert (tmp_path / "there" / "tree" / "in" / "b").read_bytes() == b"bb"
    out = Standard()
    monkeypatch.setattr(sys, "stdout", out)
    carrier.get(str(tmp_path / "there" / "tree"), False)
    with tarfile.open(fileobj=io.BytesIO(out.buffer.getvalue())) as tar:
        assert tar.getnames() == ["tree", "tree/a", "tree/in", "tree/in/b"]
    for path, kind in (
        ("nosuch", "archive"),
        ("nosuch/", "file"),
        ("there/tree/a", "folder"),
        ("there/tree/a", "archive"),
    ):
        monkeypatch.setattr(sys, "stdin", Standard(data))
        with pytest.raises(OSError, match=f"{path}'"):
            carrier.put(str(tmp_path / path) + ("/" if path.endswith("/") else ""), kind, "tree")


def test_carrier_writes_through_no_link(tmp_path, monkeypatch):
    class Standard:
        def __init__(self, data):
            self.buffer = io.BytesIO(data)

    (tmp_path / "there").mkdir()
    for members, why in (
        ([("out", str(tmp_path)), ("out/escaped", b"xx")], "is a link"),
        ([("../escaped", b"xx")], "leads out of it"),
    ):
        monkeypatch.setattr(sys, "stdin", Standard(archive(*members).getvalue()))
        with pytest.raises(carrier.Refused, match=why):
            carrier.put(str(tmp_path / "there"), "archive", "-")
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize("args", [["a", "b"], ["client:/a", "web:/b"], ["client:", "b"]])
def test_a_copy_has_one_end_here(args, monkeypatch):
    with pytest.raises((click.BadParameter, LabError)):
        command_line().commands["cp"].main(args, standalone_mode=False)
