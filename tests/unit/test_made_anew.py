"""`up` of a new lab that the engine could not make, by what making it once more mends."""

import pytest

from labctl.engine.memory import MemoryEngine
from labctl.engine.model import COMPOSE_PROJECT
from labctl.errors import EngineRefused
from labctl.lab.life.up import Request, up

NOTE = "note: a machine could not join the lab's network, which is made anew"


class KeptOut(MemoryEngine):
    """Refuses to start the last node so many times; making all anew is said to mend it."""

    def __init__(self, refusals):
        super().__init__()
        self.refusals, self.unmade = refusals, []

    def change(self, verb, container, **options):
        if verb == "start" and self.refusals and self._containers[container].record.name == "hello-web-1":
            self.refusals -= 1
            raise EngineRefused("engine-refused", action="start", why="kept out")
        super().change(verb, container, **options)

    def unmake(self, project, problem):
        self.unmade.append((project, problem.values["why"]))
        for container in self.containers([f"{COMPOSE_PROJECT}={project}"]):
            self.remove_container(container.id)
        return True


def test_a_new_lab_is_made_anew():
    engine, said = KeptOut(1), []
    lab = up(engine, Request(), said.append)
    assert engine.unmade == [("hello", "kept out")]
    assert said.count(NOTE) == 1
    assert len(lab.nodes) == 7
    assert all(node.is_running for node in lab.nodes)


def test_once_and_no_more():
    engine, said = KeptOut(2), []
    with pytest.raises(EngineRefused, match="kept out"):
        up(engine, Request(), said.append)
    assert len(engine.unmade) == 1
    assert engine.containers() == []


def test_of_a_lab_that_was_there_nothing_is_taken_away():
    engine, said = KeptOut(0), []
    before = {node.container.id for node in up(engine, Request(), said.append).nodes}
    web = next(one for one in engine.containers() if one.name == "hello-web-1")
    engine.change("stop", web.id)
    engine.refusals = 1
    with pytest.raises(EngineRefused, match="kept out"):
        up(engine, Request(), said.append)
    assert engine.unmade == []
    assert {one.id for one in engine.containers()} >= before


def test_what_it_does_not_mend_is_the_errors_own():
    class Other(KeptOut):
        def unmake(self, project, problem):
            return False

    with pytest.raises(EngineRefused, match="kept out"):
        up(Other(1), Request(), lambda line: None)
