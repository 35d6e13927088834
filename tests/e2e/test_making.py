"""What labctl makes is what Compose makes of the same file, and Compose takes it for its own."""

import json
import re
import secrets
import tempfile
from pathlib import Path

import pytest
from outside import ROOT, run_command
from sampling import seed, share

from compat import made
from labctl.engine import connect
from labctl.engine.model import PROBE_IMAGE
from labctl.topology import builtin
from labctl.topology.normalised import load

FILES = sorted([ROOT / "compose.yaml", *(ROOT / "topologies").glob("*.yaml"), *ROOT.glob("tests/e2e/foreign/*/*.yaml")])
FILES = [file for file in FILES if "services:" in file.read_text()]


def elsewhere(text: str) -> str:
    """The same with subnets that no other test's lab has: Compose can't move them."""
    moved = re.sub(r"\b10\.(7[7-9]|8\d)\.", lambda found: f"10.{int(found[1]) + 140}.", text)
    return re.sub(r"\bfd77:", "fd78:", moved)


@pytest.mark.parametrize("file", share(FILES, 6, seed()), ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_all_is_as_compose_makes_it(engine, file):
    """`make compat` does the same with other people's files."""
    config = load(elsewhere(connect().read(builtin.find(str(file))).text))
    with tempfile.TemporaryDirectory() as folder:
        prepared = made.prepared(config, f"labctl-alike-{secrets.token_hex(3)}", "labctl/http-hello", Path(folder))
        trial = made.Trial(prepared, Path(folder))
        theirs, ours = made.by_compose(trial), made.by_labctl(trial)
    assert not theirs.refusal
    assert made.differences(theirs, ours) == []


def test_a_difference_is_seen(tmp_path):
    config = {
        "name": f"labctl-alike-{secrets.token_hex(3)}",
        "services": {"a": {"image": "labctl/http-hello", "hostname": "a"}},
    }
    config["services"]["a"] |= {"network_mode": "none", "command": None, "entrypoint": None}
    other = {**config, "services": {"a": {**config["services"]["a"], "hostname": "b"}}}
    theirs, ours = made.by_compose(made.Trial(config, tmp_path)), made.by_labctl(made.Trial(other, tmp_path))
    found = [line for line in made.differences(theirs, ours) if "config-hash" not in line]
    assert found == [f'container /{config["name"]}-a-1: Config.Hostname: Compose "a", labctl "b"']


def states(lab):
    containers = lab.engine.containers.list(
        all=True, filters={"label": f"com.docker.compose.project={lab.name}"}, ignore_removed=True
    )
    return {item.name: (item.id, item.attrs["State"]["StartedAt"]) for item in containers}


def test_compose_finds_nothing_to_change_and_knows_all_of_it(spare, tmp_path):
    lab = spare("theirs")
    node = {"image": PROBE_IMAGE, "init": True, "command": ["sh", "-c", "echo here; exec sleep 1000"]}
    check = {"healthcheck": {"test": ["CMD", "true"], "interval": "1s"}, "volumes": ["kept:/kept", "/nameless"]}
    services = {
        "db": node | check | {"environment": {"PRICE": "$$5"}},
        "side": node | {"network_mode": "service:db"},
        "web": node | {"depends_on": {"db": {"condition": "service_healthy"}}, "scale": 2, "hostname": "web"},
    }
    file = tmp_path / "compose.yaml"
    file.write_text(json.dumps({"services": services, "volumes": {"kept": {}}}))

    def compose(*words: str):
        done = run_command(["docker", "compose", "-p", lab.name, "-f", str(file), *words], timeout=60)
        assert done.returncode == 0, done
        return done

    lab.ok("up", file, "--lab", lab.name)
    before = states(lab)
    assert len(before) == 4
    compose("up", "--detach")
    assert states(lab) == before
    lab.ok("up", file, "--lab", lab.name)
    assert states(lab) == before
    assert {json.loads(line)["Service"] for line in compose("ps", "--format", "json").stdout.splitlines()} == set(
        services
    )
    assert "here" in compose("logs", "side").stdout
    assert compose("exec", "-T", "db", "printenv", "PRICE").stdout == "$5\n"
    compose("down", "--volumes", "--timeout", "0")
    assert lab.labelled() == []
