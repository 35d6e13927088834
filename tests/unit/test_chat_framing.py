"""The chat's framing: however TCP cuts the stream, the same messages come out of it."""

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.framing import LIMIT, Framer, Incomplete, Invalid, Message, TooLong, encode, is_byebye


def items(*pieces: bytes) -> list:
    """What a framer makes of a stream that came in these pieces and then ended."""
    framer = Framer()
    return [item for piece in pieces for item in framer.feed(piece)] + framer.close()


STREAMS = {
    "one message": (b"hello\n", [Message(0, 6, "hello")]),
    "two messages": (b"a\nbc\n", [Message(0, 2, "a"), Message(2, 3, "bc")]),
    "empty messages": (b"\n\nx\n", [Message(0, 1, ""), Message(1, 1, ""), Message(2, 2, "x")]),
    "two to four bytes a character": ("é€😀\n".encode(), [Message(0, 10, "é€😀")]),
    "carriage returns are text": (b"a\r\n\rb\n", [Message(0, 3, "a\r"), Message(3, 3, "\rb")]),
    "other ends of line are text": ("\u2028\x85\x0b\n".encode(), [Message(0, 7, "\u2028\x85\x0b")]),
    "zero bytes are text": (b"\0\n", [Message(0, 2, "\0")]),
    "text like JSON": (b'{"a":1}\n', [Message(0, 8, '{"a":1}')]),
    "a byte order mark is text": (b"\xef\xbb\xbfx\n", [Message(0, 5, "\ufeffx")]),
    "invalid, then valid": (b"\xff\xfe\nok\n", [Invalid(0, 3, b"\xff\xfe"), Message(3, 3, "ok")]),
    "half a character": ("€\n".encode()[1:] + b"ok\n", [Invalid(0, 3, b"\x82\xac"), Message(3, 3, "ok")]),
    "a surrogate": (b"\xed\xa0\x80\n", [Invalid(0, 4, b"\xed\xa0\x80")]),
    "no newline": (b"a\nbc", [Message(0, 2, "a"), Incomplete(2, 2, b"bc")]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("stream", "expected"), STREAMS.values(), ids=STREAMS)
def test_every_way_to_cut_a_stream_gives_the_same_messages(stream, expected):
    for count in range(len(stream)):
        for cuts in itertools.combinations(range(1, len(stream)), count):
            edges = [0, *cuts, len(stream)]
            assert items(*(stream[a:b] for a, b in itertools.pairwise(edges))) == expected


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode), st.lists(st.integers(0, 300), max_size=20))
def test_any_bytes_cut_anywhere(stream, cuts):
    edges = [0, *sorted(cuts), len(stream)]
    assert items(*(stream[a:b] for a, b in itertools.pairwise(edges))) == items(stream)


@given(st.binary(max_size=500))
def test_no_byte_is_lost_or_counted_twice(stream):
    found = items(stream)
    assert sum(item.size for item in found) == len(stream)
    assert [item.offset for item in found] == list(itertools.accumulate((i.size for i in found), initial=0))[:-1]
    for item in found:
        raw = stream[item.offset : item.offset + item.size]
        kept = item.text.encode() if isinstance(item, Message) else item.data
        assert raw in (kept + b"\n", kept)


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\n"))), st.integers(1, 50))
def test_what_is_encoded_comes_out(texts, piece):
    stream = b"".join(map(encode, texts))
    found = items(*(stream[at : at + piece] for at in range(0, len(stream), piece)))
    assert [item.text for item in found] == texts


@pytest.mark.parametrize("piece", [1, 7, 4096, 65_536, 65_537, 10**6])
def test_the_limit_is_kept_to_the_byte(piece):
    stream = b"a" * LIMIT + b"\n" + b"b" * (LIMIT + 1) + b"\n" + b"c\n"
    found = items(*(stream[at : at + piece] for at in range(0, len(stream), piece)))
    assert found == [
        Message(0, LIMIT + 1, "a" * LIMIT),
        TooLong(LIMIT + 1, LIMIT + 2),
        Message(2 * LIMIT + 3, 2, "c"),
    ]


def test_the_limit_counts_bytes_and_not_characters():
    text = "€" * (LIMIT // 3)
    assert items(encode(text + "x")) == [Message(0, LIMIT + 1, text + "x")]
    assert items((text + "€\n").encode()) == [TooLong(0, LIMIT + 3)]


def test_a_long_message_that_never_ends_is_counted_and_not_kept():
    framer = Framer()
    tracemalloc.start()
    for _ in range(1000):
        assert framer.feed(b"x" * 10_000) == []
    size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * LIMIT
    assert size < LIMIT
    assert framer.close() == [TooLong(0, 10_000_000)]


def test_a_long_invalid_message_is_too_long_and_nothing_else():
    assert items(b"\xff" * (LIMIT + 1) + b"\n\xff\n") == [TooLong(0, LIMIT + 2), Invalid(LIMIT + 2, 2, b"\xff")]


def test_the_end_is_told_once():
    framer = Framer()
    framer.feed(b"abc")
    assert framer.close() == [Incomplete(0, 3, b"abc")]
    assert framer.close() == []


def test_only_what_is_a_message_is_encoded():
    assert encode("") == b"\n"
    assert encode("x" * LIMIT) == b"x" * LIMIT + b"\n"
    with pytest.raises(ValueError, match="65537"):
        encode("x" * (LIMIT + 1))
    with pytest.raises(ValueError, match="one line"):
        encode("a\nb")
    with pytest.raises(UnicodeEncodeError):
        encode("\ud800")


@pytest.mark.parametrize("text", ["byebye", "byebye\r"])
def test_byebye(text):
    assert is_byebye(text)


@pytest.mark.parametrize("text", ["byebye ", " byebye", "Byebye", "byebye.", "byebye\r\r", "bye", "", "byebye\0"])
def test_what_is_not_byebye_is_text(text):
    assert not is_byebye(text)
