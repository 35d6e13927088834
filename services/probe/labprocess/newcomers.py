"""A sign of each process that begins in this process namespace: proc(5), the last field of /proc/loadavg.

The kernel tells nobody of those that come from outside, as `docker exec` brings them. The whole list of processes costs
fifty times as much as this field, and a turn of the event loop three times as much: so it is looked at by a thread that
does nothing else.
"""

import contextlib
import os
import threading
import time

SCAN = 0.01  # seconds between two looks: the engine takes some 30 ms to start a process


class Newcomers:
    """Readable when a process has begun since `forget`."""

    def __init__(self) -> None:
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._loadavg = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
        self._closed = False
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        return self._event

    def forget(self) -> None:
        """What has begun is known."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._event)

    def close(self) -> None:
        """Nothing is looked at any more."""
        self._closed = True
        self._thread.join()
        os.close(self._event)
        os.close(self._loadavg)

    def _look_on(self) -> None:
        newest = b""
        while not self._closed:
            found = os.pread(self._loadavg, 128, 0).rsplit(None, 1)[-1]
            if found != newest:
                newest = found
                os.eventfd_write(self._event, 1)
            time.sleep(SCAN)  # an Event's wait() would take twice as much of a processor
