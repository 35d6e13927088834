"""Pictures of topologies and of running labs, and what is drawn from them as text, Mermaid, Graphviz and data."""

import json
import re
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import ROOT, hello, made

from labctl.cli import output
from labctl.cli.app import command_line
from labctl.engine.docker import inspected
from labctl.engine.memory import MemoryEngine
from labctl.engine.model import COMPOSE_PROJECT, LABEL_FAMILIES, LABEL_ROUTES, Image, Network, Port
from labctl.errors import LabError
from labctl.lab.drawing import picture
from labctl.lab.drawing.picture import DrawnLink, DrawnRoute
from labctl.lab.drawing.role_labels import Roles
from labctl.lab.model import find
from labctl.render import tables
from labctl.render.graph import dot, mermaid, svg, text
from labctl.render.graph.document import document
from labctl.render.text import width
from labctl.topology import dockerfile
from labctl.topology.model import parse

EXPECTED = ROOT / "tests" / "unit" / "expected"
OURS = {COMPOSE_PROJECT: "special"}

TWO = """
name: two
x-labctl: {title: Two, links: ["a-b delay 40ms", "a:r loss 1%"]}
services:
  b: {image: somebody/b, networks: {right: {ipv4_address: 10.2.0.2}}, x-labctl: {routes: [default via r]}}
  a10: {image: somebody/a, networks: {left: null}}
  a: {image: somebody/a, networks: {left: {ipv4_address: 10.1.0.2, ipv6_address: "fd01::2"}}}
  a2: {image: somebody/a, networks: {left: null}}
  r:
    image: somebody/r
    labels: {dev.labctl.role: router}
    networks: {right: {ipv4_address: 10.2.0.254}, left: {ipv4_address: 10.1.0.254}}
  lonely: {image: somebody/b, network_mode: none, scale: 2}
networks:
  right: {name: two_right, ipam: {config: [{subnet: 10.2.0.0/24}]}}
  left: {name: two_left, enable_ipv6: true, ipam: {config: [{subnet: 10.1.0.0/24}, {subnet: "fd01::/64"}]}}
  unused: {name: two_unused}
"""


def of_text(source=TWO):
    topology = parse(source, ROOT / "two.yaml")
    return picture.of_topology(topology, Roles(topology, MemoryEngine).of)


# The picture


def test_a_file_in_the_order_of_its_networks_and_addresses():
    found = of_text()
    assert [net.name for net in found.networks] == ["left", "right", "unused"]
    assert [node.name for node in found.nodes] == ["a", "r", "a2", "a10", "b", "lonely-1", "lonely-2"]
    assert [(item.node, item.addresses) for item in found.attachments_of("left")] == [
        ("a", ("10.1.0.2", "fd01::2")),
        ("r", ("10.1.0.254",)),
        ("a2", ()),
        ("a10", ()),
    ]
    assert found.routes == (DrawnRoute("b", "default via r"),)
    assert [(link.name, link.condition) for link in found.links] == [("a-b", "delay 40ms"), ("a:r", "loss 1%")]
    assert [node.name for node in found.nodes if node.is_router] == ["r"]


def test_networks_that_share_a_node_are_neighbours():
    names = ["d", "b", "e", "a", "c"]
    nodes = {f"{one}{other}": {one: (), other: ()} for one, other in ("ac", "ce", "eb", "bd")}
    assert [net.name for net in made(dict.fromkeys(names, ()), nodes).networks] == list("acebd")


def test_roles_come_from_labels_and_nowhere_else(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM x AS base\nLABEL dev.labctl.role=udp\nFROM base AS last\n")
    source = TWO + f"  # {tmp_path}\n"
    source = source.replace("services:\n", f"services:\n  built: {{build: {{context: '{tmp_path}', target: last}}}}\n")
    engine = MemoryEngine()
    engine.images["somebody/a"] = Image("1", {"dev.labctl.role": "chat"})
    topology = parse(source, ROOT / "two.yaml")
    roles = Roles(topology, lambda: engine)
    found = {member.name: roles.of(member) for member in topology.members}
    assert found == {"built": "udp", "a": "chat", "a2": "chat", "a10": "chat", "r": "router", "b": None, "lonely": None}


def test_without_an_engine_the_roles_of_images_are_left_out():
    def refuse():
        raise LabError("engine-unreachable", endpoint="unix:///none", why="nobody is there")

    topology = parse(TWO, ROOT / "two.yaml")
    roles = Roles(topology, refuse)
    assert [roles.of(member) for member in topology.members if member.name in ("r", "b")] == [None, "router"]
    assert roles.problem.code == "engine-unreachable"


def test_labels_of_a_dockerfile():
    source = """
    # FROM no AS comment
    FROM --platform=linux/amd64 debian AS one
    LABEL a=1 "b"="two words" \\
          # in between
          c=${C}
    from one as two
    label a=2
    FROM scratch
    LABEL odd="
    """
    assert dockerfile.labels(source, "one") == {"a": "1", "b": "two words"}
    assert dockerfile.labels(source, "Two") == {"a": "2", "b": "two words"}
    assert dockerfile.labels(source) == dockerfile.labels(source, "nowhere") == dockerfile.labels("") == {}


def test_what_an_image_of_a_dockerfile_runs():
    source = """
    FROM debian AS one
    USER 10001:10001
    CMD ["python3", "/opt/a b.py"]
    FROM one AS two
    CMD echo $HOME
    FROM one AS three
    ENTRYPOINT ["/gate"]
    FROM three AS four
    CMD ["x"]
    ENTRYPOINT ["/other"]
    """
    found = {name: dockerfile.stage(source, name) for name in ("one", "two", "three", "four", "five")}
    deep = "[" * 100_000  # is no JSON, and so for a shell
    assert dockerfile.stage(f"FROM x\nCMD {deep}").command == ("/bin/sh", "-c", deep)
    assert {name: (*one.entrypoint, *one.command) for name, one in found.items()} == {
        "one": ("python3", "/opt/a b.py"),
        "two": ("/bin/sh", "-c", "echo $HOME"),
        "three": ("/gate",),  # which does without the command of what it is built on
        "four": ("/other", "x"),
        "five": (),
    }
    assert [one.user for one in found.values()] == [*["10001:10001"] * 4, ""]


def lab(engine, ours=True):
    ports = (Port("tcp", 80, "127.0.0.1", 8080), Port("tcp", 80, "::1", 8080), Port("tcp", 9))
    engine.add("mine", "web", role="http", addresses={"mine_net": ("10.0.0.2",)}, ports=ports, ours=ours)
    routed = engine.add("mine", "r", role="router", addresses={"mine_net": ("10.0.0.9",), "net": ()}, ours=ours)
    routed.record.labels[LABEL_ROUTES] = json.dumps(["10.9.0.0/24 via web"])
    engine.add("mine", "gone", addresses={"mine_net": ()}, state="exited", ours=ours)
    engine.add("mine", "still", addresses={"mine_net": ("10.0.0.3",)}, state="paused", ours=ours)
    engine.add("other", "x", addresses={"other_net": ("10.7.0.2",)})
    return picture.of_lab(engine, find(engine, "mine"))


@pytest.mark.parametrize("ours", [True, False])
def test_a_running_lab_shows_states_and_published_ports(ours):
    found = lab(MemoryEngine(), ours)
    # Two networks would have one name without the project's: both keep theirs.
    assert {net.name for net in found.networks} == {"mine_net", "net"}
    assert {node.name: node.note for node in found.nodes} == {
        "web": None,
        "r": None,
        "gone": "exited",
        "still": "paused",
    }
    assert found.nodes[0].published == ("127.0.0.1:8080 -> 80/tcp", "[::1]:8080 -> 80/tcp")
    assert found.routes == (DrawnRoute("r", "10.9.0.0/24 via web"),)
    assert "gone (exited)" in text.draw(found)


def test_one_name_twice_becomes_the_containers_names():
    engine = MemoryEngine()
    for name in ("lab-web-1", "lab-web-run-1"):
        made_ = engine.add("lab", "web", addresses={"lab_net": ()})
        made_.record = made_.record._replace(name=name)
    found = picture.of_lab(engine, find(engine, "lab"))
    assert [node.name for node in found.nodes] == ["lab-web-1", "lab-web-run-1"]
    assert [net.name for net in found.networks] == ["net"]


def test_where_ipv4_is_taken_away_its_subnet_is_not_shown():
    source = TWO.replace("left: {name: two_left,", "left: {name: two_left, x-labctl: {ipv4: false},")
    assert of_text(source).networks[0].subnets == ("fd01::/64",)
    engine = MemoryEngine()
    engine.add("lab", "a", addresses={"lab_net": ("10.0.0.2", "fd01::2")}).record.labels[LABEL_FAMILIES] = "ipv6"
    engine.subnets("lab_net", "10.0.0.0/24", "fd01::/64")
    found = picture.of_lab(engine, find(engine))
    assert (found.networks[0].subnets, found.attachments[0].addresses) == (("fd01::/64",), ("fd01::2",))


# Text


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_the_default_lab_as_text(columns):
    assert text.draw(hello(), columns=columns) + "\n" == (EXPECTED / f"hello-{columns}.txt").read_text()


def test_the_default_lab_for_other_programs():
    assert mermaid.draw(hello()) + "\n" == (EXPECTED / "hello.mmd").read_text()
    assert dot.draw(hello()) + "\n" == (EXPECTED / "hello.dot").read_text()


def test_two_networks_as_text():
    assert text.draw(of_text(), columns=80) + "\n" == (EXPECTED / "two.txt").read_text()


NAMES = st.text("ab-節点e\u0301\x1b\u202e🦊", min_size=1, max_size=70)


@given(
    st.lists(NAMES, min_size=1, max_size=30, unique=True),
    st.lists(NAMES, min_size=1, max_size=4, unique=True),
    st.sampled_from([40, 80, 100, 200]),
    st.text(max_size=200),
)
def test_no_line_is_wider_than_the_terminal(nodes, networks, columns, title):
    where = {node: {networks[number % len(networks)]: ("fd00:1111:2222::1",)} for number, node in enumerate(nodes)}
    where[nodes[0]] = dict.fromkeys(networks, ("10.0.0.1",))
    links = (DrawnLink(nodes[0], nodes[-1], True, "delay 40ms"),)
    found = made(dict.fromkeys(networks, ("10.0.0.0/24", "fd00::/64")), where, links=links, title=title)
    plain = text.draw(found, columns=columns)
    assert max(map(width, plain.split("\n"))) <= columns
    assert "\x1b" not in plain
    assert "\u202e" not in plain
    coloured = text.draw(found, columns=columns, colour=True)
    assert "\n".join(line.rstrip() for line in re.sub(r"\x1b\[\d+m", "", coloured).split("\n")) == plain


def test_many_nodes_are_a_list_with_each_in_a_line():
    found = made({"lab": ("10.0.0.0/16",)}, {f"n{n}": {"lab": (f"10.0.1.{n}",)} for n in range(200)})
    lines = text.draw(found, columns=80).split("\n")
    assert len(lines) == 204
    assert lines[-1] == "╙── n199  udp  10.0.1.199"


# Other formats


def test_what_means_something_to_others_is_escaped():
    odd = 'a"]; %%{init}%% #quot; <b> `x` \\N &amp;'
    found = made({odd: (odd,)}, {odd: {odd: (odd,)}}, title=odd, description=odd + "\n\x1b", links=())
    for line in mermaid.draw(found).split("\n")[1:]:
        inner = re.sub(r'^  \w+(\{\{"|\["| ---\|"|: )|("\}\}.*|"\]|"\| \w+)$|</?b>|<br/>', "", line)
        assert "classDef" in line or re.fullmatch(r"[\w .:/,()+@*#;-]*", re.sub(r"#\d+;", "", inner)), line
    drawn = dot.draw(found)
    assert r"a\"]; %%{init}%% #quot; <b> `x` \\N &amp;amp;" in drawn
    assert re.sub(r'"(\\.|[^"\\])*"', "", drawn).count('"') == 0


def test_conditions_are_lines_between_their_nodes_where_both_are_there():
    nodes = {"a": {"n": ()}, "b": {"n": ()}}
    links = (DrawnLink("a", "b", True, "loss 1%"), DrawnLink("b", "a", False, "x"), DrawnLink("a", "zzz", True, "y"))
    found = made({"n": ()}, nodes, links=links)
    assert [line for line in mermaid.draw(found).split("\n") if "-." in line] == [
        '  node0 <-. "loss 1#37;" .-> node1',
        '  node1 -. "x" .-> node0',
    ]
    assert [line.split(",")[0] for line in dot.draw(found).split("\n") if "dashed" in line] == [
        '  node0 -- node1 [label="loss 1%"',
        '  node1 -- node0 [label="x"',
    ]
    assert "a <-> zzz: y" in text.draw(found)


HOSTS = """
name: shared
x-labctl: {links: ["web-b loss 1%", "b:cache delay 1ms"]}
services:
  web: {image: x, networks: {net: null}}
  cache: {image: x, network_mode: "service:web"}
  b: {image: x, networks: {net: null}}
  c: {image: x, network_mode: bridge}
networks: {net: {name: shared_net}}
"""


def test_conditions_of_nodes_that_are_one_host_are_lines_to_it():
    found = of_text(HOSTS)
    ids = {node.name: f"node{number}" for number, node in enumerate(found.nodes)}
    host, b = ids["web+cache"], ids["b"]
    lines = [line for line in mermaid.draw(found).split("\n") if "-." in line]
    assert lines == [f'  {host} <-. "loss 1#37;" .-> {b}', f'  {b} -. "delay 1ms" .-> {host}']
    drawn = [line.partition(" [")[0] for line in dot.draw(found).split("\n") if "dashed" in line]
    assert drawn == [f"  {host} -- {b}", f"  {b} -- {host}"]
    assert svg.draw(found).count(">link 1, 2<") == 2


@pytest.mark.parametrize(
    ("service", "published"),
    [
        ("networks: {in: null, out: null}", 1),
        ("networks: {in: null}", 0),
        ("network_mode: host", 0),
        ("network_mode: bridge", 1),
    ],
)
def test_ports_that_the_engine_would_not_publish_are_not_drawn(service, published):
    services = f"{{a: {{image: x, ports: [{{target: 80, published: '80', protocol: tcp}}], {service}}}}}"
    found = of_text(
        f"{{name: x, services: {services}, networks: {{in: {{name: i, internal: true}}, out: {{name: o}}}}}}"
    )
    assert len(found.nodes[0].published) == published


def test_the_engines_own_network_is_one():
    found = of_text(HOSTS)
    assert {net.name for net in found.networks} == {"net", "bridge"}
    assert [item.node for item in found.attachments_of("bridge")] == ["c"]
    assert picture.NOWHERE not in text.draw(found)


def test_as_data():
    found = document(of_text())
    subnets = ["10.1.0.0/24", "fd01::/64"]
    assert found["networks"][0] == {"network": "left", "subnets": subnets, "internal": False, "mtu": None}
    assert found["nodes"][0] == {
        "node": "a",
        "role": None,
        "masquerades": None,
        "state": None,
        "on_machine": False,
        "networks": {"left": ["10.1.0.2", "fd01::2"]},
        "published": [],
        "routes": [],
    }
    assert found["links"][1] == {"link": "a:r", "from": "a", "to": "r", "both": False, "condition": "loss 1%"}
    assert json.dumps(found)


# What is there, and what isn't

SPECIAL = """
name: special
services:
  a: {image: x, network_mode: none}
  b: {image: x, network_mode: none}
  h: {image: x, network_mode: host}
  many:
    image: x
    scale: 2
    networks: {front: {ipv6_address: "fd99::5"}}
    ports: [{target: 80, published: 8000-8004, protocol: tcp}, {target: 81, protocol: tcp, host_ip: "::1"}]
networks:
  front: {name: f, ipam: {config: [{subnet: 10.9.0.0/24}, {subnet: "fd99::/64"}]}}
  back: {name: b, internal: true, driver_opts: {com.docker.network.driver.mtu: "1400"}}
"""


def of_an_engine():
    """The same as it runs, with Docker's own names for no network and for the machine's."""
    engine = MemoryEngine()
    names = {"a": "none", "b": "none", "h": "host"}
    for number, node in enumerate(["a", "b", "h", "many-1", "many-2"]):
        mode = names.get(node, "front")
        networks = {mode: {"IPAddress": f"10.9.0.{number}" if mode == "front" else ""}}
        item = {"Id": node, "Image": "x", "State": "running", "NetworkSettings": {"Networks": networks}}
        read = inspected.container({**item, "HostConfig": {"NetworkMode": mode}})
        engine.add("special", node, addresses=dict(read.addresses), host_network=read.host_network)
    networks = [Network("1", "front", {}, ("10.9.0.0/24",)), Network("2", "special_back", OURS, (), True, 1400)]
    engine.networks = lambda labels=(): networks
    return picture.of_lab(engine, find(engine, "special"))


@pytest.mark.parametrize("found", [of_text(SPECIAL), of_an_engine()], ids=["a file", "a lab"])
def test_no_network_is_none_and_the_machines_own_is_no_network_of_the_lab(found):
    assert [net.name for net in found.networks] == ["front", "back"]
    assert {node.name for node in found.nodes if node.on_machine} == {"h"}
    assert {item.node for item in found.attachments} == {"many-1", "many-2"}
    drawn = text.draw(found)
    assert "on this machine's own network\n  h\n\non no network\n  a\n  b\n" in drawn + "\n"
    assert "back  internal, MTU 1400" in " ".join(drawn.split("\n")).replace("back internal", "back  internal")
    for shown in (svg.draw(found), mermaid.draw(found), dot.draw(found)):
        assert "internal" in shown
        assert "MTU 1400" in shown
        assert "own network" in shown
    assert "On no network: a, b." in svg.description(found)
    assert document(found)["networks"][1] == {"network": "back", "subnets": [], "internal": True, "mtu": 1400}


def test_what_a_file_asks_for_and_the_engine_would_not_give():
    found = of_text(SPECIAL)
    assert found.networks[0].subnets == ("10.9.0.0/24",), "its IPv6 is not enabled"
    assert {item.addresses for item in found.attachments} == {()}
    assert next(node.published for node in found.nodes if node.name == "many-2") == (
        "0.0.0.0:8000-8004 -> 80/tcp",
        "any free port -> 81/tcp",
    )


def test_a_place_on_this_machine_has_one_spelling():
    assert Port("tcp", 80, "::", 5678).place == "[::]:5678"
    assert Port("tcp", 80, "127.0.0.1", 5678).place == "127.0.0.1:5678"
    assert tables._published(Port("udp", 80, "::", 5678)) == "[::]:5678/udp"


# The command


@pytest.mark.parametrize(
    "arguments",
    [["hello", "--format", "png"], ["hello", "--lab", "x"], ["--json", "--format", "svg"]],
)
def test_wrong_usage(arguments):
    with pytest.raises(click.UsageError) as caught:
        command_line()(["graph", *arguments], standalone_mode=False)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("file", "why"),
    [("none/x.svg", "No such file or directory"), ("/dev/full", "No space left on device"), (".", "Is a")],
)
def test_a_file_that_cant_be_written(tmp_path, monkeypatch, file, why):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabError, match=f"^{file} can't be written: {why}"):
        output.save(Path(file), "x")


def test_a_topology_that_isnt_there():
    with pytest.raises(LabError, match="there is no topology helo; did you mean hello"):
        command_line()(["graph", "helo"], standalone_mode=False)


NAT = """
name: home
services:
  box:
    image: somebody/r
    labels: {dev.labctl.role: router}
    environment: {MASQUERADE_TO: box-outside}
    networks: {inside: null, outside: {aliases: [box-outside]}}
  core:
    image: somebody/r
    labels: {dev.labctl.role: router}
    networks: {inside: null, outside: null}
  peer:
    image: somebody/a
    environment: {MASQUERADE_TO: nothing}
    networks: {inside: null}
networks: {inside: {name: home_inside}, outside: {name: home_outside}}
"""


def test_routers_that_masquerade_are_marked():
    found = of_text(NAT)
    assert {node.name: node.masquerades for node in found.nodes} == {"box": "outside", "core": None, "peer": None}
    assert "router, NAT to outside" in text.draw(found)
    assert "router, NAT to outside" in mermaid.draw(found)
    assert "router, NAT to outside" in dot.draw(found)
    assert ">router, NAT to outside<" in svg.draw(found)
    assert "Routers: box (router, NAT to outside), core." in svg.description(found)
    assert [node["masquerades"] for node in document(found)["nodes"]] == ["outside", None, None]
    # On which network it is can't always be told from the file; that it does it can.
    unknown = of_text(NAT.replace("{aliases: [box-outside]}", "null"))
    assert [node.kind for node in unknown.nodes] == ["router, NAT", "router", None]


def test_a_running_router_that_masquerades_is_marked():
    engine = MemoryEngine()
    box = engine.add("home", "box", role="router", addresses={"home_in": ("10.0.0.1",), "home_out": ("10.1.0.1",)})
    engine.add("home", "core", role="router", addresses={"home_out": ("10.1.0.2",)})
    box.environment["MASQUERADE_TO"] = "box-out"
    box.aliases.update(home_in=("box",), home_out=("box", "box-out"))
    found = picture.of_lab(engine, find(engine))
    assert {node.name: node.kind for node in found.nodes} == {"box": "router, NAT to out", "core": "router"}
