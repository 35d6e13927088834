"""Several things at once, each by a thread, and the first failure of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

MOST = 16  # engines that are asked, say
PATIENCE = 5.0  # seconds for what is under way to end, where nobody waits for it any more


def at_once(
    jobs: list[Callable[[], object]],
    most: int = MOST,
    stop: Callable[[], object] = lambda: None,
    patience: float = PATIENCE,
) -> None:
    """Does all of them, several at the same time, and then raises the first failure. `stop` is called at that one, and
    where whoever waits is interrupted: the others are to end soon, and are waited for; after an interrupt for as many
    seconds each."""
    if len(jobs) == 1:
        jobs[0]()
        return
    waiting, problems = deque(jobs), []

    def work() -> None:
        while True:
            try:
                job = waiting.popleft()
            except IndexError:
                return
            try:
                job()
            except Exception as problem:  # noqa: BLE001 - raised below, by who waits
                problems.append(problem)
                stop()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(most, len(jobs)))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        waiting.clear()
        stop()
        for thread in threads:
            thread.join(patience)
        raise
    if problems:
        raise problems[0]
