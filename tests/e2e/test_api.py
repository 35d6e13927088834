"""The Python API on a real engine: the page about it, the first program, several labs at once, cancelling."""

import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

import labctl

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = re.findall(r"```python\n(.*?)```", (DOCS / "api.md").read_text(), re.S)


class OnThatLab:
    """labctl, but for `up`, which gives the lab that the tests share."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, name: str):
        return getattr(labctl, name)

    def up(self, _topology: str, *, record: bool = False):
        found = labctl.find(self._name)
        if record:
            found.record()
        return found


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[1].strip())
def test_the_examples_of_the_page_run(lab, block, capsys):
    exec(compile(block, "api.md", "exec"), {"labctl": OnThatLab(lab.name), "__file__": __file__})
    if "print(" in block:
        assert "dropped by f" in capsys.readouterr().out


def test_the_first_program_does_what_the_first_page_shows(engine):
    program = DOCS / "first_program.py"
    assert len(program.read_text().splitlines()) <= 40
    got = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=240, check=False)
    assert got.stderr == ""
    for line in (
        r"alice -> bob  'hi'  10\.77\.\d+\.5:12345 -> \S+  delivered in \d+\.\d ms",
        r"client -> echo  'is anybody there\?'  \S+ -> \S+:7  answered 'is anybody there\?' in \S+ ms",
        r"udp1 -> udp2  sent 20, received 20, lost 0",
        r"\S+Z bob message hi",
        r"drop 'tcp data 1' once: 1 packet",
        r".* ! lost: dropped by f1.*",
    ):
        assert re.search(f"^{line}$", got.stdout, re.M), (line, got.stdout)
    assert "first-program" not in [one.name for one in labctl.labs()]


def said_by(arguments: tuple[str, int]) -> tuple[str, int]:
    """In a process of its own."""
    lab, number = arguments
    sent = labctl.find(lab).node("alice").send(f"process {number}", timeout=20)
    return sent.text, int(sent.offset or 0)


def test_several_processes_use_one_lab(lab):
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        said = list(pool.map(said_by, [(lab.name, number) for number in range(6)], timeout=120))
        with pytest.raises(labctl.NodeNotFound, match="did you mean alice"):
            pool.submit(labctl.find(lab.name).node, "alicee").result(60)
    assert [text for text, _ in said] == [f"process {number}" for number in range(6)]
    assert len({offset for _, offset in said}) == 6


def test_two_threads_bring_up_labs_of_their_own(spare):
    names, found = [spare("one").name, spare("two").name], {}

    def bring_up(name: str) -> None:
        with labctl.up("udp-mesh:2", name=name, timeout=120) as mine:
            first, second = mine.nodes
            found[name] = first.send(f"here is {name}", to=second.name, timeout=20)

    threads = [threading.Thread(target=bring_up, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
    assert {name: sent.text for name, sent in found.items()} == {name: f"here is {name}" for name in names}
    assert not {one.name for one in labctl.labs()} & set(names)


def test_what_was_begun_is_taken_back_where_it_is_cancelled(spare):
    name, stop = spare("three").name, labctl.Cancel()

    def once_compose_is_at_work(text: str) -> None:
        if text.startswith("Container"):
            stop.cancel()

    with pytest.raises(labctl.Cancelled):
        labctl.up("udp-mesh:2", name=name, cancel=stop, report=once_compose_is_at_work)
    with pytest.raises(labctl.LabNotFound):
        labctl.find(name)


@pytest.mark.parametrize(
    "wait",
    [
        lambda lab: list(lab.journal(follow=True, tail=0)),
        lambda lab: lab.wait_for("never", timeout=60),
        lambda lab: lab.wait("exited", timeout=60),
        lambda lab: lab.node("alice").exec("sleep", "60"),
        lambda lab: [lab.node("alice").exec("true") for _ in range(1000)],
    ],
    ids=["journal", "event", "state", "exec", "many"],
)
def test_waits_are_cancelled_from_another_thread(lab, wait):
    mine, begun = labctl.find(lab.name), time.monotonic()
    threading.Timer(0.3, mine.cancel).start()
    with pytest.raises(labctl.Cancelled):
        wait(mine)
    assert time.monotonic() - begun < 30


def test_a_command_has_its_time(lab):
    begun = time.monotonic()
    with pytest.raises(labctl.LabTimeout, match="sleep in alice goes on"):
        labctl.find(lab.name).node("alice").exec("sleep", "60", timeout=0.5)
    assert time.monotonic() - begun < 30
