"""exec, shell, top and cp without a lab: their command lines, what is ended, archives that are not to be trusted."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import termios
from pathlib import Path

import click
import pytest

from labctl.cli import output
from labctl.cli.app import command_line
from labctl.cli.node import inside
from labctl.engine.memory import Execution
from labctl.engine.model import Line, Process
from labctl.errors import LabError
from labctl.lab.choosing import one, several
from labctl.lab.inside import archives, carrier, copying, execution, killer, shells
from labctl.lab.inside.execution import Place
from labctl.lab.inside.top import top
from labctl.render.inside.processes import table


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


def test_a_command_that_may_have_begun_is_ended(engine, place, monkeypatch):
    """^C comes while the engine is asked for it."""
    ended = []
    monkeypatch.setattr(execution, "_end_unheard", lambda engine, place, mark, number: ended.append(number))
    monkeypatch.setattr(engine, "open", lambda *args, **options: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        execution.run(engine, place[1], ["x"], source=None, show=print, why_ended=lambda cause: signal.SIGINT)
    assert ended == [signal.SIGINT]


RAW = """
from labctl.lab.inside import ending, execution
execution._end_unheard = lambda *of: None
ending.Watch = lambda *of: type("Watch", (), {"dismiss": lambda self: None})()
container = type("Container", (), {"id": "c"})
place = execution.Place(type("Lab", (), {"name": "l"}), type("Node", (), {"name": "n", "container": container}))
engine = type("Engine", (), {"client": lambda self, arguments: (["sh", "-c", "stty raw; kill -9 $$"], None)})()
raise SystemExit(execution.at_terminal(engine, place, [], terminal=True, why_ended=lambda cause: None))
"""


def test_a_terminal_is_left_as_it_was_found():
    """Also where Docker's client, which makes it raw, is killed."""
    main, side = os.openpty()
    try:
        before = termios.tcgetattr(side)
        done = subprocess.run([sys.executable, "-c", RAW], stdin=side, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (137, "")
        assert termios.tcgetattr(side) == before
    finally:
        os.close(main)
        os.close(side)


@pytest.mark.parametrize("keyboard", [True, False])
def test_standard_input_is_let_alone_where_it_is_not_wanted(engine, place, monkeypatch, keyboard):
    asked = []
    monkeypatch.setattr(execution.ending, "Watch", lambda *of: type("Watch", (), {"dismiss": lambda self: None})())

    def client(arguments):
        asked.extend(arguments)
        return ["sh", "-c", "test $(readlink /proc/self/fd/0) = /dev/null"], dict(os.environ)

    monkeypatch.setattr(engine, "client", client)
    reader, writer = os.pipe()
    kept = os.dup(0)
    os.dup2(reader, 0)
    try:
        status = execution.at_terminal(
            engine, place[1], ["x"], terminal=False, keyboard=keyboard, why_ended=lambda cause: None
        )
    finally:
        os.dup2(kept, 0)
        for number in (reader, writer, kept):
            os.close(number)
    assert ("-i" in asked, status) == (keyboard, int(keyboard))


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
        ("a:/etc/..", "a", "/etc/..", ""),
        ("..", None, "..", ""),
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
        ([("d", "{here}"), ("d/x", b"out")], "is no part of what was asked for"),
        ([("d", None), ("d", "{here}"), ("d/x", b"out")], "is no part of what was asked for"),
        ([("d", None), ("e/x", b"out")], "is no part of what was asked for"),
        ([("d/e/f", "{here}"), ("d/e/f/x", b"out")], "is no part of what was asked for"),
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


def with_hard_link(to: str, *more: tuple[str, str]) -> io.BytesIO:
    """A folder `d` with a file `one`, further links, and then `two`, which is another name of something."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, link in (
            ("d", tarfile.DIRTYPE, ""),
            ("d/one", tarfile.REGTYPE, ""),
            *((name, tarfile.SYMTYPE, link) for name, link in more),
            ("d/two", tarfile.LNKTYPE, to),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = kind, link, 0o750
            info.size = 3 if info.isreg() else 0
            tar.addfile(info, io.BytesIO(b"one") if info.isreg() else None)
    out.seek(0)
    return out


def test_both_names_of_a_file_are_copied(tmp_path, monkeypatch):
    found = archives.unpack(with_hard_link("d/one"), tmp_path, "d", contents=False)
    assert (tmp_path / "d" / "two").read_bytes() == b"one"
    assert (tmp_path / "d" / "two").stat().st_mode & 0o777 == 0o750
    assert (found.files, found.bytes, found.left_out) == (2, 6, 0)
    for kind, place in (("archive", "d"), ("folder", "tree"), ("contents", "")):
        there = tmp_path / kind
        there.mkdir()
        monkeypatch.setattr(sys, "stdin", type("Standard", (), {"buffer": with_hard_link("d/one")}))
        carrier.put(str(there), kind, "tree")
        assert (there / place / "two").read_bytes() == b"one"


@pytest.mark.parametrize(
    ("to", "more"), [("d/../../secret", []), ("e/one", []), ("d/l/secret", [("d/l", "..")]), ("d/l", [("d/l", "one")])]
)
def test_a_name_of_what_is_elsewhere_is_refused(tmp_path, to, more):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "secret").write_text("mine")
    with pytest.raises(LabError, match="which isn't there"):
        archives.unpack(with_hard_link(to, *more), tmp_path / "here", "d", contents=False)
    assert not (tmp_path / "here" / "d" / "two").exists()


@pytest.mark.parametrize(
    "names", [("./", "./a", "./in/", "./in/b"), ("/", "/a", "/in", "/in/b"), ("d", "d/a", "d/in", "d/in/b")]
)
def test_names_of_a_folder_as_the_engine_has_them(tmp_path, names):
    top, a, inner, b = names
    made = archive((top, None), (a, b"xx"), (inner, None), (b, b"yy"))
    archives.unpack(made, tmp_path, "d", contents=False)
    assert (tmp_path / "d" / "a").read_bytes() == b"xx"
    assert (tmp_path / "d" / "in" / "b").read_bytes() == b"yy"


def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "f")
    monkeypatch.setattr(sys, "stdin", type("Standard", (), {"buffer": archive(("f", b"xx"))}))
    with pytest.raises(OSError, match="No such device or address"):
        carrier.put(str(tmp_path / "f"), "file", "f")


def test_a_link_that_is_followed_is_no_link_in_the_archive(tmp_path, monkeypatch):
    """`link/`, and what it leads to: at its other end a link would lead to a folder of that machine's own."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "f").write_text("x")
    (tmp_path / "link").symlink_to("real")
    out = type("Standard", (), {"buffer": io.BytesIO()})
    monkeypatch.setattr(sys, "stdout", out)
    carrier.get(f"{tmp_path}/link/", False)
    with tarfile.open(fileobj=io.BytesIO(out.buffer.getvalue())) as tar:
        assert [(member.name, member.isdir()) for member in tar] == [("link", True), ("link/f", False)]


@pytest.fixture
def carried(engine, lab_of):
    """`carried(execution)`: the lab, whose helpers do this when they are asked to copy."""

    def make(execution: Execution, state: str = "running"):
        engine.probe_commands = lambda order: lambda command: execution
        engine.add("lab", "a", state=state)
        return lab_of()

    return make


def test_a_helper_that_was_killed_has_not_copied_it(engine, carried, tmp_path):
    data = archive(("d", None), ("d/f", b"xx")).getvalue()[:1536]  # two members, and no end
    lab = carried(Execution([Line(data)], 137))
    for out in (io.BytesIO(), None):
        with pytest.raises(LabError, match=r"a:/d: the helper that copies it ended \(137\) before it was done"):
            copying.copy_out(engine, lab, copying.spot("a:/d"), copying.spot(str(tmp_path / "d")), out, follow=False)


def test_why_a_file_could_not_be_read_is_told(engine, carried, tmp_path, monkeypatch):
    """And not that its helper got no archive."""
    said = b'{"error": "EINVAL", "reason": "that is no tar archive: empty file", "path": "", "writable": []}'
    lab = carried(Execution([Line(said, True)], 1))

    def refuse(path, follow, out):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(archives, "pack", refuse)
    (tmp_path / "f").write_text("x")
    with pytest.raises(LabError, match=rf"it can't be copied: {tmp_path}/f: Permission denied"):
        copying.copy_in(engine, lab, copying.spot(str(tmp_path / "f")), copying.spot("a:/x"), None, follow=False)


def test_folder_s_content_of_a_node_that_has_stopped(engine, carried, tmp_path):
    lab = carried(Execution(), "exited")
    engine._get(lab.node("a").container.id).files["/d/"] = archive(("d", None), ("d/f", b"xx")).getvalue()
    copying.copy_out(engine, lab, copying.spot("a:/d/."), copying.spot(str(tmp_path)), None, follow=False)
    assert (tmp_path / "f").read_bytes() == b"xx"


def test_a_full_disk_behind_standard_output_is_no_bug():
    def full() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(output.Unwritten) as caught:
        inside._written(full)
    assert caught.value.errno == 28


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


def test_a_file_makes_no_folder(tmp_path):
    """As cp(1) has it: `cp FILE NEW/` is a mistake where there is no folder NEW. A folder makes one."""
    with pytest.raises(LabError, match=r"there is no folder .*new here"):
        archives.unpack(archive(("f", b"x")), tmp_path / "new", "f", contents=False, is_folder=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(LabError, match="is a file, and no folder"):
        archives.unpack(archive(("f", b"x")), tmp_path / "file", "f", contents=False, is_folder=True)
    assert (tmp_path / "file").read_text() == "mine"
    archives.unpack(archive(("d", None), ("d/f", b"old")), tmp_path / "new", "d", contents=False, is_folder=True)
    archives.unpack(archive(("f", b"new")), tmp_path / "new", "f", contents=False, is_folder=True)
    assert (tmp_path / "new" / "f").read_bytes() == b"new"
