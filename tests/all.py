"""Runs all tests, and keeps both cores at work.

Lanes at once: tests that need no engine, after them those that need several machines, and workers that share the files
of those that need one engine (each worker has labs of its own), the longest files first. Tests that measure time (the
marker `alone`) come last, with nothing beside them.
How long each test took is left in tests/out/durations.txt (and in tests/out/*.xml).

Of some tests whose cases are many and alike a share is taken, which a seed picks (tests/sampling.py): LABCTL_SEED, or
the commit that is tested. The seed is printed; `--whole` takes every case.

    python tests/all.py [--whole]
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import IO

from durations import write
from sampling import SEED

ROOT = Path(__file__).parents[1]
OUT = ROOT / "tests" / "out"
LANES = ("unit", "machines", "engine", "alone")
WITHOUT_ENGINE = ["tests/unit", "tests/errors"]
WITH_ENGINE = ["tests/e2e", "tests/integration"]
WORKERS = int(os.environ.get("LABCTL_WORKERS") or 3)  # much of their time they wait
# The files that take longest, which are begun first: else one of them would be at work when all others are done.
LONGEST = (
    "e2e/test_lessons.py",
    "e2e/test_faults.py",
    "e2e/test_grade.py",
    "e2e/test_page.py",
    "e2e/test_page_acts.py",
    "e2e/test_capture.py",
    "e2e/test_kill_matrix.py",
    "integration/test_chat.py",
    "e2e/test_engine_gone.py",
    "e2e/test_ladder_truth.py",
    "e2e/test_topologies.py",
    "integration/test_echo.py",
    "e2e/test_runs.py",
    "e2e/test_pytest_plugin.py",
    "e2e/test_foreign_projects.py",
    "e2e/test_run.py",
    "e2e/test_processes.py",
    "e2e/test_bad_input.py",
    "e2e/test_any_text.py",
    "integration/test_packets_tshark.py",
    "integration/test_http_hello.py",
)


def with_engine() -> list[str]:
    """The files whose tests need the engine, in the order in which they are begun."""
    found = sorted(str(file.relative_to(ROOT)) for folder in WITH_ENGINE for file in (ROOT / folder).glob("test_*.py"))
    first = [f"tests/{name}" for name in LONGEST]
    return [*first, *(name for name in found if name not in first)]


def chosen_seed() -> str:
    """That of the environment; else the commit's name, and without one today's date."""
    if given := os.environ.get(SEED):
        return given
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return commit.stdout.strip() or date.today().isoformat()


def command(lane: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", f"--junitxml={OUT / lane}.xml", "--durations=12", *arguments]


def run_beside(printed: IO[bytes]) -> int:
    """The lanes that need one process each, one after the other."""
    status = 0
    for lane in (command("unit", *WITHOUT_ENGINE), command("machines", "-m", "machines", *WITH_ENGINE)):
        ended = subprocess.run(lane, cwd=ROOT, stdout=printed, stderr=subprocess.STDOUT, check=False).returncode
        status = status or ended
    return status


def run() -> int:
    """The exit status of the first lane that failed, or 0."""
    with tempfile.TemporaryFile() as printed:
        with ThreadPoolExecutor(1) as other:
            beside = other.submit(run_beside, printed)
            shared = [
                f"--numprocesses={WORKERS}",
                "--dist=loadfile",
                "--no-loadscope-reorder",
                "-m",
                "not alone and not machines",
            ]
            status = subprocess.run(command("engine", *shared, *with_engine()), cwd=ROOT, check=False).returncode
            status = beside.result() or status
        printed.seek(0)
        sys.stdout.write(printed.read().decode(errors="replace"))
        sys.stdout.flush()
    alone = subprocess.run(command("alone", "-m", "alone", *WITH_ENGINE), cwd=ROOT, check=False).returncode
    return status or alone


def main(arguments: list[str]) -> int:
    os.environ[SEED] = "" if "--whole" in arguments else chosen_seed()
    print(f"{SEED}={os.environ[SEED]}", flush=True)
    OUT.mkdir(exist_ok=True)
    for lane in LANES:
        (OUT / f"{lane}.xml").unlink(missing_ok=True)
    try:
        return run()
    finally:
        print(write(OUT, LANES), flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
