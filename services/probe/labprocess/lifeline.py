"""What labctl runs in a probe ends with labctl: standard input ends, or nothing comes any more."""

import os
import time

# Among what is written there:
WAKE = b"w"  # the node's programs have called something
JOIN = b"j"  # one more wants to know, from now on
SILENCE = 5.0  # seconds; labctl writes a byte each second


class Lifeline:
    """Standard input. Where whoever started us was killed, the engine may keep it open: then the silence tells."""

    def __init__(self, source: int = 0) -> None:
        self._source = source
        self._heard = time.monotonic()
        self._ended = self._woke = self._joined = False
        os.set_blocking(source, False)

    def fileno(self) -> int:
        return self._source

    def read(self) -> None:
        """Takes in what has come."""
        try:
            data = os.read(self._source, 4096)
        except BlockingIOError:
            return
        self._heard = time.monotonic()
        self._ended = not data
        self._woke = self._woke or WAKE in data
        self._joined = self._joined or JOIN in data

    def woke(self) -> bool:
        """Whether a system call was told of since the last time that this was asked."""
        woke, self._woke = self._woke, False
        return woke

    def joined(self) -> bool:
        """Whether one more wants to know since the last time that this was asked."""
        joined, self._joined = self._joined, False
        return joined

    @property
    def is_cut(self) -> bool:
        if not self._ended and time.monotonic() - self._heard > SILENCE:
            self.read()  # whoever was held up has not looked for long
        return self._ended or time.monotonic() - self._heard > SILENCE
