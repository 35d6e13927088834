"""graph: what Compose makes of the files, drawn; and the picture in docs/."""

import json

import pytest
from outside import ROOT, run

pytestmark = pytest.mark.turn(2)


def test_the_picture_in_the_docs_is_what_the_command_draws(tmp_path):
    file = tmp_path / "hello.svg"
    assert run("graph", "hello", "--format", "svg", "-o", str(file)).returncode == 0
    assert file.read_bytes() == (ROOT / "docs" / "hello.svg").read_bytes()


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "topologies").glob("*.yaml")))
def test_every_built_in_topology_is_drawn(name):
    found = json.loads(run("graph", name, "--json").stdout)
    assert found["schema_version"] == 1
    assert found["nodes"]
    assert all(node["networks"] for node in found["nodes"])
    plain = {node["node"] for node in found["nodes"] if not node["role"]}
    assert not plain or name == "tutorial", "a beginner's programs have no role"
    for form in ("text", "svg", "mermaid", "dot"):
        result = run("graph", name, "--format", form)
        assert result.returncode == 0
        assert all(net["network"] in result.stdout for net in found["networks"])
