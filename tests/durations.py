"""How long tests took, of the reports that pytest wrote (--junitxml): by file and by test, the longest first."""

import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

FILE = "durations.txt"


def write(folder: Path, lanes: Iterable[str]) -> str:
    """Writes durations.txt beside the lanes' reports, and gives a line for each lane: its time and its longest file."""
    table: list[str] = []
    told: list[str] = []
    for lane in lanes:
        report = folder / f"{lane}.xml"
        if not report.exists():  # it was interrupted
            continue
        whole, tests = read(report)
        files: dict[str, float] = defaultdict(float)
        for (file, _), seconds in tests.items():
            files[file] += seconds
        longest = longest_first(files)[:1]
        told.append(f"{lane}: {whole:.0f} s" + (f", of which {longest[0][0]} {longest[0][1]:.0f} s" if longest else ""))
        table += [f"# {lane}: {whole:.1f} s, {len(tests)} tests", "", *rows(files)]
        table += ["", *rows({f"{file}::{name}": seconds for (file, name), seconds in tests.items()}), ""]
    (folder / FILE).write_text("\n".join(table))
    return "\n".join([*told, f"how long each test took: {folder / FILE}"])


def longest_first(seconds: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda item: -item[1])


def rows(seconds: Mapping[str, float]) -> list[str]:
    return [f"{took:8.2f}  {name}" for name, took in longest_first(seconds)]


def read(report: Path) -> tuple[float, dict[tuple[str, str], float]]:
    """The time of the whole lane, and of each test by its file's module and its name, in seconds."""
    root = ElementTree.parse(report).getroot()
    tests: dict[tuple[str, str], float] = defaultdict(float)
    for case in root.iter("testcase"):
        tests[case.get("classname", ""), case.get("name", "")] += float(case.get("time", 0))
    return sum(float(suite.get("time", 0)) for suite in root.iter("testsuite")), dict(tests)
