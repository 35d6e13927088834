"""The lab that a lesson was played on: what it takes away again."""

from dataclasses import replace

import pytest

import labctl
from labctl.engine.memory import MemoryEngine
from labctl.lesson import finding, grounds
from labctl.lesson.written.model import Typed
from labctl.topology.check.problems import Place


@pytest.mark.parametrize(("name", "left"), [("mine", {"alice", "other"}), ("lesson-hello", {"alice"})])
def test_programs_of_somebody_elses_stay_in_their_own_lab(name, left, tmp_path):
    engine = MemoryEngine()
    engine.add(name, "alice", addresses={"lab": ("10.77.0.5",)})
    engine.node_program = lambda container, order: container.listen("tcp", 9000)
    tmp_path.chmod(0o755)
    lab = labctl.find(name, engine=engine)
    for program in ("srv", "other"):  # `srv` is one of the lesson's
        lab.run(program, ["sleep", "60"], folder=tmp_path)
    grounds.put_in_order(lab, finding.find("recv"))
    assert {node.name for node in labctl.find(name, engine=engine).nodes} == left


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("run", "--name", "srv", "--", "python3", "x.py", "--name", "y"), {"srv"}),
        (("run", "--listen", "1", "--name=srv", "--", "x"), {"srv"}),
        (("run", "--", "x", "--name", "y"), set()),
        (("chat", "send", "--name", "y"), set()),
    ],
)
def test_a_lessons_programs_are_known_by_its_lines(words, names):
    lesson = replace(finding.find("layers"), start=(Typed(" ".join(words), words, Place(1, 1)),))
    assert lesson.programs == names
