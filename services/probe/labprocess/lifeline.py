"""What labctl runs in a probe ends with labctl: standard input ends, or nothing comes any more."""

import os
import time

SILENCE = 5.0  # seconds; labctl writes a byte each second


class Lifeline:
    """Standard input. Where whoever started us was killed, the engine may keep it open: then the silence tells."""

    def __init__(self) -> None:
        self._heard = time.monotonic()
        self._ended = False
        os.set_blocking(0, False)

    def fileno(self) -> int:
        return 0

    def read(self) -> None:
        """Takes in what has come."""
        try:
            data = os.read(0, 4096)
        except BlockingIOError:
            return
        self._heard = time.monotonic()
        self._ended = not data

    @property
    def is_cut(self) -> bool:
        return self._ended or time.monotonic() - self._heard > SILENCE
