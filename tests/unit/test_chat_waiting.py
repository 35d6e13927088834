"""The lines that wait: in order, and never more than the limits."""

from hypothesis import given
from hypothesis import strategies as st

from chat.waiting import BYTES, LINES, Line, Waiting


def line(name: str, size: int = 1) -> Line:
    return Line(name, size, name)


def taken(waiting: Waiting) -> list[str]:
    return [waiting.take().text for _ in range(len(waiting))]


def test_first_in_first_out():
    waiting = Waiting()
    assert all(waiting.add(line(name)) for name in "abc")
    assert taken(waiting) == ["a", "b", "c"]


def test_at_most_so_many_lines():
    waiting = Waiting()
    assert all(waiting.add(line(str(n))) for n in range(LINES))
    assert not waiting.add(line("more"))
    waiting.take()
    assert waiting.add(line("now"))


def test_at_most_so_many_bytes():
    waiting = Waiting()
    assert waiting.add(line("a", BYTES - 1))
    assert not waiting.add(line("b", 2))
    assert waiting.add(line("c", 1))
    assert not waiting.add(line("d", 1))


def test_what_is_put_back_stands_first():
    waiting = Waiting()
    waiting.add(line("c"))
    assert waiting.put_back([line("a"), line("b")]) == []
    assert taken(waiting) == ["a", "b", "c"]


def test_what_has_no_room_any_more_is_the_last_of_all():
    waiting = Waiting()
    for n in range(LINES):
        waiting.add(line(f"w{n}"))
    back = [line("a"), line("b")]
    assert [lost.text for lost in waiting.put_back(back)] == [f"w{LINES - 2}", f"w{LINES - 1}"]
    assert taken(waiting)[:3] == ["a", "b", "w0"]


@given(st.lists(st.integers(1, BYTES // 4)), st.lists(st.integers(1, BYTES // 4)))
def test_the_limits_hold_whatever_is_put_back(before, back):
    waiting = Waiting()
    kept = [line(f"w{n}", size) for n, size in enumerate(before) if waiting.add(line(f"w{n}", size))]
    returned = [line(f"b{n}", size) for n, size in enumerate(back)]
    lost = waiting.put_back(returned)
    remaining = [waiting.take() for _ in range(len(waiting))]
    assert remaining + lost == returned + kept
    assert len(remaining) <= LINES
    assert sum(one.size for one in remaining) <= BYTES
