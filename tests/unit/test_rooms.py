"""What a reader can count on: files, functions and folders that are small, and imports that point downwards.

import-linter (`make lint`) holds the rooms of labctl; here are those beside it.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from trees import nodes

ROOT = Path(__file__).parents[2]
ROOMS = ("labctl", "services", "bench", "compat")
LINES, FUNCTION, MODULES = 400, 60, 16  # lines of a file, lines of a function, modules in a folder
# What is over still; nothing may be added.
OVER: set[str] = set()
CROWDED: set[str] = set()
# What each may import of this project. A node's program has its own folder, and the packages that all nodes have.
NODES = {"chat", "labnode"}
PROBE = {"labcapture", "labfault", "labmachine", "labprocess", "labreach"}
IMPORTS = {
    "labctl": {"labctl"},
    "bench": {"bench", "labctl"},
    "compat": {"compat", "labctl"},
    "services/base/labnode": {"labnode"},
    "services/base/chat": NODES,
    "services/probe": {"labnode", *PROBE},
    **{f"services/probe/{package}": {"labnode", package} for package in sorted(PROBE)},
    "services/probe/labcapture": {"labnode", "labcapture", "labfault"},  # what is sent is recorded before a verdict
}
OURS = {"bench", "compat", "labctl", "tests", *NODES, *PROBE}


def modules(*rooms: str) -> list[Path]:
    return sorted(file for room in rooms for file in (ROOT / room).rglob("*.py"))


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def functions(module: Iterable[ast.AST]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in module if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def imported(module: Iterable[ast.AST]) -> Iterator[str]:
    """The packages that a module imports, anywhere in it."""
    for node in module:
        if isinstance(node, ast.Import):
            yield from (item.name.partition(".")[0] for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_no_file_is_long():
    long = {name(file) for file in modules(*ROOMS) if len(file.read_text().splitlines()) > LINES}
    assert long <= OVER


def test_no_function_is_long():
    found = [(name(file), item) for file in modules(*ROOMS) for item in functions(nodes(file))]
    assert len(found) > 1000
    assert [(file, item.name, length(item)) for file, item in found if length(item) > FUNCTION] == []


def test_no_folder_is_crowded():
    count = Counter(name(file.parent) for file in modules(*ROOMS) if file.name not in ("__init__.py", "__main__.py"))
    assert {folder for folder, number in count.items() if number > MODULES} <= CROWDED


@pytest.mark.parametrize("room", IMPORTS)
def test_imports_point_downwards(room):
    """A probe's program may import its packages; of which one builds on another."""
    files = [file for file in modules(room) if room != "services/probe" or file.parent.name == "probe"]
    assert files
    found = {(name(file), package) for file in files for package in imported(nodes(file))}
    assert {(file, package) for file, package in found if package in OURS - IMPORTS[room]} == set()


def test_what_is_too_long_is_seen():
    """None of these tests is one that can't fail."""
    module = ast.parse("def f():\n" + "    x = 1\n" * FUNCTION + "import labctl.lab\nfrom bench.model import Result\n")
    assert [length(node) for node in functions(ast.walk(module))] == [FUNCTION + 1]
    assert list(imported(ast.walk(module))) == ["labctl", "bench"]


def is_module(dotted: str) -> bool:
    """A module or package of this project."""
    place = ROOT / dotted.replace(".", "/")
    return place.is_dir() or place.with_suffix(".py").is_file()


@pytest.mark.parametrize("file", modules("labctl", "services", "bench"), ids=name)
def test_a_name_can_be_searched_for(file):
    """Functions and classes are called what they are called where they are written; modules may have another name."""
    renamed = [
        f"{node.module}.{item.name} as {item.asname}"
        for node in nodes(file)
        if isinstance(node, ast.ImportFrom) and node.module
        for item in node.names
        if item.asname not in (None, item.name) and not is_module(f"{node.module}.{item.name}")
    ]
    assert renamed == []
