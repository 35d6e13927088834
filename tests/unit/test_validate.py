"""The checks of a topology's file: against the built-in ones, without Compose, against any input at all."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples

from labctl.engine.projects import Reading
from labctl.errors import LabError
from labctl.faults.conditions import CONDITIONS, Malformed
from labctl.lab.validate import Report, validate
from labctl.topology import extension, shipped
from labctl.topology.check import ports, problems, values
from labctl.topology.check.compose import locate
from labctl.topology.check.reading import keys
from labctl.topology.check.reading.scalars import rewritten, sixties, type_of
from labctl.topology.check.reading.source import Place, Scalar, Source, Unreadable, parse
from labctl.topology.check.whole import Answer, check
from labctl.topology.extension import parse_link, parse_route

ROOT = Path(__file__).parents[2]
TOPOLOGIES = [ROOT / "compose.yaml", *sorted((ROOT / "topologies").glob("*.yaml"))]
SCHEMA = json.loads(extension.schema())
FILES = [Path("/nowhere/lab.yaml")]


def codes(text: str, config: str | None = None, complaint: str = "") -> list[str]:
    answer = Answer(yaml.safe_load(config) if config else None, complaint)
    found = check(parse(text), FILES, answer)
    return [problem.code for problem in found]


def no_docker(text: str | None) -> Reading:
    raise LabError("docker-missing")


def written(tmp_path: Path, text: str) -> str:
    file = tmp_path / "lab.yaml"
    file.write_text(text)
    return str(file)


# The built-in topologies, the schema and the parser agree.


@pytest.mark.parametrize("file", TOPOLOGIES, ids=lambda file: file.stem)
def test_built_in_topologies_are_valid(file):
    report = validate(str(file), no_docker)
    assert report.problems == ()
    jsonschema.Draft202012Validator(SCHEMA).validate(yaml.safe_load(file.read_text()))


def test_schema_is_one_and_knows_the_keys_of_the_parser():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    known = SCHEMA["$defs"]
    for name, (shape, parsed) in zip(("top", "service", "network"), keys.EXTENSIONS, strict=True):
        assert set(shape.keys) == set(parsed) == set(known[name]["properties"])
        assert known[name]["additionalProperties"] is False


LINKS = [
    "alice:bob",
    "alice-bob delay 40ms loss 1%",
    "alice-bob delay 40ms drop 1%",
    "alice-bob delay 1s500ms",
    " alice:bob rate 1mbit ",
    "alice:bob delay 1.5s jitter 10us duplicate 0.5% reorder 1% corrupt 100%",
    "alice",
    "alice:bob delay",
    "alice:bob delay 40",
    "alice:bob los 1%",
    "alice:bob loss 1",
    "alice:bob rate 1mb",
]
ROUTES = ["default via bob", "10.1.0.0/24 via bob", "fd00::/64  via  bob", "via bob", "default bob", "x/24 via bob"]


@pytest.mark.parametrize(("text", "key"), [*((text, "link") for text in LINKS), *((text, "route") for text in ROUTES)])
def test_schema_takes_what_the_parser_takes(text, key):
    schema = {"$schema": SCHEMA["$schema"], "$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{key}"}
    try:
        parse_link(text, ["alice", "bob"]) if key == "link" else parse_route(text)
        fine = True
    except Malformed:
        fine = False
    assert jsonschema.Draft202012Validator(schema).is_valid(text) == fine


def test_schema_names_every_condition():
    pattern = SCHEMA["$defs"]["link"]["anyOf"][0]["pattern"]
    assert all(word in pattern for word in CONDITIONS)


@pytest.mark.parametrize("where", ["top", "service", "network"])
def test_schema_refuses_an_unknown_key(where):
    document = {
        "top": {"x-labctl": {"titel": "x"}},
        "service": {"services": {"a": {"x-labctl": {"route": "x"}}}},
        "network": {"networks": {"a": {"x-labctl": {"moveable": True}}}},
    }[where]
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(document)


def test_docs_of_the_codes_are_made_of_the_table():
    assert (ROOT / "docs" / "validation.md").read_text() == problems.as_markdown()


def test_examples_of_the_docs_are_valid():
    text = (ROOT / "docs" / "topologies.md").read_text()
    examples = [part.split("```")[0] for part in text.split("```yaml\n")[1:]]
    assert len(examples) >= 3
    for example in examples:
        assert not check(parse(example), FILES).errors, example
        jsonschema.Draft202012Validator(SCHEMA).validate(yaml.safe_load(example))


# Without Compose, with Compose's reading, with Compose's complaint.

BASE = "services:\n  alice: {image: x, networks: {lab: {ipv4_address: ADDRESS}}}\nnetworks:\n  lab: {SUBNET}\n"


def test_all_own_checks_without_docker(tmp_path):
    text = BASE.replace("ADDRESS", "10.1.0.300").replace("SUBNET", "drivr: bridge")
    report = validate(written(tmp_path, text), no_docker)
    assert [problem.code for problem in report.problems] == ["bad-address", "unknown-key"]
    assert not report.asked
    assert report.unasked.startswith("the command `docker` is not on the PATH; install it")
    assert report.as_json()["compose"] == {"asked": False, "why_not": report.unasked}


def test_values_with_variables_are_not_judged_before_compose_read_them():
    text = BASE.replace("ADDRESS", '"${NET:-10.1.0}.1"').replace("SUBNET", 'ipam: {config: [{subnet: "${NET}.0/24"}]}')
    assert codes(text) == []
    config = text.replace("${NET:-10.1.0}", "10.1.0").replace("${NET}", "10.1.0")
    assert codes(text, config) == ["address-reserved"]
    found = next(iter(check(parse(text), FILES, Answer(yaml.safe_load(config)))))
    assert found.place == Place(2, 52)


def test_values_with_variables_are_judged_although_compose_refuses_the_file(tmp_path):
    """Compose reads the values in a text of their own."""
    text = BASE.replace("ADDRESS", '"${NET}.1"').replace(
        "SUBNET", "drivr: x, ipam: {config: [{subnet: '${NET}.0/24'}]}"
    )
    text = text.replace("image: x", "image: x, ports: ['${PORT}:80'], container_name: $$x")

    def ask(instead: str | None) -> Reading:
        assert [path.name for path in tmp_path.iterdir()] == ["lab.yaml"], "what variables hold is written nowhere"
        if instead is None:
            raise LabError("topology-invalid", file="x", why="networks.lab Additional property drivr is not allowed")
        return Reading(instead.replace("${NET}", "10.1.0").replace("${PORT}", "x"))

    report = validate(written(tmp_path, text), ask)
    assert [problem.code for problem in report.problems] == ["bad-port", "address-reserved", "unknown-key"]


@pytest.mark.parametrize(
    "text",
    [
        "include: [other.yaml]\nservices: {alice: {image: x, networks: [far], depends_on: [bob]}}",
        "include: [other.yaml]\nservices: {alice: {image: x, x-labctl: {routes: [default via bob]}}}",
        "services: {a: {extends: {file: o.yaml, service: s}, x-labctl: {routes: default via b}}, b: {image: x}}",
        "services: {a: {image: x, ports: ['80:80'], profiles: [a]}, b: {image: x, ports: ['80:80'], profiles: [b]}}",
        "services: {alice: {image: x, ports: ['1.2.3.4:80:80', '[::1]:80:80', '80:80/udp', '81-82:1-2', 90]}}",
        "services: {alice: {image: x, ports: ['80:80', '80:80/tcp', '0.0.0.0:80:80']}}",
        "services: {alice: {image: x, ports: ['81-83:1-3', '82:2', '83-84:3-4']}}",
        "services: {alice: {image: x, volumes: ['./a:/a', '~/a:/a', '/a', 'C:\\a:/a', '${V}:/a']}}",
        "services: {alice: {image: x, networks: , ports: , deploy: , healthcheck: {test: NONE}}}",
        "services: {alice: {image: x, network_mode: host}, bob: {image: x, network_mode: 'service:alice'}}",
        "services: {alice: {image: x}}\nnetworks: {default: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}",
        "services: {alice: {image: x}}\n---\nservices: {bob: {image: y2, depends_on: [alice]}}",
        "x-on: &a {image: x}\nservices: {alice: {<<: [*a, {hostname: h}], hostname: g}}",
        "services: {alice: {image: x, environment: {A: , B: 1, C: true, D: text, E: 1.5, F: 10.0.0.1}}}",
        "services: {alice: {image: x, user: !!str 1000, command: ['1', x]}}",
        "services: {alice: {image: x, networks: {far: {ipv4_address: 10.0.0.1}}}}\nnetworks: {far: {external: true}}",
        "services: {alice: {image: x, scale: 3, ports: ['8000-8002:80', 80]}}",
    ],
)
def test_nothing_is_found_where_nothing_is_wrong(text):
    assert codes(text) == []


def test_a_newer_key_that_compose_takes_is_fine():
    text = "services: {alice: {image: x, brand_new: 1, x-labctl: {brand_new: 1}}}"
    assert codes(text) == ["unknown-key", "unknown-key"]
    assert codes(text, "services: {alice: {image: x}}") == ["unknown-key"]


COMPLAINTS = [
    ("services.alice.hostname must be a string", (3, 5)),
    ("services.alice.x.y must be a string", (2, 3)),
    ('service "bob" refers to undefined network nope: invalid compose project', (4, 3)),
    ("error decoding 'services[alice].healthcheck.interval': time: invalid duration \"soon\"", (2, 3)),
    ("yaml: line 3: found character that cannot start any token", (3, 1)),
    ("dependency cycle detected: bob -> alice -> bob", (4, 3)),
    ("services.a.b.image must be a string", (5, 9)),
    ("env file my.env not found: stat my.env: no such file or directory", (6, 31)),
    ("validating x: services Additional property a b is not allowed", (7, 3)),
    ("something else altogether", (1, 1)),
]


@pytest.mark.parametrize(("said", "place"), COMPLAINTS, ids=[said[:30] for said, _ in COMPLAINTS])
def test_place_of_a_complaint(said, place):
    source = parse(
        "services:\n  alice:\n    hostname: h\n  bob: {image: x}\n  a.b: {image: y}\n"
        "  carol: {image: x, env_file: ./my.env}\n  a b: {image: x}\n"
    )
    assert locate(source, said)[1][:2] == place


def test_a_complaint_is_told_once_and_without_the_machines_paths():
    text = "services: {alice: {image: x, networks: [lba]}}\nnetworks: {lab: {}}"
    said = 'service "alice" refers to undefined network lba: invalid compose project'
    assert codes(text, complaint=said) == ["unknown-name"]
    assert codes(
        "services: {a: {image: x}}\nhidden: 1", complaint="(root) Additional property hidden is not allowed"
    ) == ["unknown-key"]
    mount = "services: {a: {image: x, volumes: [':/x']}}"
    assert codes(mount, complaint="invalid spec: :/x: empty section between colons") == ["bad-mount"]
    listed = "services: {a: {image: x, ulimits: [nproc=1]}}"
    refused = 'error while interpolating services.a.ulimits.[]: failed to cast: parsing "nproc=1": invalid syntax'
    assert codes(listed, complaint=refused) == ["wrong-type"]
    included = "services: {a: {image: x}}\ninclude: [sub/b.yaml]"
    found = list(
        check(parse(included), FILES, Answer(complaint="env file /nowhere/sub/c.env not found: stat: no such"))
    )
    assert [problem.place[:2] for problem in found] == [(2, 1)]
    other = "services: {alice: {image: x, env_file: a.env}}"
    found = list(
        check(parse(other), FILES, Answer(complaint="env file /nowhere/a.env not found: stat /nowhere/a.env: no such"))
    )
    assert [problem.message for problem in found] == [
        "service alice, env_file: Compose says: env file a.env not found: stat a.env: no such"
    ]


@pytest.mark.parametrize("mode", ["host", "none"])
def test_no_link_and_no_route_to_a_node_without_a_network_of_the_lab(mode):
    text = f"x-labctl: {{links: [a-b delay 1ms]}}\nservices:\n  a: {{image: x, network_mode: {mode}}}\n"
    text += "  b: {image: x, x-labctl: {routes: default via a}}\n"
    assert codes(text) == codes(text, text) == ["link-without-network", "route-via-stranger"]


def test_a_dollar_sign_is_no_variable():
    text = BASE.replace("ADDRESS", "$$x").replace("SUBNET", "ipam: {config: [{subnet: 10.1.0.0/24}]}")
    assert codes(text) == codes(text, text) == ["bad-address"]


def test_where_an_unset_variable_stands():
    text = """services:
  a: {image: "x:${TAG}", command: ["$TAG", "$$TAG", "$TAGS", "${TAG:-y}", "${OTHER:-$TAG}"]}
  b: {image: "y:${ONLY-z}"}
"""
    unset = ("TAG", "ONLY", "ELSEWHERE")
    found = check(parse(text), FILES, Answer(yaml.safe_load("services: {a: {image: x}}"), unset=unset))
    assert [(problem.place[:2], problem.message.partition(", so ")[2]) for problem in found] == [
        ((1, 1), "'${ELSEWHERE} in another file' becomes 'nothing'"),
        ((2, 14), "'x:${TAG}' becomes 'x:'"),
        ((2, 36), "'$TAG' becomes ''"),
        ((2, 75), "'${OTHER:-$TAG}' becomes '${OTHER:-}'"),
        ((3, 14), "'y:${ONLY-z}' becomes 'y:${ONLY-z}'"),
    ]


def test_many_unset_variables_take_one_walk(monkeypatch):
    walks = []
    walk = Source.walk
    monkeypatch.setattr(Source, "walk", lambda source: walks.append(source) or walk(source))
    text = "services: {a: {image: x, command: [" + ", ".join(f"'$V{number}'" for number in range(500)) + "]}}"
    unset = tuple(f"V{number}" for number in range(500))
    found = check(parse(text), FILES, Answer(yaml.safe_load("services: {a: {image: x}}"), unset=unset))
    assert len(found) == 500
    assert len(walks) == 1


def test_ipv6_that_is_off_is_told_once_and_is_no_error():
    pools = "[{subnet: 10.1.0.0/24}, {subnet: 'fd00::/127', gateway: 'fd01::1'}]"
    text = "services: {a: {image: x, networks: [one]}, b: {image: x, networks: [one, two]}}\nnetworks:\n"
    text += f"  one: {{ipam: {{config: {pools}}}}}\n  two: {{ipam: {{config: [{{subnet: 'fd00::/64'}}]}}}}\n"
    assert codes(text) == ["ipv6-off", "ipv6-off"]
    on = text.replace("{ipam", "{enable_ipv6: true, ipam")
    assert sorted(codes(on)) == ["bad-gateway", "subnet-too-small", "subnets-overlap"]


@pytest.mark.parametrize(("problem", "code"), [(errno.ENOENT, ["bind-missing"]), (errno.EACCES, []), (errno.EIO, [])])
def test_what_cannot_be_looked_at_is_not_said_to_be_missing(monkeypatch, problem, code):
    """`/var/lib/docker/containers`, say: the engine may look into folders that are closed to us."""

    def lstat(path):
        raise OSError(problem, "no", path)

    text = "services: {a: {image: x, volumes: ['/closed/folder:/x']}}"
    config = "services: {a: {image: x, volumes: [{type: bind, source: /closed/folder, target: /x}]}}"
    monkeypatch.setattr(values.os, "lstat", lstat)
    assert codes(text, config) == code


@pytest.mark.parametrize(
    "ports", ["'80:80', '80:81'", "'81-83:1-3', '82:3'", "'80:80', '127.0.0.1:80:80'", "'80:80', '[::]:80:80'"]
)
def test_a_port_that_leads_to_two_places_of_one_node_is_published_twice(ports):
    assert codes("services: {alice: {image: x, ports: [" + ports + "]}}") == ["port-twice"]


def test_the_same_port_in_two_forms_is_twice_where_compose_keeps_both():
    text = "services: {alice: {image: x, ports: ['80:80', {target: 80, published: 80}]}}"
    both = "{mode: ingress, target: 80, published: '80', protocol: tcp}"
    assert codes(text, "services: {alice: {image: x, ports: [" + both + "]}}") == []
    assert codes(text, "services: {alice: {image: x, ports: [" + both + ", " + both + "]}}") == ["port-twice"]


def test_many_ports_are_compared_with_those_of_their_number_alone(monkeypatch):
    compared = []
    clashes = ports.Port.clashes
    monkeypatch.setattr(ports.Port, "clashes", lambda one, other: compared.append(one) or clashes(one, other))
    services = [f"s{at}: {{image: x, ports: ['{at}:80']}}" for at in range(1, 501)]
    more = "r: {image: x, ports: ['700-701:80-81']}, t: {image: x, ports: ['701:80', '7:80']}"
    found = check(parse("services: {" + ", ".join([*services, more]) + "}"), FILES)
    assert [problem.message.partition(" is published by ")[0::2] for problem in found] == [
        ("service t, ports: port 701 of this machine", "r already, in line 1"),
        ("service t, ports: port 7 of this machine", "s7 already, in line 1"),
    ]
    assert len(compared) < 600, "of the 500 each with none, the range with all"


def test_many_mounts_are_each_looked_at_once(monkeypatch):
    count = 500
    text = "services: {a: {image: x, volumes: [" + ", ".join(f"'/gone/q{at}:/x{at}'" for at in range(count)) + "]}}"
    mounts = [{"type": "bind", "source": f"/gone/q{at}", "target": f"/x{at}"} for at in reversed(range(count))]
    seen = []
    expand = os.path.expanduser
    monkeypatch.setattr(values.os.path, "expanduser", lambda path: seen.append(path) or expand(path))
    found = list(check(parse(text), FILES, Answer({"services": {"a": {"image": "x", "volumes": mounts}}})))
    assert len({problem.place for problem in found}) == count
    assert len(seen) == count


# Words.


@pytest.mark.parametrize(
    ("text", "kind", "read"),
    [
        ("0644", "int", "420"),
        ("089", "float", "89"),
        ("3.10", "float", "3.1"),
        ("1e3", "float", "1000"),
        (".5", "float", "0.5"),
        ("+5", "int", "5"),
        ("0x10", "int", "16"),
        ("0o17", "int", "15"),
        ("1e400", "float", "inf"),
        ("2001-1-2", "date", "2001-01-02 00:00:00 +0000 UTC"),
        ("10.0.0.1", "str", "10.0.0.1"),
        ("22:22", "str", "22:22"),
        ("-", "str", "-"),
        ("_", "str", "_"),
    ],
)
def test_how_compose_reads_a_word(text, kind, read):
    word = Scalar(text, True, Place(1, 1))
    assert (type_of(word), rewritten(word)) == (kind, read)
    assert type_of(Scalar(text, False, Place(1, 1))) == "str"


def test_sixties():
    assert sixties(Scalar("22:22", True, Place(1, 1))) == 1342 == yaml.safe_load("22:22")
    assert sixties(Scalar("80:80", True, Place(1, 1))) is None


# Any input at all, in bounded time.


def within_reason(text: str) -> None:
    try:
        check(parse(text), FILES)
    except Unreadable as stop:
        str(stop)


@given(st.binary(max_size=300))
@settings(max_examples=examples(60))
def test_any_bytes(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("any") / "lab.yaml"
    file.write_bytes(data)
    assert isinstance(validate(str(file), no_docker), Report)


@given(st.text(alphabet="ab:-*&!|>'\"{}[],#?%@$ \n\t0123.~<é", max_size=80))
@settings(max_examples=examples(200))
def test_any_text(text):
    within_reason(text)


KEYS = """
services networks alice bob lab image build ports x-labctl routes links movable deploy replicas scale extends ipam
config subnet gateway ipv4_address ipv6_address environment volumes depends_on healthcheck include profiles mode
network_mode configs source target published enable_ipv6 external << x-a on 1
"""
TEXTS = """
10.1.0.0/24 10.1.0.5 fd00::/64 fd00::1 0.0.0.0/0 ::/0 10.0.0.0/32 80:80 1-2:3 ${A} alice yes 0644 a:b:c:d service:x
"""
NAMES = st.sampled_from(KEYS.split())
WORDS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.text(max_size=8),
    st.sampled_from([*TEXTS.split(), "default via bob", "alice:bob delay 1s", "alice-bob loss 1%"]),
)
VALUES = st.recursive(WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4))
SERVICES = st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=4) | VALUES, max_size=3)
DOCUMENTS = st.fixed_dictionaries({"services": SERVICES | VALUES}, optional={"networks": SERVICES | VALUES})


@given(DOCUMENTS, st.none() | DOCUMENTS, st.sampled_from([said for said, _ in COMPLAINTS]) | st.text(max_size=40))
def test_any_document(document, config, complaint):
    text = yaml.safe_dump({**document, "x-labctl": {"links": ["alice:bob delay 1s"]}})
    check(parse(text), FILES, Answer(config, complaint))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "{a: " * 200_000,
        "- " * 100_000,
        "a: &a [*a]",
        "a: &a {b: *a}",
        "services: &a {alice: {<<: *a}}",
        "a: *b",
        "a: 'x",
        "? [a]\n: b",
        "%YAML 9.9\n---\n",
        "a: \x01",
        "x: [" + "1," * 500_000 + "]",
        "services: {" + ", ".join(f"n{i}: {{image: x, ports: ['{i}:80']}}" for i in range(1000)) + "}",
        "services: {a: {image: x, scale: 99999999999999999999}}",
        "services: {a: {image: x, ports: ['" + "9" * 5000 + ":80']}}",
    ],
    ids=range(15),
)
def test_bounded(text):
    began = time.process_time()
    within_reason(text)
    assert time.process_time() - began < 5


# The command.


def labctl(*args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labctl", *args]
    return subprocess.run(command, capture_output=True, text=True, env={"HOME": "/nowhere", **variables}, check=False)


def test_command_without_docker(tmp_path):
    file = written(tmp_path, "services: {alice: {imgae: x, image: y2}}\n")
    got = labctl("validate", file, PATH="/nowhere")
    assert got.returncode == 1
    assert got.stdout.startswith(
        f"{file}:1:20: service alice: unknown key 'imgae'; did you mean 'image'?\n  known here: "
    )
    assert "Compose was not asked: the command `docker` is not on the PATH" in got.stderr
    assert got.stderr.endswith(f"{file}: 1 error\n")
    document = json.loads(labctl("validate", file, "--json", PATH="/nowhere").stdout)
    assert (document["schema_version"], document["valid"], document["compose"]["asked"]) == (1, False, False)
    assert [(one["code"], one["line"], one["column"], one["path"]) for one in document["problems"]] == [
        ("unknown-key", 1, 20, ["services", "alice"])
    ]


def test_command_on_what_is_right():
    got = labctl("validate", "two-subnets", PATH="/nowhere")
    assert (got.returncode, got.stdout) == (0, "")
    assert got.stderr.endswith("topologies/two-subnets.yaml: no errors\n")


def test_schema_is_printed():
    assert labctl("schema").stdout == extension.schema()
    assert shipped.root() == ROOT


@pytest.mark.parametrize("name", ["line:5", "star:3", "udp-mesh:200", "nat"])
def test_sizes_of_built_in_topologies(name):
    got = labctl("validate", name)
    assert (got.returncode, got.stdout) == (0, ""), got
    assert got.stderr.endswith("no errors\n")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("line:0", "there is no line:0: it takes at least 2"),
        ("udp-mesh:10000", "udp-mesh:10000 would take some 176 GiB of memory and 42 minutes; udp-mesh goes to 1000"),
        ("nat:5", "there is no nat:5: only line, star, udp-mesh come in sizes"),
    ],
)
def test_sizes_that_are_none(name, why):
    got = labctl("validate", name)
    assert (got.returncode, got.stdout) == (1, "")
    assert got.stderr.startswith(f"labctl: {why}\n")


def test_a_file_by_the_name_of_a_size_is_a_file(tmp_path):
    (tmp_path / "line:5").write_text("services: {a: {imgae: x}}")
    got = labctl("validate", str(tmp_path / "line:5"))
    assert got.returncode == 1
    assert "line:5:1:16: service a: unknown key 'imgae'" in got.stdout


def many(*lines: str) -> str:
    return "".join(line.replace("#", str(number)) for line in lines for number in range(2000))


@pytest.mark.parametrize(
    "text",
    [
        "services:\n" + many("  service#: {image: x, depends_on: [servic#x]}\n"),
        "services: {a: {image: x}}\nnetworks:\n"
        + "".join(
            f"  n{number}: {{ipam: {{config: [{{subnet: 10.{number // 256}.{number % 256}.0/24}}]}}}}\n"
            for number in range(2000)
        ),
    ],
    ids=["unknown names", "subnets"],
)
def test_two_thousand_of_a_kind_take_no_minutes(text):
    started = time.process_time()
    check(parse(text), FILES)
    assert time.process_time() - started < 6, "what compares each with each takes many times as long"


@pytest.mark.parametrize(
    ("first", "second"),
    [("10.1.0.0/16", "10.1.2.0/24"), ("10.1.2.0/24", "10.1.0.0/16"), ("fd01::/64", "fd01::/64")],
)
def test_subnets_overlap_whichever_holds_the_other(first, second):
    nets = f"a: {{enable_ipv6: true, ipam: {{config: [{{subnet: '{first}'}}]}}}}"
    nets += f", b: {{enable_ipv6: true, ipam: {{config: [{{subnet: '{second}'}}]}}}}"
    assert codes(f"services: {{s: {{image: x}}}}\nnetworks: {{{nets}}}") == ["subnets-overlap"]
