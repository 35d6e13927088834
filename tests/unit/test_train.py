"""Numbered trains: their header, the checks of their options, their timetable, and the count at their other end."""

import random
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "services" / "udp-peer"))

import train


def arrived(numbers, count: int) -> dict:
    arriving = train.Arriving("t", count, 0.0)
    for seq in numbers:
        arriving.add(seq, 0.0)
    return {key: value for key, value in arriving.result().items() if key not in ("train", "count", "seconds")}


@given(st.from_regex(r"[0-9A-Za-z]{1,16}", fullmatch=True), st.integers(1, train.MOST), st.data(), st.binary())
def test_what_a_header_says_is_read_again(ident, count, data, filler):
    seq = data.draw(st.integers(0, count - 1))
    assert train.parse(train.header(ident, seq, count) + filler) == (ident, seq, count)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"labctl-train", b"labctl-train a 0 1", b"labctl-train a 0 1\r\n", b" labctl-train a 0 1\n"),
        *(b"labctl-train  a 0 1\n", b"labctl-train a 0 1 \n", b"labctl-train a 0 1 2\n", b"labctl-train a 0\n"),
        *(b"labctl-train a 1 1\n", b"labctl-train a 0 0\n", b"labctl-train a 0 1000001\n", b"labctl-train a -1 1\n"),
        *(b"labctl-train a 00 1\n", b"labctl-train a 0 01\n", b"labctl-train a +0 1\n", b"labctl-train a 0 1e3\n"),
        *(
            b"labctl-train a 0x0 1\n",
            b"labctl-train \xc3\xa9 0 1\n",
            b"labctl-train a \xd9\xa7 9\n",
            b"LABCTL-TRAIN a 0 1\n",
        ),
        *(
            b"labctl-train " + b"a" * 17 + b" 0 1\n",
            b"labctl-train a 0 " + b"9" * 60_000 + b"\n",
            b"labctl-train a_b 0 1\n",
        ),
    ],
)
def test_anything_else_is_no_train(data):
    assert train.parse(data) is None


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"size": 100}, "count is missing"),
        ({"count": 1, "speed": 5}, "no option speed"),
        *(
            ({"count": value}, "count is .* from 1 to 1,000,000")
            for value in (0, -1, 1_000_001, 1.0, "1", None, True, [])
        ),
        *(({"count": 1, "size": value}, "size is .* from 0 to 65,507") for value in (-1, 65_508, 1.5, "1", False)),
        *(({"count": 1, "rate": value}, "rate is ") for value in (-1, 1_000_001, "1", True, 1e-9, float("nan"))),
        ({"count": 1, "rate": float("inf")}, "rate is "),
        ({"count": 1_000_000, "size": 30}, "header alone takes 35 bytes"),
    ],
)
def test_wrong_options_are_refused_with_a_sentence(options, problem):
    with pytest.raises(ValueError, match=problem):
        train.Departing("abcdef", "text", options)


@pytest.mark.parametrize("size", [0, 40, 1000, 65_507])
@pytest.mark.parametrize("text", ["", "x", "hé€😀 ", "y" * 100_000])
def test_datagrams_have_the_size_that_was_asked_for(size, text):
    departing = train.Departing("abcdef", text, {"count": 12, "size": size})
    for seq in range(12):
        data = departing.next()
        head = train.header("abcdef", seq, 12)
        assert data.startswith(head)
        assert len(data) == (size or len(head))
        filler = text.encode()[:size] or b"."
        assert data[len(head) :] == (filler * (65_507 // len(filler) + 1))[: len(data) - len(head)]
        departing.sent += 1


@given(st.floats(train.LEAST_RATE, train.MOST_RATE), st.integers(1, 1000))
def test_a_datagram_is_due_when_its_time_has_come(rate, number):
    departing = train.Departing("a", "", {"count": 1000, "rate": rate})
    departing.sent = number
    assert departing.due(0) == 1
    assert departing.due(departing.wait * 1.000001) >= min(1000, number + 1)
    assert departing.due(departing.wait * 0.99) <= number
    assert departing.due(1e12) == 1000


def test_without_a_rate_all_is_due_at_once():
    departing = train.Departing("a", "", {"count": 1000, "rate": 0})
    assert departing.due(0) == 1000
    assert departing.wait == 0


@pytest.mark.parametrize(
    ("numbers", "unique", "lost", "duplicated", "reordered"),
    [
        ([0, 1, 2, 3], 4, 0, 0, 0),
        ([], 0, 4, 0, 0),
        ([3], 1, 3, 0, 0),
        ([0, 2, 1, 3], 4, 0, 0, 1),
        ([3, 0, 1, 2], 4, 0, 0, 3),  # three were overtaken by one
        ([1, 2, 3, 0], 4, 0, 0, 1),  # one was overtaken by three
        ([3, 2, 1, 0], 4, 0, 0, 3),
        ([0, 0, 1, 1], 2, 2, 2, 0),
        ([0, 1, 0, 2], 3, 1, 1, 0),  # a late duplicate is a duplicate, and not reordered
        ([1, 0, 0, 1], 2, 2, 2, 1),
        ([0, 0, 0, 0], 1, 3, 3, 0),
    ],
)
def test_counts(numbers, unique, lost, duplicated, reordered):
    assert arrived(numbers, 4) == {
        "received": len(numbers),
        "unique": unique,
        "lost": lost,
        "duplicated": duplicated,
        "reordered": reordered,
    }


@given(st.integers(1, 30), st.data())
def test_counts_agree_with_a_plain_count(count, data):
    numbers = data.draw(st.lists(st.integers(0, count - 1), max_size=60))
    firsts = [seq for place, seq in enumerate(numbers) if seq not in numbers[:place]]
    result = arrived(numbers, count)
    assert result["unique"] == len(firsts)
    assert result["lost"] == count - len(firsts)
    assert result["duplicated"] == len(numbers) - len(firsts)
    assert result["reordered"] == sum(any(other > seq for other in firsts[:place]) for place, seq in enumerate(firsts))


def test_a_train_is_complete_with_its_last_number_in_whatever_order():
    numbers = list(range(train.MOST // 100))
    random.Random(1).shuffle(numbers)
    arriving = train.Arriving("t", len(numbers), 0.0)
    for seq in numbers:
        assert not arriving.complete
        arriving.add(seq, 0.0)
    assert arriving.complete


@pytest.mark.parametrize(("dropped", "told"), [(0, 0), (1, 1), (2, 2), (7, 2)])
def test_no_more_has_overflowed_than_is_lost(dropped, told):
    arriving = train.Arriving("a", 3, 0.0)
    arriving.add(1, 0.0)
    assert arriving.result(dropped)["overflowed"] == told
    assert "overflowed" not in arriving.result()
