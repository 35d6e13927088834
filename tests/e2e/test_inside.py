"""exec, shell, top and cp: what runs in a node, what comes of it when labctl ends, and files there and back."""

import io
import os
import signal
import subprocess
import tarfile

import pytest
from outside import environment, finish, read_until, run_command, until

pytestmark = pytest.mark.turn(2)

NODE = "client"
ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -9}


def commands(lab, node: str = NODE) -> list[str]:
    """What runs in the node, as Docker tells it."""
    return [row[-1] for row in lab.container(node).top()["Processes"]]


def runs(lab, word: str) -> bool:
    return any(word in command for command in commands(lab))


def in_bash(lab, script: str, **options):
    return run_command(["bash", "--norc", "-o", "pipefail", "-c", script], LABCTL_LAB=lab.name, **options)


def test_options_after_the_node_are_the_commands(lab):
    wanted = lab.ok("exec", NODE, "--", "ls", "-l", "/opt").stdout
    assert "labnode" in wanted
    assert lab.ok("exec", NODE, "ls", "-l", "/opt").stdout == wanted
    assert lab.ok("exec", "--lab", lab.name, NODE, "ls", "-l", "/opt", LABCTL_LAB=None).stdout == wanted
    assert lab.ok("exec", NODE, "--lab", lab.name, "--", "ls", "-l", "/opt", LABCTL_LAB=None).stdout == wanted
    assert lab.ok("exec", NODE, "printf", "%s.", "--help", "--json", "-n").stdout == "--help.--json.-n."
    assert lab.run("trace", "exec", NODE, "ls", "-l", "/opt").stdout.startswith(wanted), "trace leaves them alone, too"


def test_exec_in_a_loop_leaves_its_input(lab):
    script = f"printf 'one\\ntwo\\n' | while read -r word; do labctl exec -n {NODE} echo $word; done"
    assert in_bash(lab, script).stdout == "one\ntwo\n"


def test_bytes_are_left_as_they_are(lab, tmp_path):
    """3 MB that are no text, there and back."""
    script = f"head -c 3000000 /dev/urandom >sent; labctl exec {NODE} cat <sent | cmp - sent"
    assert in_bash(lab, script, cwd=tmp_path)[:] == (0, "", "")


def test_exit_status_and_what_is_not_there(lab):
    assert lab.run("exec", NODE, "sh", "-c", "echo out; echo err >&2; exit 7")[:] == (7, "out\n", "err\n")
    missing = lab.run("exec", NODE, "nosuch", "-x")
    assert (missing.returncode, missing.stdout) == (127, "")
    assert missing.stderr.startswith(f"labctl: {NODE} can't run nosuch: executable file not found in $PATH\n")
    assert lab.run("exec", NODE, "/etc").returncode == 126


def test_command_ends_when_nobody_reads_it(lab):
    got = in_bash(lab, f"labctl exec {NODE} yes labctl-unread | head -1")
    assert (got.stdout, got.stderr) == ("labctl-unread\n", "")
    assert not runs(lab, "labctl-unread")


@pytest.mark.parametrize("number", list(ENDS), ids=lambda number: number.name)
def test_command_ends_with_labctl(lab, number):
    """With its children, and after it was told the signal, which it may answer."""
    script = "trap 'echo told; exit 3' INT TERM HUP; sleep 1000 & echo begun; while :; do wait; done # labctl-burns"
    child = lab.begin("exec", NODE, "sh", "-c", script)
    read_until(child.stdout, b"begun\n")
    child.send_signal(number)
    got = finish(child)
    assert got.returncode == ENDS[number]
    assert "Traceback" not in got.stderr
    if number is not signal.SIGKILL:
        assert got.stdout == "told\n"
        assert not runs(lab, "labctl-burns")
    until(lambda: not runs(lab, "labctl-burns") and not runs(lab, "sleep 1000"), "a command whose labctl was killed")


def test_killed_trace_leaves_no_command(lab):
    child = lab.begin("trace", "exec", NODE, "sh", "-c", "echo begun; exec sleep 1234")
    read_until(child.stdout, b"begun\n")
    os.killpg(child.pid, signal.SIGTERM)
    assert finish(child).returncode == 143
    until(lambda: not runs(lab, "sleep 1234"), "the command of a trace that was ended")


def test_shell_at_a_terminal(lab):
    with lab.terminal("shell", NODE, columns=91) as terminal:
        terminal.type("stty size; echo $0-is-it\n")
        terminal.wait("40 91")
        terminal.wait("bash-is-it")
        terminal.type("sleep 4321\n")
        until(lambda: runs(lab, "sleep 4321"), "what was typed runs")
        terminal.type("\x03")  # the program's, and not ours
        terminal.type("echo it is $((6*7))\n")
        terminal.wait("it is 42")
        terminal.type("exit 5\n")
        assert terminal.end() == 5


def test_shell_whose_terminal_goes_away_is_gone(lab):
    with lab.terminal("shell", NODE) as terminal:
        terminal.type("sleep 2345\n")
        until(lambda: runs(lab, "sleep 2345"), "what was typed runs")
        terminal.hang_up()
        terminal.process.wait(20)
    until(lambda: not runs(lab, "sleep 2345"), "what ran in a shell whose window was closed")


def test_top_is_what_docker_says(lab):
    found = lab.json("top", NODE, "web")
    shown = {item["node"]: [one["command"] for one in item["processes"]] for item in found["nodes"]}
    assert shown == {node: commands(lab, node) for node in (NODE, "web")}
    ours = found["nodes"][0]["processes"][0]
    assert ours["pid"] == lab.container(NODE).attrs["State"]["Pid"] or ours["parent"] > 1
    assert (ours["user"], ours["memory"] > 1000) == ("10001", True)
    assert lab.ok("top").stdout.count("python3 /opt/node/") == 7


# cp, beside docker cp


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    (folder / "inner").mkdir(parents=True)
    (folder / "one").write_bytes(b"\x00\xff one")
    (folder / "inner" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "inner" / "run.sh").chmod(0o750)
    (folder / "link").symlink_to("/etc/passwd")
    return folder


def content(folder) -> dict:
    """What a folder holds: a link's target, or mode and bytes."""
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else (path.stat().st_mode, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_files_there_and_back(lab, tree, tmp_path):
    """To memory, where `docker cp` can't go, and back."""
    counted = lab.json("cp", str(tree), f"{NODE}:/dev/shm/tree")
    assert (counted["files"], counted["bytes"], counted["left_out"]) == (3, 16, 0)
    assert lab.ok("exec", NODE, "readlink", "/dev/shm/tree/link").stdout == "/etc/passwd\n"
    lab.ok("cp", f"{NODE}:/dev/shm/tree", str(tmp_path / "back"))
    assert content(tmp_path / "back") == content(tree)


def test_archives_there_and_back(lab, tree):
    script = f"tar -cf - -C {tree.parent} tree/one | labctl cp - {NODE}:/dev/shm; labctl cp {NODE}:/dev/shm/tree/one -"
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, env=environment(LABCTL_LAB=lab.name))
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        assert tar.extractfile("one").read() == b"\x00\xff one"


def test_what_can_not_be_written_is_said(lab, tree):
    said = lab.run("cp", str(tree / "one"), f"{NODE}:/opt/one")
    assert said.returncode == 1
    assert f"{NODE}:/opt/one can't be written: the file system is read-only there (EROFS)" in said.stderr
    assert "this node can be written to at: /dev/shm;" in said.stderr


def test_copy_of_what_the_kernel_makes_up(lab, tmp_path):
    """Files of /proc say that they are empty."""
    lab.ok("cp", f"{NODE}:/proc/1/environ", str(tmp_path / "environ"))
    assert b"PYTHONUNBUFFERED=1" in (tmp_path / "environ").read_bytes()


def test_stopped_node_still_gives_its_files(fragile, tmp_path):
    fragile.ok("stop", NODE)
    fragile.ok("cp", f"{NODE}:/etc/hostname", str(tmp_path / "name"))
    assert (tmp_path / "name").read_text() == f"{NODE}\n"
    refused = fragile.refused("cp", str(tmp_path / "name"), f"{NODE}:/dev/shm")
    assert refused.startswith(f"{NODE} exited (0) ")
    assert refused.endswith(", so labctl writes no file there")
