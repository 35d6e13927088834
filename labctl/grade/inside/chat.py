"""A chat room, line by line: the first line that a client sends is its name; each line that follows goes to all others
as `NAME: LINE`. After a line `byebye` the server closes that connection, and tells the others by a line with the name.
Whatever else it says (a greeting, who is there) is up to it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from contextlib import ExitStack

from peer import PATIENCE, QUIET, Peer, Place, Wrong, held, shown

MANY = 12


class Member:
    def __init__(self, place: Place, peer: Peer, name: str) -> None:
        self.place, self.peer, self.name = place, peer, name
        self.heard: list[str] = []

    def say(self, text: str) -> None:
        self.peer.send(f"{text}\n".encode())

    def hears(self, wanted: str, help: str = "", patience: float = PATIENCE) -> None:
        """A line comes that is this one."""
        self.until(lambda line: line == wanted, f"a line {shown(wanted.encode())} at {self.name}", help, patience)

    def told_of(self, name: str, help: str = "") -> None:
        """A line comes that holds a name, and is no message."""
        self.until(
            lambda line: name in line and not line.startswith(f"{name}: "),
            f"a line at {self.name} that tells of {name}",
            help,
        )

    def until(self, fits: Callable[[str], bool], wanted: str, help: str, patience: float = PATIENCE) -> None:
        deadline = time.monotonic() + patience
        came: list[str] = []
        while (left := deadline - time.monotonic()) > 0 and not (self.peer.ended and b"\n" not in self.peer.rest):
            line = self.peer.line(left)
            if line is not None:
                came.append(line.decode("utf-8", "surrogateescape").rstrip("\r\n"))
                self.heard.append(came[-1])
                if fits(came[-1]):
                    return
        said = "; ".join(shown(one.encode("utf-8", "surrogateescape")) for one in came[-4:]) or "no line"
        how = f"; the connection was {self.peer.ended}" if self.peer.ended else f" within {patience:g} s"
        raise Wrong(wanted, f"{said}{how}", help)

    def quiet(self, wanted: str, help: str = "") -> None:
        """No line comes for a while."""
        line = self.peer.line(QUIET)
        if line is not None:
            raise Wrong(wanted, shown(line), help)


class Room:
    """Members that have joined: each has heard a word of each other."""

    def __init__(self, place: Place, stack: ExitStack) -> None:
        self.place, self.stack, self.members = place, stack, list[Member]()

    def join(self, name: str = "") -> Member:
        made = Member(self.place, self.stack.enter_context(self.place.connect()), name or f"m{self.place.word(5)}")
        made.say(made.name)
        for other in self.members:
            self._meet(made, other)
        self.members.append(made)
        return made

    def _meet(self, new: Member, other: Member) -> None:
        """Until the new one's lines arrive: joining has no answer that could be waited for."""
        for patience in (0.1, 0.2, 0.4, 1.0, 2.0, PATIENCE):
            word = self.place.word()
            other.say(word)
            with contextlib.suppress(Wrong):
                new.hears(f"{other.name}: {word}", patience=patience)
                return
        help = "the first line that a client sends is its name; each that follows goes to all others as NAME: LINE"
        raise Wrong(f"what {other.name} says arrives at {new.name}, who has joined", "it never does", help)


def _room(place: Place, stack: ExitStack, count: int = 2) -> list[Member]:
    room = Room(place, stack)
    for _ in range(count):
        room.join()
    return room.members


def _says(one: Member, others: list[Member], text: str, help: str = "") -> None:
    one.say(text)
    for other in others:
        other.hears(f"{one.name}: {text}", help)


def talks(place: Place) -> None:
    with ExitStack() as stack:
        a, b = _room(place, stack)
        for _ in range(3):
            _says(a, [b], place.word(), "each line goes to all others, as NAME: LINE")
            _says(b, [a], place.word())


def not_back(place: Place) -> None:
    with ExitStack() as stack:
        a, b = _room(place, stack)
        text = place.word()
        _says(a, [b], text)
        _says(b, [a], place.word())
        if any(text in line for line in a.heard):
            raise Wrong("what one says goes to the others alone", f"{a.name} got its own line back: {text}")


def everyone(place: Place) -> None:
    with ExitStack() as stack:
        members = _room(place, stack, 4)
        for one in members:
            _says(
                one, [other for other in members if other is not one], place.word(), "all others get it, not just one"
            )


def one_byte(place: Place) -> None:
    with ExitStack() as stack:
        a, b = _room(place, stack)
        text = place.word(12)
        data = f"{text}\n".encode()
        a.peer.parts(*(data[at : at + 1] for at in range(len(data))))
        b.hears(f"{a.name}: {text}", "recv may give one byte: a line is over at its newline")


def coalesced(place: Place) -> None:
    with ExitStack() as stack:
        a, b = _room(place, stack)
        words = [place.word() for _ in range(5)]
        a.peer.send("".join(f"{word}\n" for word in words).encode())
        for word in words:
            b.hears(f"{a.name}: {word}", "one recv may give several lines: each is a message of its own")


def split(place: Place) -> None:
    with ExitStack() as stack:
        a, b = _room(place, stack)
        text = f"{place.word()} 字 😀 {place.word()}"
        data = f"{text}\n".encode()
        cuts = sorted({data.index("字".encode()) + 1, data.index(b"\xf0") + 2, 3})
        a.peer.parts(*(data[x:y] for x, y in zip([0, *cuts], [*cuts, len(data)], strict=False)))
        b.hears(f"{a.name}: {text}", "a line, and a character, may come in parts: decode whole lines")


def long(place: Place) -> None:
    with ExitStack() as stack:
        a, b = _room(place, stack)
        _says(a, [b], place.word(10_000), "a line may be longer than one recv")


def leaves_early(place: Place) -> None:
    with ExitStack() as stack:
        a, b = _room(place, stack)
        b.heard.clear()
        place.connect().close()
        word = place.word()
        _says(a, [b], word, "one that leaves without a name must not end the server")
        wanted = "nobody is told of one that never joined"
        if len(b.heard) > 1:
            raise Wrong(
                wanted, shown(b.heard[0].encode("utf-8", "surrogateescape")), "who has no name yet is not in the room"
            )
        b.quiet(wanted, "who has no name yet is not in the room")


def gone(place: Place) -> None:
    with ExitStack() as stack:
        a, b, c = _room(place, stack, 3)
        c.peer.close()
        a.told_of(c.name, "the others are told who has left")
        _says(a, [b], place.word(), "one that has left must not keep the others from talking")


def byebye(place: Place) -> None:
    with ExitStack() as stack:
        a, b = _room(place, stack)
        last = [place.word() for _ in range(3)]
        a.peer.send("".join(f"{word}\n" for word in (*last, "byebye")).encode())
        for word in last:
            b.hears(f"{a.name}: {word}", "what was said before byebye arrives first")
        b.told_of(a.name, "after byebye the others are told who has left")
        a.peer.to_end()
        if a.peer.ended != "closed":
            raise Wrong("the connection is closed after byebye", a.peer.ended or f"it stays open for {PATIENCE:g} s")


def returns(place: Place) -> None:
    with ExitStack() as stack:
        room = Room(place, stack)
        a, b = room.join(), room.join()
        b.say("byebye")
        b.peer.to_end()
        a.told_of(b.name)
        room.members.remove(b)
        again = room.join(b.name)
        _says(again, [a], place.word(), "who has left may come back under the same name")


def silent(place: Place) -> None:
    with ExitStack() as stack:
        stack.enter_context(place.connect())
        a, b = _room(place, stack)
        _says(a, [b], place.word(), "one that gives no name must not keep the others from talking")


def many(place: Place) -> None:
    with ExitStack() as stack:
        members = _room(place, stack, MANY)
        _says(members[-1], members[:-1], place.word(), f"{MANY} members, and each of them gets it")


def half_close(place: Place) -> None:
    with ExitStack() as stack:
        a, b = _room(place, stack)
        word = place.word()
        a.peer.send(f"{word}\n".encode())
        a.peer.end_of_sending()
        b.hears(f"{a.name}: {word}", "what was said before the end of the stream still goes to the others")


def reset(place: Place) -> None:
    with ExitStack() as stack:
        a, b, c = _room(place, stack, 3)
        c.peer.reset()
        c.peer.ended = "closed"
        time.sleep(0.1)
        for _ in range(2):
            _says(a, [b], place.word(), "a member's reset (ECONNRESET, EPIPE) is none of the others' business")


def again(place: Place) -> None:
    place.await_listening("after a restart its port is free for it: SO_REUSEADDR before bind")
    talks(place)


def hold(place: Place) -> None:
    with ExitStack() as stack:
        a, _ = _room(place, stack)
        held()
        a.peer.to_end(30.0)
