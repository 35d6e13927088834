"""Wireshark beside a lab: nodes in its list of interfaces (extcap(4)), and packets that come while it runs.

What labctl-extcap answers is put into an extcap folder in tshark's container, and tshark is asked what it makes of it.
"""

import json
import os
import shlex
import signal
import sys

import pytest
from outside import begin_command, environment, finish, read_until, run, run_command, until

pytestmark = pytest.mark.turn(2)

EXTCAP = [sys.executable, "-P", "-m", "labctl.cli.extcap"]
FOLDER = "/root/.local/lib/wireshark/extcap"
# Keeps what comes on standard input, until it is told to end.
FAKE = """#!/bin/sh
printf '%s\\n' "$*" > "$FAKE_FOLDER/arguments"
echo $$ > "$FAKE_FOLDER/reader"
exec cat > "$FAKE_FOLDER/packets"
"""


def ask(*words: str) -> str:
    done = run_command([*EXTCAP, *words])
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


@pytest.fixture(scope="module")
def shark(outsider, own_lab):
    found = outsider("wireshark", own_lab)
    yield found
    found.container.remove(force=True)


@pytest.fixture(scope="module")
def captured(own_lab, tmp_path_factory) -> bytes:
    """What labctl-extcap writes into the pipe that Wireshark makes, until Wireshark ends it."""
    fifo = tmp_path_factory.mktemp("extcap") / "fifo"
    os.mkfifo(fifo)
    name = f"labctl_{own_lab.name}.alice"
    words = ["--capture", "--extcap-interface", name, "--fifo", str(fifo), "--extcap-capture-filter", "tcp port 12345"]
    child = begin_command([*EXTCAP, *words])
    with fifo.open("rb") as pipe:
        data = read_until(pipe, b"labctl")
        own_lab.ok("chat", "send", "alice", "for Wireshark")
        data += read_until(pipe, b"for Wireshark")
        child.send_signal(signal.SIGTERM)
        data += pipe.read()
    got = finish(child)
    assert (got.returncode, got.stdout) == (0, ""), got
    return data


@pytest.mark.turn(1)
def test_interfaces(own_lab):
    lines = ask("--extcap-interfaces", "--extcap-version=4.4").splitlines()
    assert lines[0].startswith("extcap {version=")
    assert f"interface {{value=labctl_{own_lab.name}}}{{display=labctl: all nodes in {own_lab.name}}}" in lines
    for node in own_lab.containers():
        where = f"labctl: {node} in {own_lab.name} ({own_lab.address(node)})"
        assert f"interface {{value=labctl_{own_lab.name}.{node}}}{{display={where}}}" in lines
    name = f"labctl_{own_lab.name}.alice"
    assert ask("--extcap-interface", name, "--extcap-dlts").startswith("dlt {number=1}{name=EN10MB}")
    assert "{call=--last}" in ask("--extcap-interface", name, "--extcap-config")
    assert ask("--extcap-version").startswith("extcap {version=")


def test_no_engine_is_no_interface():
    done = run_command([*EXTCAP, "--extcap-interfaces"], DOCKER_HOST="unix:///no/such/socket")
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)


def test_filters_are_checked(own_lab, captured):
    name = f"labctl_{own_lab.name}.alice"
    assert ask("--extcap-interface", name, "--extcap-capture-filter", "tcp port 7") == ""
    assert "syntax error" in ask("--extcap-interface", name, "--extcap-capture-filter", "tcp prt 7")


def test_interface_that_is_gone(tmp_path):
    done = run_command([*EXTCAP, "--capture", "--extcap-interface", "labctl_no.such", "--fifo", str(tmp_path / "x")])
    assert done.returncode == 1
    assert done.stderr.startswith("labctl: no running lab has the interface labctl_no.such\n")


def test_tshark_lists_and_reads_our_interfaces(own_lab, shark, captured):
    """A program in tshark's own folder gives the recorded answers, by the same protocol, to tshark's own questions."""
    name = f"labctl_{own_lab.name}.alice"
    answers = {
        "interfaces": ask("--extcap-interfaces"),
        "dlts": ask("--extcap-interface", name, "--extcap-dlts"),
        "config": ask("--extcap-interface", name, "--extcap-config"),
    }
    for word, text in answers.items():
        assert shark.run("sh", "-c", f"mkdir -p {FOLDER} && cat > /tmp/{word}", input=text).returncode == 0
    assert shark.run("sh", "-c", "cat > /tmp/packets", input=captured).returncode == 0
    script = """#!/bin/sh
echo "$*" >> /tmp/asked
for word; do
  case $before in --fifo) fifo=$word ;; esac
  before=$word
done
case "$*" in
  *--capture\\ *) cat /tmp/packets > "$fifo" ;;
  *--extcap-interfaces*) cat /tmp/interfaces ;;
  *--extcap-dlts*) cat /tmp/dlts ;;
  *--extcap-config*) cat /tmp/config ;;
esac
"""
    place = shlex.quote(f"{FOLDER}/labctl-extcap")
    assert shark.run("sh", "-c", f"cat > {place} && chmod 755 {place}", input=script).returncode == 0
    listed = shark.run("tshark", "-D")
    assert f"{name} (labctl: alice in {own_lab.name} ({own_lab.address('alice')}))" in listed.stdout, listed
    read = shark.run("tshark", "-n", "-i", name, "-a", "duration:10", "-T", "fields", "-e", "tcp.payload")
    assert b"for Wireshark".hex() in read.stdout.replace(":", ""), read
    asked = shark.run("cat", "/tmp/asked").stdout
    assert "--capture" in asked
    assert f"--extcap-interface {name}" in asked


def test_what_the_pipe_got_is_whole(shark, captured):
    done = shark.run("tshark", "-n", "-r", "-", "-T", "fields", "-e", "frame.interface_name", input=captured)
    assert done.returncode == 0
    assert "cut short" not in done.stderr
    assert set(done.stdout.split()) == {"alice"}


def test_installing(tmp_path):
    """Into the folder where a Wireshark will look, or where one says that it does; nothing of others is replaced."""
    folder = tmp_path / "home" / ".local" / "lib" / "wireshark" / "extcap"
    environ = {"HOME": str(tmp_path / "home"), "PATH": f"{os.path.dirname(sys.executable)}:/nowhere"}
    made = run("capture", "--install-extcap", "--json", **environ)
    assert made.returncode == 0, made
    file = folder / "labctl-extcap"
    assert json.loads(made.stdout)["installed"] == str(file)
    assert run("capture", "--install-extcap", **environ).returncode == 0, "again is no harm"
    assert sorted(os.listdir(folder)) == ["labctl-extcap"]
    listed = run_command([str(file), "--extcap-interfaces"], cwd=tmp_path)
    assert listed.returncode == 0
    assert listed.stdout.startswith("extcap {version=")
    file.write_text("#!/bin/sh\necho somebody else's\n")
    taken = run("capture", "--install-extcap", **environ)
    assert (taken.returncode, taken.stderr.splitlines()[0]) == (
        1,
        f"labctl: {file} is there already, and labctl did not put it there",
    )
    assert file.read_text() == "#!/bin/sh\necho somebody else's\n"
    # An older one, with its folder beside its settings.
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "tshark").write_text(f"#!/bin/sh\nprintf 'Personal Extcap path:\\t%s\\n' {tmp_path}/old\n")
    (programs / "tshark").chmod(0o755)
    made = run("capture", "--install-extcap", **environ | {"PATH": f"{programs}:{environ['PATH']}"})
    assert made.returncode == 0, made
    assert (tmp_path / "old" / "labctl-extcap").is_file()


def test_window_that_is_closed(own_lab, tmp_path):
    """A program named wireshark reads what comes; when it closes, labctl ends in order, though nothing is sent."""
    program = tmp_path / "bin" / "wireshark"
    program.parent.mkdir()
    program.write_text(FAKE)
    program.chmod(0o755)
    path = f"{program.parent}:{environment()['PATH']}"
    child = own_lab.begin("capture", "echo", "--wireshark", PATH=path, FAKE_FOLDER=str(tmp_path))
    packets, reader = tmp_path / "packets", tmp_path / "reader"
    until(lambda: reader.exists() and packets.exists() and packets.stat().st_size, "it reads")
    own_lab.ok("echo", "send", "client", "to the window")
    until(lambda: b"to the window" in packets.read_bytes(), "the packet comes")
    assert (tmp_path / "arguments").read_text() == "-k -i -\n"
    assert child.poll() is None
    os.kill(int(reader.read_text()), signal.SIGTERM)
    got = finish(child)
    assert (got.returncode, got.stdout) == (0, ""), got
    assert "Traceback" not in got.stderr


def test_no_wireshark_here(own_lab):
    only = os.path.dirname(sys.executable)
    told = own_lab.ok("capture", "alice", "--wireshark", PATH=f"{only}:/nowhere")
    assert told.stdout == f"ssh HOST 'labctl capture --lab {own_lab.name} alice -w -' | wireshark -k -i -\n"
