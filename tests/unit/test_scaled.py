"""Services with several containers, or with none: what `up` and `plan` make of them, and what they leave alone."""

from pathlib import Path

import pytest

from labctl.engine.docker.project.projects import starts_in_turn
from labctl.engine.model import COMPOSE_NUMBER, LABEL_LAB, LABEL_PROBE, LABEL_PROBED
from labctl.errors import LabError
from labctl.lab.drawing import picture
from labctl.lab.life.change import change
from labctl.lab.life.plan import _change
from labctl.lab.life.up import _remove_what_left
from labctl.topology.check.plan import plan_of
from labctl.topology.model import names_in, parse, replicas

TEXT = "{name: lab, services: {web: {image: x, scale: 2}, db: {image: x}}}"


def helper(engine, of: str) -> None:
    engine.add("helpers", of, ours=False, labels={LABEL_LAB: "lab", LABEL_PROBE: "faults", LABEL_PROBED: of})


def test_up_again_leaves_the_helpers_of_scaled_nodes(engine):
    """They hold rules and recordings. Those of nodes that are no more go with these."""
    for number in ("1", "2"):
        engine.add("lab", "web", labels={COMPOSE_NUMBER: number})
    engine.add("lab", "db")
    engine.add("lab", "old")
    for name in ("web-1", "web-2", "web-3", "web", "db", "old"):
        helper(engine, name)
    told: list[str] = []
    _remove_what_left(engine, parse(TEXT, Path("lab.yaml")), told.append)
    assert told[:1] == ["note: old is removed: the topology has it no more"], "not in silence"
    assert not any(line.startswith("note: ") for line in told[1:]), "of its helper nobody knows"
    left = {item.name for item in engine.containers()}
    assert left == {"lab-web-1", "lab-db-1", "helpers-web-1-1", "helpers-web-2-1", "helpers-db-1"}


@pytest.mark.parametrize("none", ["scale: 0", "deploy: {replicas: 0}"])
def test_a_service_without_containers(none):
    found = parse(f"{{name: lab, services: {{web: {{image: x, {none}}}, db: {{image: x, scale: 1}}}}}}", Path("x"))
    assert names_in(found.config) == {"lab-db-1"}
    assert not starts_in_turn(found.config)
    web = found.members[0]
    assert _change(web, [], {}, None, 0) == ("keep", "none is wanted")
    assert _change(web, [], {}, None, 1) == ("create", "it is new")


def test_of_a_scaled_service_the_node_that_failed_is_named(engine, lab_of):
    for number in ("1", "2"):
        made = engine.add("lab", "web", role="echo", labels={COMPOSE_NUMBER: number})
    engine.later(lambda: made.end(1))
    with pytest.raises(LabError, match=r"^web-2 failed: it ended with exit status 1"):
        change(engine, lab_of(), "restart", "web-2", timeout=5)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("scale: 0", 0),
        ("deploy: {replicas: 0}", 0),
        ("scale: 0, deploy: {replicas: 3}", 0),
        ("scale: 2, deploy: {replicas: 3}", 2),
        ("scale: null, deploy: {replicas: 3}", 3),
        ("scale: null", 1),
        ("deploy: {replicas: null}", 1),
        ("scale: '2'", 2),
    ],
)
def test_how_many_nodes_a_service_has_is_read_alike(text, count):
    """By whoever makes them, whoever looks for mistakes, and whoever draws them."""
    found = parse(f"{{name: lab, services: {{web: {{image: x, {text}}}}}}}", Path("x"))
    assert replicas(found.config["services"]["web"]) == count
    assert plan_of(found.config, found.config).services["web"].replicas == count
    assert len(picture.of_topology(found, lambda member: None).nodes) == count
