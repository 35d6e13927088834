"""A lab without a way outside, brought up under the name that LABCTL_LAB chooses."""

import json

from executing import execute

NODE = {"init": True, "stdin_open": True, "x-labctl": {"movable_ports": True}}


def test_isolated_lab(spare, tmp_path):
    lab = spare("isolated")
    web = {**NODE, "image": "labctl/http-hello", "ports": ["127.0.0.1:8080:8080"]}
    topology = {"name": "elsewhere", "services": {"web": web, "client": {**NODE, "image": "labctl/echo-client"}}}
    (tmp_path / "compose.yaml").write_text(json.dumps(topology))
    # No --lab: what LABCTL_LAB says counts, here and for all that follows.
    planned = lab.json("plan", str(tmp_path), "--isolated")
    assert planned["lab"] == lab.name
    assert [(net["internal"], net["change"]) for net in planned["networks"]] == [(True, "create")]
    done = lab.ok("up", str(tmp_path), "--isolated", timeout=100)
    assert "note: nothing of a lab without a way outside is published on this machine (here: of web)" in done.stderr
    (network,) = lab.networks()
    assert network.attrs["Internal"]
    assert [node["node"] for node in lab.json("ps")["nodes"]] == ["client", "web"]
    routes = execute(lab.container("client").id, "cat", "/proc/net/route").out
    assert not [line for line in routes.splitlines()[1:] if line.split()[1] == "00000000"], "no default route"
    assert lab.refused("http", "get", "web", "/") == "web publishes no port to this machine"
    assert "Hello" in lab.ok("http", "get", "web", "/", "--from", "client").stdout
    again = lab.refused("up", str(tmp_path))
    assert again == f"the network {lab.name}_default is there already, without a way outside"
    assert lab.ok("down").stderr.startswith(f"{lab.name} is down: ")
