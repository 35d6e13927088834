"""Runs all tests: those that need no engine beside those that do, which leave one of two cores idle most of the time.

python tests/all.py
"""

import subprocess
import sys
import tempfile

PYTEST = [sys.executable, "-m", "pytest"]


def main() -> int:
    with tempfile.TemporaryFile() as printed:
        beside = subprocess.Popen([*PYTEST, "tests/unit", "tests/errors"], stdout=printed, stderr=subprocess.STDOUT)
        try:
            status = subprocess.run([*PYTEST, "tests/e2e", "tests/integration"], check=False).returncode
            status = beside.wait() or status
        finally:
            beside.kill()
            beside.wait()
        printed.seek(0)
        sys.stdout.write(printed.read().decode(errors="replace"))
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
