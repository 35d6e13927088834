"""Runs all tests, and keeps both cores at work.

Lanes at once: tests that need no engine, and workers that share the files of those that do (each worker has labs of
its own). Tests that measure time (the marker `alone`) come last, with nothing beside them. How long each test
took is left in tests/out/*.xml.

python tests/all.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = ROOT / "tests" / "out"
WITHOUT_ENGINE = ["tests/unit", "tests/errors"]
WITH_ENGINE = ["tests/e2e", "tests/integration"]
WORKERS = 3  # much of their time they wait


def command(lane: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", f"--junitxml={OUT / lane}.xml", "--durations=12", *arguments]


def main() -> int:
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryFile() as printed:
        beside = subprocess.Popen(command("unit", *WITHOUT_ENGINE), cwd=ROOT, stdout=printed, stderr=subprocess.STDOUT)
        try:
            shared = [f"--numprocesses={WORKERS}", "--dist=loadfile", "-m", "not alone"]
            status = subprocess.run(command("engine", *shared, *WITH_ENGINE), cwd=ROOT, check=False).returncode
            status = beside.wait() or status
        finally:
            beside.kill()
            beside.wait()
        printed.seek(0)
        sys.stdout.write(printed.read().decode(errors="replace"))
        sys.stdout.flush()
    alone = subprocess.run(command("alone", "-m", "alone", *WITH_ENGINE), cwd=ROOT, check=False).returncode
    return status or alone


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
