"""Cancelling: what waits ends, whoever says so, and nothing else does."""

import os
import select
import socket
import threading
import time

import pytest

from labctl.cancel import Cancel, await_readable, check, sleep
from labctl.errors import Cancelled


def test_it_is_told_to_whoever_selects_for_good():
    stop = Cancel()
    assert select.select([stop], [], [], 0)[0] == []
    for _ in range(2):
        stop.cancel()
        assert select.select([stop], [], [], 5)[0] == [stop]
    with pytest.raises(Cancelled):
        check([Cancel(), stop])


def test_a_sleep_ends_at_once_in_any_thread():
    stop, begun = Cancel(), time.monotonic()
    threading.Timer(0.05, stop.cancel).start()
    with pytest.raises(Cancelled):
        sleep(60, [Cancel(), stop])
    assert time.monotonic() - begun < 30
    sleep(0.01, [Cancel()])
    sleep(-1, [])


def test_what_comes_is_waited_for_unless_somebody_says_so():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"x")
        await_readable(ours, 60, [Cancel()])
        ours.recv(1)
        stop = Cancel()
        threading.Timer(0.05, stop.cancel).start()
        with pytest.raises(Cancelled):
            await_readable(ours, 60, [stop])


def test_its_descriptors_go_with_it():
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        Cancel().cancel()
    assert len(os.listdir("/proc/self/fd")) <= before + 2
