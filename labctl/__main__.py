"""Where labctl starts, and the one place that turns failures into words and exit codes.

0 done; 1 an error that labctl explains; 2 wrong usage; 3 a bug in labctl; 130 interrupted, 143 ended by SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from labctl.cli.output import ReaderLeft
from labctl.errors import LabError

EXPLAINED, BUG = 1, 3


class Terminated(BaseException):
    """SIGTERM came: take back what was begun, as for ^C."""


def main() -> int:
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return _run()
    except LabError as problem:
        _explain(problem)
        return EXPLAINED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Terminated:
        return 128 + signal.SIGTERM
    except ReaderLeft:
        # Python would write once more at exit what it could not, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as problem:  # noqa: BLE001 - the boundary: whatever else comes here is a bug
        import typer

        if isinstance(problem, typer.Abort):
            return 128 + signal.SIGINT  # how typer tells of a ^C
        if isinstance(problem, typer.BadParameter.__bases__):
            return _explain_usage(problem)
        return _report_bug(problem)


def _run() -> int:
    from labctl.cli.app import app

    result = app(standalone_mode=False)
    return result if isinstance(result, int) else 0


def _terminate(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def _explain(problem: LabError) -> None:
    from labctl.cli import output

    if output.Settings.json:
        output.document({"error": {"code": problem.code, "message": problem.message, "hint": problem.hint}})
    sys.stderr.write(f"labctl: {problem.message}\n")
    if problem.hint:
        sys.stderr.write(f"  {problem.hint}\n")


def _explain_usage(problem: Any) -> int:
    problem.show()
    return int(problem.exit_code)


def _report_bug(problem: Exception) -> int:
    import platform
    import tempfile
    import traceback

    from labctl import __version__

    report = "".join(traceback.format_exception(problem))
    about = f"labctl {__version__}, Python {platform.python_version()}, {platform.platform()}\n{sys.argv}\n\n"
    with tempfile.NamedTemporaryFile("w", prefix="labctl-bug-", suffix=".txt", delete=False) as file:
        file.write(about + report)
    sys.stderr.write(f"labctl: this is a bug in labctl: {type(problem).__name__}: {problem}\n")
    sys.stderr.write(f"  the full report is in {file.name}\n")
    return BUG


if __name__ == "__main__":
    sys.exit(main())
