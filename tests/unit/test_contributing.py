"""What CONTRIBUTING.md shows works: its blocks are laid over a copy of the tree, and tests are run there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
BLOCK = re.compile(r"^`(?P<file>[^`\n]+)`\n\n```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
COPIED = ("labctl", "services", "docs", "tests", "topologies", "pyproject.toml", "README.md", "compose.yaml")
LIMIT = 240  # seconds; a busy machine takes long for them


def blocks(section: str) -> list[re.Match[str]]:
    found = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"CONTRIBUTING.md has no section {section!r}"
    return list(BLOCK.finditer(found[1]))


def lay(tree: Path, block: re.Match[str]) -> None:
    """A file of its own, or lines between those of a file that is there."""
    file = tree / block["file"]
    if block["kind"] != "diff":
        assert not file.exists(), f"{block['file']} is there already"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block["text"])
        return
    lines = block["text"].splitlines()
    before = "".join(line[1:] + "\n" for line in lines if line[0] in " -")
    after = "".join(line[1:] + "\n" for line in lines if line[0] in " +")
    text = file.read_text()
    assert text.count(before) == 1, f"{block['file']} does not have these lines once:\n{before}"
    file.write_text(text.replace(before, after))


pytestmark = pytest.mark.turn(2)  # each lays a copy of the tree out


@pytest.fixture
def tree(tmp_path):
    """A copy of what the examples are laid over, with what the copy itself says of labctl first on Python's path."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "out", "e2e"))
        else:
            shutil.copy(source, tmp_path / name)
    return tmp_path


def passes(tree: Path, *files: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files]
    environment = {"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin", "HOME": str(tree)}
    done = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


def says(tree: Path, *words: str) -> str:
    program = [sys.executable, "-c", "from labctl.__main__ import main; main()", *words]
    environment = {"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin", "HOME": str(tree)}
    done = subprocess.run(program, cwd=tree, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_kind_of_fault_is_added_as_the_page_says(tree):
    added = blocks("A kind of fault")
    for block in added:
        lay(tree, block)
    mine = [block["file"] for block in added if block["file"].startswith("tests/")]
    passes(tree, *mine, "tests/unit/test_fault_kinds.py", "tests/unit/test_fault_rules.py")
    assert "--truncate SHARE" in says(tree, "fault", "add", "--help")
    assert "Cut the packets short that a match picks." in says(tree, "fault", "--help")
    assert "(truncate)" in says(tree, "schema")


def test_a_kind_that_one_table_lacks_is_missed(tree):
    for block in blocks("A kind of fault"):
        if block["file"].startswith("labctl/"):
            lay(tree, block)
    with pytest.raises(AssertionError, match="truncate"):
        passes(tree, "tests/unit/test_fault_kinds.py")


def test_a_protocol_is_added_as_the_page_says(tree):
    added = blocks("A protocol")
    for block in added:
        lay(tree, block)
    mine = [block["file"] for block in added if block["file"].startswith("tests/unit/test_")]
    passes(tree, *mine, "tests/unit/test_protocols.py", "tests/unit/test_packets_kinds.py")


def test_a_protocol_without_its_line_is_missed(tree):
    lay(tree, blocks("A protocol")[0])
    with pytest.raises(AssertionError, match=r"transport\.vrrp"):
        passes(tree, "tests/unit/test_protocols.py")


def test_a_role_is_added_as_the_page_says(tree):
    added = blocks("A role")
    for block in added:
        lay(tree, block)
    mine = [block["file"] for block in added if block["file"].startswith("tests/")]
    passes(tree, *mine, "tests/unit/test_role_table.py")
    assert "Ask a server, HOST:PORT, for the time." in says(tree, "daytime", "--help")
    assert "Ask daytime servers." in says(tree, "daytime", "--help")


def test_an_image_of_a_role_that_the_table_lacks_is_missed(tree):
    for block in blocks("A role"):
        if block["file"].startswith("services/"):
            lay(tree, block)
    with pytest.raises(AssertionError, match="daytime"):
        passes(tree, "tests/unit/test_role_table.py")
