"""Any text arrives as it was typed, or is refused whole, in a sentence."""

import json

import pytest
from sampling import seed, share

pytestmark = pytest.mark.turn(2)

LIMIT = 64 * 1024
TEXTS = {
    "empty": "",
    "space": " ",
    "double quotes": 'she said "hi"',
    "single quotes": "it's",
    "backslashes": "C:\\n\\x41\\",
    "tab": "a\tb",
    "accents": "Grüße, naïve Ænima",
    "emoji": "👩\u200d💻 🎉 🇩🇪",
    "combining": "e\u0301 vs \u00e9",
    "right to left": "שלום \u202eolleh",
    "json": '{"text": "no", "id": "1"}',
    "json line with a newline in it, escaped": '{"event":"message","text":"a\\nb"}',
    "byebye and a space": "byebye ",
    "byebye in capitals": "BYEBYE",
    "shell": "$(reboot) `id` ; rm -rf / & * ~ !!",
    "terminal codes": "\x1b[31mred\x1b[0m\x07",
    "record separator": '\x1e{"id":"x","text":"y"}',
    "carriage return": "over\rwritten",
    "line separator": "one\u2028two\x85three",
    "looks like an address": "@bob:5005 hi",
    "looks like a node's command": "exit ",
    "private use and the last code point": "\ue000\U0010ffff",
}


@pytest.fixture(params=share(list(TEXTS), 3, seed()))
def text(request):
    return TEXTS[request.param]


def is_calm(shown: str) -> bool:
    """Nothing in it that a terminal would act on."""
    return all(character == "\n" or character.isprintable() or character == "\u200d" for character in shown)


def test_chat_delivers_any_text(lab, text):
    with lab.journal("bob") as journal:
        told = lab.json("chat", "send", "alice", "--", text)
        message = journal.wait("bob", "message", offset=told["offset"])
    assert message["text"] == told["text"] == text


def test_echo_gives_back_any_text(lab, text):
    told = lab.json("echo", "send", "client", "-", input=text + "\n")
    assert told["answer"] == text
    assert told["bytes"] == len(text.encode()) + 1


def test_udp_delivers_any_text(lab, text):
    with lab.journal("udp2") as journal:
        told = lab.json("udp", "send", "udp1", "udp2", "--", text)
        arrived = journal.wait("udp2", "recv")
    assert (arrived["text"], arrived["bytes"]) == (text, told["bytes"])
    assert told["bytes"] == len(text.encode())


@pytest.mark.parametrize("name", ["terminal codes", "record separator", "carriage return", "right to left"])
def test_what_is_shown_leaves_the_terminal_alone(lab, name):
    text = TEXTS[name]
    assert is_calm(lab.ok("chat", "send", "alice", text).stdout)
    sent = lab.ok("send", "bob", text)
    assert is_calm(sent.stdout + sent.stderr)
    assert is_calm(lab.ok("chat", "log").stdout)
    assert is_calm(lab.ok("logs", "--tail", "20").stdout)


def test_text_from_standard_input_ends_with_its_last_newline(lab):
    assert lab.json("chat", "send", "alice", "-", input="from a pipe")["text"] == "from a pipe"
    assert lab.json("chat", "send", "alice", "-", input="from a file\n")["text"] == "from a file"
    assert lab.json("chat", "send", "alice", "-", input="from Windows\r\n")["text"] == "from Windows"
    assert lab.json("chat", "send", "alice", "-", input="")["text"] == ""


def test_carriage_return_at_the_end_of_an_argument_is_text(lab):
    assert lab.json("echo", "send", "client", "as typed\r")["answer"] == "as typed\r"


def test_nul_arrives(lab):
    assert lab.json("echo", "send", "client", "-", input="a\0b")["answer"] == "a\0b"


@pytest.mark.parametrize("command", [["chat", "send", "alice"], ["echo", "send", "client"], ["send", "udp1"]])
def test_newline_is_refused(lab, command):
    node = command[-1]
    with lab.journal(node) as journal:
        for text, typed in (("one\ntwo", None), ("-", "one\ntwo\n"), ("-", "\n\n")):
            assert "holds a newline" in lab.refused(*command, text, input=typed)
        done = lab.json("send", node, "the next line")
        journal.wait(node, "input", id=done["id"])
        assert [event["text"] for event in journal.events(node, "input")] == ["the next line"]


@pytest.mark.parametrize(
    "command", [["chat", "send", "alice"], ["echo", "send", "client"], ["udp", "send", "udp1", "udp2"]]
)
def test_bytes_that_are_no_utf8_are_refused(lab, command):
    for text, typed in ((b"\xff\xfe", None), (b"cut \xf0\x9f\x8e", None), ("-", b"\xe4\xf6\xfc\n")):
        assert lab.refused(*command, text, input=typed) == "the text is not UTF-8"
    # A surrogate in UTF-8's clothes (CESU-8) is none either.
    assert lab.refused(*command, b"\xed\xa0\x80") == "the text is not UTF-8"


def test_any_text_in_the_oldest_locale(lab):
    told = lab.json("chat", "send", "alice", "Grüße 🎉", LC_ALL="C", LANG=None, LANGUAGE=None)
    assert told["text"] == "Grüße 🎉"


def test_chat_takes_64_kib_and_no_byte_more(lab):
    longest = "ü" * (LIMIT // 2)
    with lab.journal("bob") as journal:
        # Of the one or the other the engine cuts a character in two, where it cuts the line.
        for text in (longest, f"x{longest[1:]}x"):
            told = lab.json("chat", "send", "alice", "-", input=text)
            message = journal.wait("bob", "message", offset=told["offset"])
            assert (message["text"], message["bytes"]) == (text, LIMIT + 1)
        wanted = f"the text has {LIMIT + 1} bytes, and a chat message takes at most {LIMIT}"
        assert lab.refused("chat", "send", "alice", "-", input=longest + "x") == wanted
        assert lab.refused("chat", "send", "alice", "-", input="x" * 1_000_000).startswith("the text has 1000000 bytes")
        # What labctl lets through to any node, the node itself refuses.
        assert "(EMSGSIZE)" in lab.refused("send", "alice", "-", input="x" * 1_000_000)
        lab.ok("chat", "send", "alice", "after all that")
        journal.wait("bob", "message", text="after all that")
        texts = [event["text"] for event in journal.events("bob", "message")]
    assert texts == [longest, f"x{longest[1:]}x", "after all that"]


def test_one_line_shows_a_long_text_cut(lab):
    said = lab.ok("chat", "send", "alice", "x" * 5000).stdout
    assert len(said) < 200
    assert "(5000 B)" in said


def test_a_megabyte_there_and_back(lab):
    text = ("0123456789abcdef" * (1 << 16))[:1_000_000]
    told = lab.json("echo", "send", "client", "-", "--timeout", "30", input=text)
    assert told["bytes"] == 1_000_001
    assert told["answer"] == text
    with lab.journal("client") as journal:
        sent = lab.json("send", "client", "-", "--timeout", "30", input=text)
        assert journal.wait("client", "input", id=sent["id"])["bytes"] == 1_000_000
        answer = journal.wait("client", "answer", id=sent["id"])
    assert answer["text"] == text


def test_over_two_mebibytes_are_refused(lab):
    message = lab.refused("send", "client", "-", input=b"x" * (2 * 1024 * 1024 + 1))
    assert message == "the text has over 2097152 bytes, and a typed line takes at most 2097152"


def test_a_datagram_takes_65507_bytes_and_no_more(lab):
    longest = "d" * 65_507
    assert lab.json("udp", "send", "udp1", "udp2", "-", input=longest)["bytes"] == 65_507
    assert "takes at most 65507" in lab.refused("udp", "send", "udp1", "udp2", "-", input=longest + "d")


def test_json_out_is_one_document_of_any_text(lab):
    told = lab.ok("chat", "send", "bob", "\u2028\x1b[0m", "--json").stdout
    assert json.loads(told)["text"] == "\u2028\x1b[0m"
