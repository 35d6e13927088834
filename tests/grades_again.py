"""Grades programs again and again, and compares what each came to: the same program gets the same mark every time.

As many at once as there are cores, and with `--busy` a program besides on each core that does nothing but compute.
Every run has a seed of its own, so its payloads are others. What differs from the first run is told, and the exit
status is 1.

    python tests/grades_again.py [TIMES] [--busy] [--all] [PROGRAM]...

PROGRAM is a file of tests/programs in Python; without one all that are right, and a wrong one of each subject; --all
takes every one. TIMES is 50.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = ROOT / "tests" / "programs"
LABCTL = str(Path(sys.executable).parent / "labctl")
LIMIT = 600  # seconds for one grade
Verdicts = tuple[tuple[str, str], ...]  # of each check, its name and what it came to


def chosen(named: Sequence[str], every: bool) -> list[Path]:
    if named:
        return [Path(name).resolve() for name in named]
    found: list[Path] = []
    for folder in sorted(path for path in PROGRAMS.iterdir() if path.is_dir()):
        sources = sorted(folder.glob("*.py"))
        wrong = [source for source in sources if not is_right(source)]
        found += [source for source in sources if is_right(source)] + (wrong if every else wrong[:1])
    return found


def is_right(source: Path) -> bool:
    return source.read_text().splitlines()[0] == "# passes"


def verdicts(source: Path) -> Verdicts:
    """Of one grade; where there is none, what labctl said instead."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)  # a host is another user
        shutil.copy(source, folder / "program.py")
        command = [LABCTL, "grade", source.parent.name, "--folder", made, "--json", "--", "python3", "program.py"]
        got = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    try:
        return tuple((one["name"], one["verdict"]) for one in json.loads(got.stdout)["checks"])
    except ValueError:
        return (("no grade", (got.stderr.strip() or got.stdout.strip()).splitlines()[0]),)


@contextmanager
def busy(wanted: bool) -> Iterator[None]:
    """Every core is taken by a program that computes."""
    cores = (os.cpu_count() or 1) if wanted else 0
    children = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores)]
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


def told(source: Path, found: Sequence[Verdicts]) -> bool:
    """Whether all are the same, and what came of a program: a line of it, and one for each check that differs."""
    usual, count = Counter(found).most_common(1)[0]
    failed = [name for name, verdict in usual if verdict != "passed"]
    name = source.relative_to(PROGRAMS) if source.is_relative_to(PROGRAMS) else source
    print(f"{name}: {count} of {len(found)} alike: {', '.join(failed) or 'all passed'}", flush=True)
    for other, times in Counter(found).most_common()[1:]:
        differs = sorted(set(other) ^ set(usual))
        print(f"    {times} times: {', '.join(f'{check} {verdict}' for check, verdict in differs)}", flush=True)
    return count == len(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("times", nargs="?", type=int, default=50)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    same = True
    with busy(options.busy), ThreadPoolExecutor(os.cpu_count()) as pool:
        for source in chosen(options.programs, options.all):
            same = told(source, list(pool.map(verdicts, [source] * options.times))) and same
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
