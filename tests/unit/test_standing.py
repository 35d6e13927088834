"""What a topology says of its links, of services that are several nodes, too."""

import json

import pytest
from test_faults_lab import Probes

from labctl.engine.memory import MemoryEngine
from labctl.engine.model import COMPOSE_NUMBER, LABEL_CONDITIONS
from labctl.lab.faults import rules
from labctl.lab.faults.standing import put_in_force
from labctl.lab.model import find


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_link_to_a_scaled_service_leads_to_each_of_its_nodes(engine: MemoryEngine, count):
    Probes(engine)
    conditions = {LABEL_CONDITIONS: json.dumps([("web", "delay 1ms")])}
    engine.add("lab", "alice", addresses={"net": ("10.77.0.2",)}, labels=conditions)
    for number in range(1, count + 1):
        engine.add("lab", "web", addresses={"net": (f"10.77.0.{8 + number}",)}, labels={COMPOSE_NUMBER: str(number)})
    lab = find(engine, "lab")
    put_in_force(engine, lab, lab.nodes)
    names = [node.name for node in lab.nodes if node.name != "alice"]
    assert sorted(rule.link for rule in rules.listing(engine, lab)) == [f"alice:{name}" for name in names]
