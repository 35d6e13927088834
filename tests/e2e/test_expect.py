"""`labctl expect` and patterns of what real nodes said, on the default lab."""

import json
from datetime import UTC, datetime

import pytest
from outside import run

import labctl

pytestmark = pytest.mark.turn(2)


def pattern_of(lab, *command):
    return lab.ok("trace", "--format", "pattern", "--", *command).stdout


def expect(lab, tmp_path, text, *command):
    file = tmp_path / "the.pattern"
    file.write_text(text)
    return run("expect", str(file), "--lab", lab.name, "--", *command)


def test_what_was_recorded_is_asserted(lab, tmp_path):
    lab.ok("restart", "client")
    lab.ok("echo", "send", "client", "first")
    text = pattern_of(lab, "echo", "send", "client", "hello")
    assert 'client > echo  P. 1:7(6) ack 1 "hello\\n"' in text
    assert 'echo > client  P. 1:7(6) ack 7 "hello\\n"' in text
    # On a busy machine a kernel acknowledges before the program answers.
    text = "ignore acks\n" + "\n".join(line for line in text.splitlines() if "  . ack " not in line)
    got = expect(lab, tmp_path, text, "echo", "send", "client", "hello")
    assert got.returncode == 0, got
    assert "the wire shows what the pattern says" in got.stderr
    assert 'answered "hello"' in got.stdout


def test_what_differs_fails_with_the_difference(lab, tmp_path):
    lab.ok("echo", "send", "client", "first")  # there is a connection by now
    text = 'client > echo P. 1:7(6) "jello\\n"\n*'
    got = expect(lab, tmp_path, text, "echo", "send", "client", "hello")
    assert got.returncode == 1
    assert 'line 1 fits no packet: the nearest has payload "hello\\n" instead of "jello\\n"' in got.stderr
    assert '\n- client > echo P. 1:7(6) "jello\\n"\n+ client > echo  P. 1:7(6) ack 1 "hello\\n"\n' in got.stderr


def test_a_dropped_segment_and_its_retransmission(lab, tmp_path):
    lab.ok("echo", "send", "client", "first")
    lab.ok("fault", "drop", "client:echo", "tcp data 1")
    text = """\
        ignore acks
        client > echo  P. 1:6(5) "gone\\n"  lost by $rule
        client > echo  P. 1:6(5) "gone\\n"  retransmission within 2s
        echo > client  P. 1:6(5) ack 6 "gone\\n"
    """
    got = expect(lab, tmp_path, text, "echo", "send", "client", "gone", "--timeout", "20")
    assert got.returncode == 0, got


def test_as_json_and_what_it_came_to(lab, tmp_path):
    file = tmp_path / "p"
    file.write_text('udp1:$port > udp2 udp ($size) "hey"')
    got = run("expect", str(file), "--lab", lab.name, "--json", "--", "udp", "send", "udp1", "udp2", "hey")
    found = json.loads(got.stdout)
    assert (found["fits"], found["values"]) == (True, {"port": 5005, "size": 3})
    assert found["packets"] == [{"packet": 'udp1 > udp2  udp (3) "hey"', "line": 1}]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("client > echo Q", 1, "the.pattern:1:15: Q is neither flags of TCP"),
        ("*", 1, "names no node, and a wire is between two nodes at least"),
        ("client > ecko S", 1, "no node ecko"),
    ],
)
def test_bad_patterns(lab, tmp_path, text, code, said):
    got = expect(lab, tmp_path, text, "echo", "send", "client", "x")
    assert got.returncode == code
    assert said in got.stderr


def test_bad_use(lab, tmp_path):
    assert "can't be read: No such file" in run("expect", str(tmp_path / "none"), "--", "ps").stderr
    file = tmp_path / "p"
    file.write_text("client > echo S")
    got = run("expect", str(file))
    assert got.returncode == 2
    assert "give a labctl command behind --" in got.stderr


def test_api(lab):
    found = labctl.find(lab.name)
    found.record("udp1", "udp2")
    wire = found.wire("udp1", "udp2", since=datetime.now(UTC))
    found.node("udp1").send("one", to="udp2")
    fits = wire.expect('udp1 > udp2 udp "one"')
    assert fits.rows == (('udp1 > udp2  udp (3) "one"', 1),)
    assert (wire.datagrams, wire.lost, wire.handshakes) == (1, 0, 0)
    *above, last = wire.pattern().splitlines()
    assert last == 'udp1 > udp2  udp (3) "one"'
    assert all(line.startswith("# left out is what kernels send by themselves: ") for line in above)
    with pytest.raises(AssertionError, match="line 1 fits no packet"):
        wire.expect('udp1 > udp2 udp "two"', timeout=0.3)
    with pytest.raises(labctl.InvalidArgument, match="the pattern:1:6"):
        wire.expect("udp1 udp2")
