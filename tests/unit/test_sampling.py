"""A run takes a seeded share of alike cases; what is in it, and that in time it is all of them."""

import sys
from pathlib import Path

import durations
import pytest
from all import LONGEST, ROOT, WITH_ENGINE, with_engine
from sampling import SEED, examples, out_of_turn, share

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from kill_matrix import SIGNALS, cells

EVERY = cells(None)
REST = [cell for cell in EVERY if cell[2] != "SIGKILL"]


def test_tests_of_a_file_have_their_turns():
    names = [f"{file}{number}" for file in "ab" for number in range(9)]
    marked = [(name, name[0], 3) for name in names] + [("always", "a", 1)]
    waiting = [out_of_turn(marked, str(seed)) for seed in range(100)]
    assert {len(found) for found in waiting} == {2 * 6}, "of nine of each file three are run"
    assert set.union(*waiting) == set(names)
    assert set.intersection(*waiting) == set(), "each has its turn at some time"
    assert {name[1:] for name in waiting[0] if name[0] == "a"} != {name[1:] for name in waiting[0] if name[0] == "b"}
    assert out_of_turn(marked, None) == set()
    alone = [out_of_turn([("long", "a", 3)], str(seed)) for seed in range(300)]
    assert 60 < alone.count(set()) < 140, "a single one has its turn at one run of three"


@pytest.mark.parametrize("seed", ["a", "b", "0123abc"])
def test_kill_matrix_takes_a_third_of_sigkill_and_a_sixth_of_the_others(seed):
    taken = cells(seed)
    killed = [cell for cell in taken if cell[2] == "SIGKILL"]
    assert len(killed) == -(-(len(EVERY) - len(REST)) // 3)
    others = [cell for cell in taken if cell[2] != "SIGKILL"]
    assert set(others) < set(REST)
    assert len(others) == len(set(others)) == -(-len(REST) // 6)
    assert taken == cells(seed), "every worker takes the same"


def test_without_a_seed_every_cell_is_run():
    assert len(EVERY) == len(set(EVERY)) == 3 * len({cell[:2] for cell in EVERY})
    assert {cell[2] for cell in EVERY} == set(SIGNALS)


def test_other_seeds_take_others_until_all_were_taken():
    assert cells("a") != cells("b")
    taken = {cell for seed in range(40) for cell in cells(str(seed))}
    assert taken == set(EVERY)


@pytest.mark.parametrize(("given", "count"), [("", 100), ("0123abc", 25)])
def test_a_run_that_takes_a_share_takes_a_quarter_of_the_examples(monkeypatch, given, count):
    monkeypatch.setenv(SEED, given)
    assert examples(100) == count


def test_share():
    assert share("abcdefg", 3, None) == list("abcdefg")
    assert len(share("abcdefg", 3, "x")) == 3
    assert share("abcdefg", 3, "x") == sorted(share("abcdefg", 3, "x"))
    assert share("", 3, "x") == []


def test_the_longest_files_are_begun_first_and_none_is_left_out():
    files = with_engine()
    assert files[: len(LONGEST)] == [f"tests/{name}" for name in LONGEST]
    there = {str(file.relative_to(ROOT)) for folder in WITH_ENGINE for file in (ROOT / folder).rglob("test_*.py")}
    assert len(files) == len(there)
    assert set(files) == there


REPORT = """<testsuites><testsuite name="pytest" tests="3" time="9.5">
<testcase classname="tests.e2e.test_a" name="test_x[1]" time="1.25"/>
<testcase classname="tests.e2e.test_b" name="test_y" time="4.0"/>
<testcase classname="tests.e2e.test_a" name="test_z" time="3.0"/>
</testsuite></testsuites>"""


def test_durations_are_sorted_by_file_and_by_test(tmp_path):
    (tmp_path / "engine.xml").write_text(REPORT)
    told = durations.write(tmp_path, ["unit", "engine"])
    assert told.splitlines()[0] == "engine: 10 s, of which tests.e2e.test_a 4 s"
    assert (tmp_path / "durations.txt").read_text().splitlines() == [
        "# engine: 9.5 s, 3 tests",
        "",
        "    4.25  tests.e2e.test_a",
        "    4.00  tests.e2e.test_b",
        "",
        "    4.00  tests.e2e.test_b::test_y",
        "    3.00  tests.e2e.test_a::test_z",
        "    1.25  tests.e2e.test_a::test_x[1]",
    ]
