"""Where labctl starts, and the one place that turns failures into words and exit codes.

0 done; 1 an error that labctl explains; 2 wrong usage; 3 a bug in labctl; 128 and the signal's number when a signal
ended it (130 for ^C).
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Callable

from labctl.cli.output import Terminated, Unwritten, prepare, talk
from labctl.errors import LabError

TYPE_CHECKING = False  # as typing has it, which takes longer to import than this
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, NoReturn

EXPLAINED, BUG = 1, 3
MANY_FILES = 16384
ASKS = (["--help"], ["-h"], ["help"])  # for all of the command line, and nothing else


def main(run: Callable[[], int] | None = None) -> NoReturn:
    """labctl as a process: never returns. `run` is what it does, where that isn't the command line; it gives the exit
    status."""
    # What the imports allocate is no garbage, and looking for some after every 700 objects takes 14 ms of a command,
    # after every 20,000 still 6. So many objects in circles take some 20 MB, if a long command makes them.
    gc.set_threshold(200_000)
    status = _status(run or (_front if sys.argv[1:] in ASKS else _run))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            status = status or EXPLAINED
    # All is written and closed. Python would go on to take apart what it has imported, object by object, for 25 ms.
    os._exit(status)


def _status(run: Callable[[], int]) -> int:
    _open_closed_streams()
    prepare()
    _watch_signals()
    _allow_many_files()
    try:
        return _explained(run)
    except (KeyboardInterrupt, Terminated) as told:  # while it said why it failed
        return _ended_by(told)
    except Unwritten as problem:
        # Python would write once more at exit what it could not, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if problem.errno == errno.EPIPE:  # whoever reads has enough of it: `labctl logs | head`
            return 128 + signal.SIGPIPE
        talk(f"labctl: {LabError('output-failed', why=os.strerror(problem.errno)).message}")
        return EXPLAINED


def _explained(run: Callable[[], int]) -> int:
    try:
        return run()
    except LabError as problem:
        _explain(problem)
        return EXPLAINED
    except (KeyboardInterrupt, Terminated) as told:
        for note in getattr(told, "__notes__", ()):  # what becomes of what was begun
            talk(f"labctl: {note}")
        return _ended_by(told)
    except Exception as problem:  # noqa: BLE001 - the boundary: whatever else comes here is a bug
        if isinstance(problem.__cause__, KeyboardInterrupt | Terminated):  # Python hides one that meets __set_name__
            return _ended_by(problem.__cause__)
        import typer

        if isinstance(problem, typer.Abort):  # how typer tells of a ^C
            return 128 + signal.SIGINT
        if isinstance(problem, typer.BadParameter.__bases__):
            return _explain_usage(problem)
        return _report_bug(problem)


def _ended_by(told: BaseException) -> int:
    return 128 + (int(told.args[0]) if isinstance(told, Terminated) else signal.SIGINT)


def _front() -> int:
    """`labctl --help`, without importing any command."""
    from labctl.cli import front, output

    output.data(front.text(output.columns()))
    return 0


def _run() -> int:
    from labctl.cli import quick

    act = quick.found(sys.argv[1:])
    if act:
        act()
        return 0
    from labctl.cli.app import command_line

    try:
        result = command_line()(prog_name="labctl", standalone_mode=False)
    except (OSError, RuntimeError) as problem:  # typer writes to files of the shell, and asks for the home directory
        if "--install-completion" not in sys.argv:
            raise
        raise LabError("completion-failed", why=problem) from None
    return result if isinstance(result, int) else 0


def _open_closed_streams() -> None:
    """A stream that was closed before we came (`labctl ps >&-`) is /dev/null from now on, as the lowest free number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - open for good


def _allow_many_files() -> None:
    """A lab of a thousand nodes is as many journals at once; the usual limit is low for the sake of select(2) alone,
    which isn't used here (getrlimit(2), RLIMIT_NOFILE)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # as many as there may be, then
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _watch_signals() -> None:
    sys.unraisablehook = _goes_unheard
    if signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_DFL):
        signal.signal(signal.SIGINT, _interrupt)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup(1) wants no SIGHUP
            signal.signal(number, _terminate)


def _goes_unheard(unraisable: sys.UnraisableHookArgs) -> None:
    """A signal came while Python was in something of which no exception gets out, as `__del__`: it comes once more."""
    if not isinstance(unraisable.exc_value, Terminated | KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
        return
    is_ours = isinstance(unraisable.exc_value, Terminated)
    number = unraisable.exc_value.args[0] if is_ours else signal.SIGINT
    signal.signal(number, _terminate if is_ours else _interrupt)
    _send_again(number)


def _send_again(number: int) -> None:
    import threading

    threading.Thread(target=_send_once_heard, args=(number, threading.get_ident()), daemon=True).start()


def _send_once_heard(number: int, main: int) -> None:
    """Once the main thread has left the hook, however long it takes."""
    while _nobody_hears(sys._current_frames().get(main)):
        time.sleep(0.005)
    os.kill(os.getpid(), number)


def _nobody_hears(frame: FrameType | None) -> bool:
    """Whether what is raised in a frame ends in the hook: Python only writes down what a hook raises."""
    while frame and frame.f_code is not _goes_unheard.__code__:
        frame = frame.f_back
    return frame is not None


def _interrupt(_number: int, frame: FrameType | None) -> None:
    if _nobody_hears(frame):
        _send_again(signal.SIGINT)
        return
    signal.signal(signal.SIGINT, _interrupt_again)
    raise KeyboardInterrupt


def _interrupt_again(_number: int, _frame: object) -> None:
    """Fingers press ^C twice; what the first one began to take back must not be left half-done for that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    talk("labctl: ending in order; once more ends it at once")


def _terminate(number: int, frame: FrameType | None) -> None:
    if _nobody_hears(frame):
        _send_again(number)
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise Terminated(number)


def _explain(problem: LabError) -> None:
    from labctl.cli import output

    if output.Settings.lab:
        problem = output.Settings.lab.told(problem)
    talk(f"labctl: {problem.message}")
    if problem.hint:
        talk(f"  {problem.hint}")
    if output.Settings.json:
        error: dict[str, Any] = problem.as_json()
        if "problems" in problem.values:
            error["problems"] = problem.values["problems"]  # each error of a file, as `validate` tells it
        if "may_go_out" in problem.values:
            error["may_go_out"] = problem.values["may_go_out"]  # of a line that was typed
        seen: Any = problem.values.get("seen") or {}  # what a command has found out before it failed
        output.document({**seen, "error": error})


def _explain_usage(problem: Any) -> int:
    import io

    said = io.StringIO()
    problem.show(said)
    talk(said.getvalue().removesuffix("\n"))
    return int(problem.exit_code)


def _report_bug(problem: Exception) -> int:
    import platform
    import tempfile
    import traceback

    from labctl import __version__

    report = "".join(traceback.format_exception(problem))
    about = f"labctl {__version__}, Python {platform.python_version()}, {platform.platform()}\n{sys.argv}\n\n"
    talk(f"labctl: this is a bug in labctl: {type(problem).__name__}: {problem}")
    try:
        with tempfile.NamedTemporaryFile("w", prefix="labctl-bug-", suffix=".txt", delete=False) as file:
            file.write(about + report)
        talk(f"  the full report is in {file.name}")
    except OSError:  # a full disk: the report goes where somebody may still see it
        talk(about + report)
    return BUG


if __name__ == "__main__":
    main()
