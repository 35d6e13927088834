"""What strace really printed (tests/unit/strace/, of strace 6.13), as calls and as events."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labprocess.tracing.calls import Calls, Identity, described, quoted, readable
from labprocess.tracing.late import Late
from labprocess.tracing.strace import Call, Ended, Reader, Signal, members, split, string

HERE = Path(__file__).parent
SCHEMA = json.loads((HERE.parents[1] / "labctl" / "events" / "schema.json").read_text())
RUNC = 82  # in python.txt the engine's own process that becomes the program


def items(name: str) -> list:
    reader = Reader()
    lines = (HERE / "strace" / name).read_text().splitlines()
    return [found for line in lines if (found := reader.feed(line)) is not None]


def events(name: str, program: str = "python3", lookup=lambda proto, inode: None) -> list[dict]:
    leader = items(name)[0].pid
    calls = Calls(lambda thread: Identity(leader if name == "python.txt" else thread, 0, program), lookup)
    return [event for item in items(name) if (event := calls.event(item))]


def made(found: list[dict], *calls: str) -> list[dict]:
    return [event for event in found if event.get("call") in calls]


@pytest.mark.parametrize("name", ["python.txt", "odd.txt"])
def test_every_line_is_understood(name):
    lines = (HERE / "strace" / name).read_text().splitlines()
    reader, silent = Reader(), []
    for line in lines:
        if reader.feed(line) is None:
            silent.append(line)
    # Only the first half of a call says nothing, its second half does; and a stopped process' second line.
    assert all(line.endswith(("<unfinished ...>", "<pid changed to 11 ...>")) for line in silent), silent
    assert reader._begun == {}


@pytest.mark.parametrize("name", ["python.txt", "odd.txt"])
def test_events_keep_the_schema(name):
    check = jsonschema.Draft202012Validator(SCHEMA)
    for event in events(name):
        check.validate({"node": "echo", **event})


def test_a_call_that_was_interrupted_is_one_again():
    [accept] = [item for item in items("python.txt") if item.pid == 90 and getattr(item, "name", "") == "accept4"]
    assert accept.args[0] == "3<TCP:[127.0.0.1:9100]>"
    assert accept.args[3] == "SOCK_CLOEXEC"
    assert (accept.value, accept.gave) == (11, "TCP:[127.0.0.1:9100->127.0.0.1:47318]")
    assert (accept.ts, accept.duration) == (1795380753_863548162, 64841481)


def test_a_call_in_which_its_process_died():
    found = items("odd.txt")
    [accept] = [item for item in found if isinstance(item, Call) and item.pid == 13]
    assert (accept.name, accept.value, accept.duration) == ("accept4", None, None)
    [ended] = [item for item in found if isinstance(item, Ended) and item.pid == 13]
    assert (ended.signal, ended.status) == ("SIGKILL", None)


def test_a_call_that_a_stop_interrupted():
    mine = [item for item in items("odd.txt") if item.pid == 12]
    assert [(type(item), item.name) for item in mine[:4]] == [
        (Call, "poll"),
        (Signal, "SIGSTOP"),
        (Signal, "SIGSTOP"),
        (Signal, "SIGCONT"),
    ]
    assert (mine[0].value, mine[0].error) == (None, "ERESTART_RESTARTBLOCK")
    assert (mine[4].name, mine[4].value, mine[4].duration) == ("restart_syscall", 0, 199627406)


def test_another_thread_becomes_another_program():
    found = events("odd.txt")
    started = [event for event in found if event["event"] == "process" and event["state"] == "started"]
    assert [(event["program"], event["pid"]) for event in started] == [("python3", 11), ("true", 11)]
    assert found[-1]["event"] == "process"
    assert (found[-1]["pid"], found[-1]["program"], found[-1]["status"]) == (11, "true", 0)


def test_what_the_engine_does_before_the_program_is_left_out():
    found = events("python.txt", "runc:[2:INIT]")
    assert found[0]["state"] == "started"
    assert found[0]["program"] == "python3"
    assert (found[1]["call"], found[1]["program"]) == ("socket", "python3")


def test_calls_on_files_are_left_out():
    for name in ("python.txt", "odd.txt"):
        for event in made(events(name), "read", "write", "close", "fcntl", "ioctl", "readv", "writev", "sendfile"):
            assert "proto" in event or "family" in event


def test_what_a_socket_has_become_is_known():
    """strace goes on calling it what it was when it was bound."""
    found = events("python.txt", lookup=lambda proto, inode: (("127.0.0.1", 9000 + inode % 1000), None))
    [sent] = [event for event in made(found, "sendto") if event.get("text") == "hi\n"]
    assert sent["peer"] == ["127.0.0.1", 9100]
    [again] = [event for event in made(found, "sendto") if event.get("text") == "again"]
    assert (again["proto"], again["peer"]) == ("udp", ["127.0.0.1", 7])
    # Only the kernel could say where a connection is from that was made right now.
    assert {tuple(event["local"]) for event in made(found, "connect") if event["result"] == 0 and "proto" in event}
    six = [event for event in made(found, "sendto") if event.get("text") == "six"]
    assert six[0]["local"][0] == six[0]["peer"][0] == "::1"


def test_payloads():
    found = events("odd.txt")
    [written] = made(found, "writev")
    assert (written["bytes"], written["text"]) == (24, 'one, ") = 5 <0.1>\nžluť')
    [read] = made(found, "readv")
    assert read["text"] == written["text"]
    long = next(event for event in made(found, "sendto") if event["result"] == 600)
    # Cut by strace in the middle or not: what is shown is text, and all bytes are accounted for.
    assert len(long["text"].encode()) + long["cut"] == 600 == long["bytes"]
    assert set(long["text"]) == {"ä"}
    binary = next(event for event in made(found, "sendto") if event["result"] == 256)
    assert (binary["family"], "data" in binary) == ("unix", True)
    [sendfile] = made(found, "sendfile")
    assert (sendfile["proto"], sendfile["result"], sendfile["bytes"], sendfile["cut"]) == ("tcp", 20, 20, 20)
    [message] = [event for event in made(events("python.txt"), "sendmsg") if event["result"] == 7]
    assert message["data"] == "b25ldHdv/w=="


def test_errors_and_what_is_no_error():
    found = events("python.txt")
    refused = next(event for event in made(found, "connect") if event.get("error") == "ECONNREFUSED")
    assert (refused["result"], refused["reason"], refused["peer"]) == (-1, "Connection refused", ["127.0.0.1", 1])
    assert {event["error"] for event in found if event.get("error")} >= {"EAGAIN", "EINPROGRESS", "ENOENT", "ENOTCONN"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("3", ["3"]),
        (
            '3<TCP:[10.0.0.1:7->10.0.0.2:9]>, "a, \\"b\\")", 4',
            ["3<TCP:[10.0.0.1:7->10.0.0.2:9]>", '"a, \\"b\\")"', "4"],
        ),
        ("{a=1, b={c=2, d=3}}, [1, 2]", ["{a=1, b={c=2, d=3}}", "[1, 2]"]),
        ("5</a, b>, 1<<3", ["5</a, b>", "1<<3"]),
        ('4<UNIX:[1->2,@"x, y"]>, 0', ['4<UNIX:[1->2,@"x, y"]>', "0"]),
    ],
)
def test_arguments(text, parts):
    assert split(text) == parts


def test_members_of_a_struct():
    assert members('{msg_name=NULL, msg_iov=[{iov_base="a", iov_len=1}]}')["msg_iov"] == '[{iov_base="a", iov_len=1}]'
    assert members("[1]") == {}


def test_several_datagrams_of_one_call():
    """glibc's resolver asks for both families at once; strace tells the bytes of those that went."""
    [asked] = made(events("python.txt"), "sendmmsg")
    assert (asked["result"], asked["bytes"], asked["peer"]) == (2, 42, ["127.0.0.11", 53])
    first, other = asked["datagrams"]
    assert first == {"bytes": 21, "data": "uoUBAAABAAAAAAAAA3dlYgAAAQAB"}
    assert other["bytes"] == 21
    assert "peer" not in first, "the socket is connected: it is the call's"


def test_several_datagrams_to_whom_and_from_whom():
    """Of strace 6.1: four at once, of which one was cut and one came from two buffers; and three tries more."""
    calls = made(events("several.txt"), "sendmmsg", "recvmmsg")
    sent, read, none, half = calls
    assert sent["peer"] == ["127.0.0.1", 48681]
    assert sent["bytes"] == 3 + 3 + 600 + 5
    assert [one["peer"] for one in sent["datagrams"]] == [["127.0.0.1", 48681]] * 4
    assert [one.get("text", one.get("data")) for one in sent["datagrams"]] == ["one", "dP9v", "z" * 255, "split"]
    assert sent["datagrams"][2]["cut"] == 600 - 255
    assert read["result"] == 4
    assert read["peer"] == ["::ffff:127.0.0.1", 43357]
    assert [one["bytes"] for one in read["datagrams"]] == [3, 3, 600, 5]
    assert read["datagrams"][3] == {"peer": ["::ffff:127.0.0.1", 43357], "bytes": 5, "text": "split"}
    assert none["error"] == "EAGAIN"
    assert "datagrams" not in none
    assert half["result"] == 1, "the second one had no address that the kernel would take"
    assert half["datagrams"] == [{"peer": ["127.0.0.1", 48681], "bytes": 3, "text": "one"}]
    check = jsonschema.Draft202012Validator(SCHEMA)
    for event in calls:
        check.validate({"node": "echo", **event})


def escaped(data: bytes) -> str:
    """As strace writes bytes: letters where it can, else up to three octal digits, all three before another digit."""
    out = []
    for at, byte in enumerate(data):
        if chr(byte) in '"\\':
            out.append("\\" + chr(byte))
        elif 0x20 <= byte < 0x7F:
            out.append(chr(byte))
        else:
            digits = data[at + 1 : at + 2].isdigit()
            out.append(f"\\{byte:03o}" if digits else f"\\{byte:o}")
    return f'"{"".join(out)}"'


@given(st.binary(max_size=300))
def test_strings_are_the_bytes_that_they_stand_for(data):
    assert string(escaped(data)) == (data, False)
    assert string(escaped(data) + "...") == (data, True)
    assert "\n" not in quoted(escaped(data))
    assert split(f"1, {escaped(data)}, 2") == ["1", escaped(data), "2"]


@given(st.text(max_size=200))
def test_no_line_makes_it_stumble(text):
    reader = Reader()
    for line in (text, f"1 1795380753.353238936 {text}", f"1 1795380753.353238936 read({text}) = 1 <0.000000001>"):
        found = reader.feed(line)
        if found is not None:
            Calls(lambda thread: None, lambda proto, inode: None).event(found)


def test_addresses_are_written_short():
    four = '{sa_family=AF_INET, sin_port=htons(7), sin_addr=inet_addr("10.0.0.1")}'
    six = (
        "{sa_family=AF_INET6, sin6_port=htons(7), sin6_flowinfo=htonl(0), "
        'inet_pton(AF_INET6, "fe80::1", &sin6_addr), sin6_scope_id=if_nametoindex("eth0")}'
    )
    assert readable(four) == "{AF_INET, 10.0.0.1:7}"
    assert readable(six) == "{AF_INET6, [fe80::1]:7}"


def test_descriptions():
    assert described("anon_inode:[eventpoll]") is None
    assert described("/tmp/TCP:[1]") is None
    assert described("pipe:[12]") is None
    assert described("TCPv6:[[::1]:60056->[::1]:7]").peer == ("::1", 7)
    assert described("TCP:[29035]").inode == 29035
    assert described("UNIX-STREAM:[28292->28293]").family == "unix"
    assert described("NETLINK:[ROUTE:123]").family == "netlink"


@pytest.mark.parametrize("name", ["python.txt", "odd.txt"])
def test_a_connection_that_was_gone_before_it_was_looked_up_gets_its_own_end_from_a_later_call(name):
    leader = items(name)[0].pid
    calls = Calls(
        lambda thread: Identity(leader if name == "python.txt" else thread, 0, "x"), lambda proto, inode: None
    )
    told = [(moment, event) for item in items(name) for moment, event in calls.events(item)]
    alone = events(name, "x")
    # None is lost and none told twice; only the ends may be more.
    keys = [(event["ts"], event["event"], event.get("call"), event["pid"]) for _, event in told]
    assert sorted(keys) == sorted((event["ts"], event["event"], event.get("call"), event["pid"]) for event in alone)
    assert all(event["ts"].endswith(f"{moment % 10**9:09d}Z") for moment, event in told)
    late = [event for _, event in told if event not in alone]
    assert [event["call"] for event in late] == ["connect"] * len(late)
    for event in late:
        later = [found for found in alone if found.get("local") and found.get("fd") == event["fd"]]
        assert event["local"] in [found["local"] for found in later]
    unknown = [event for event in made(alone, "connect") if event.get("proto") == "tcp" and not event.get("local")]
    assert len(late) == {"python.txt": 4, "odd.txt": 1}[name] <= len(unknown)


# -- programs that were found late


BEGINS = Call(7, 20, "execve", ['"/bin/sh"', '["sh"]'], 0)
IN_ITS_MIDDLE = BEGINS._replace(args=["NULL", "0", "NULL"])
SPEAKS = Call(7, 40, "socket", ["AF_INET", "SOCK_STREAM", "0"], 3)
RUNCS = Call(7, 10, "read", ["5<UNIX-STREAM:[1]>", '""', "8"], 0)
ENDS = Ended(7, 60, status=0)


@pytest.mark.parametrize(
    ("told", "is_late"),
    [
        ([("runc:[2:INIT]",), RUNCS, BEGINS, SPEAKS, ENDS], False),  # it began after it was followed
        ([RUNCS, ("sh", 30), BEGINS, SPEAKS, ENDS], False),  # it began, and strace's words come after the look at it
        ([RUNCS, BEGINS, ("sh", 30), SPEAKS, ENDS], False),  # and before it
        ([("sh", 15), IN_ITS_MIDDLE, SPEAKS, ENDS], False),  # it was followed while it began
        ([RUNCS, ("sh", 15), SPEAKS, ENDS], True),  # it began before strace had it
        ([("sh", 15), BEGINS, SPEAKS, ENDS], True),  # what it began later is another program
        ([("sh", 70), ENDS], True),  # it says nothing any more
        ([RUNCS, ENDS, ("",)], False),  # there is no such program
    ],
)
def test_a_program_that_began_before_it_was_followed_is_late(told, is_late):
    late, found = Late(), []
    assert not late.found(7, "runc:[2:INIT]")
    for item in told:
        if isinstance(item, tuple) and not isinstance(item, Call | Ended):
            late.followed(7, item[0], item[1] if len(item) > 1 else 0)
        else:
            found.append(late.happened(item))
    assert [name for name in found if name] == ["sh"] * is_late


def test_what_runs_already_when_it_is_found_is_late():
    late = Late()
    assert late.found(7, "sh") == "sh"
    late.followed(7, "sh", 30)
    assert not late.happened(SPEAKS)
    assert not late.found(8, ""), "it is gone, and nobody knows what it was"


def test_a_start_in_whose_middle_it_was_followed_names_what_is_known():
    calls = Calls(lambda thread: Identity(thread, 0, "sh"), lambda proto, inode: None)
    event = calls.event(IN_ITS_MIDDLE)
    assert event
    assert (event["state"], event["program"], event["command"]) == ("started", "sh", '["sh", ...]')
