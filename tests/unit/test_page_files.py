"""The page's own files: what is vendored, its texts, and what its code must never do."""

import ast
import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
from protocol_samples import SAMPLES

import labctl
from labctl.faults.kinds import KINDS, PARAMETERS
from labctl.lab import roles
from labctl.packets.model import Interface, Record
from labctl.packets.protocols.ip import decode
from labctl.packets.protocols.layers import layers
from labctl.page import document

OWN = {name: path.read_text() for name, path in document.files().items() if not name.startswith("vendor/")}
APART = ": what is less than X ms apart on two of them may have been in the other order"  # as labctl.lab.spanning says
CLOCKS = (f"X have clocks of their own{APART}", f"X have clocks of their own, corrected (X){APART}")
CODE = {name: text for name, text in OWN.items() if name.endswith(".js")}


def test_what_is_vendored_is_what_the_manifest_says():
    vendor = document.STATIC / "vendor"
    manifest = json.loads((vendor / "manifest.json").read_text())
    notices = {entry["notice"] for entry in manifest.values()}
    assert {path.name for path in vendor.iterdir()} == set(manifest) | notices | {"manifest.json"}
    for name, entry in manifest.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == entry["sha256"], name
        assert entry["license"] == "MIT"
        assert re.fullmatch(r"\d+\.\d+\.\d+", entry["version"])
        assert "Permission is hereby granted, free of charge" in (vendor / entry["notice"]).read_text()


def texts():
    found = re.search(r"export const TEXTS = (\{.*\});", OWN["texts.js"], re.DOTALL)
    return json.loads(found[1])


def test_each_language_has_all_texts_with_the_same_words_to_fill_in():
    en, zh = texts()["en"], texts()["zh"]
    assert list(en) == list(zh)
    for name, text in en.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", zh[name])), name
        assert zh[name].strip(), name


def test_each_text_is_used_and_each_that_is_used_is_there():
    used = set(re.findall(r'"(\w+)"', "".join(text for name, text in CODE.items() if name != "texts.js")))
    assert set(texts()["en"]) - used == set()
    said = set(re.findall(r'(?<!\.)\bsay\("(\w+)"', "".join(CODE.values())))
    assert said - set(texts()["en"]) == set()


@pytest.mark.parametrize("name", CODE)
def test_no_text_becomes_markup_and_nothing_is_asked_of_others(name):
    text = CODE[name]
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "WebSocket",
    ):
        assert word not in text, word
    urls = [url for url in re.findall(r"https?://[^\"'` ]*", text) if url != "http://www.w3.org/2000/svg"]
    assert urls == []


def test_every_module_that_is_imported_is_there():
    there = set(json.loads(document.import_map(inline=False))["imports"])
    for name, text in CODE.items():
        wanted = set(re.findall(r'(?:from|import\()\s*"(page/[^"]+|cytoscape)"', text))
        assert wanted <= there, name


def test_what_the_worker_imports_needs_no_import_map():
    """Browsers have none in workers."""
    waiting, seen = ["worker.js"], set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for wanted in re.findall(r'^import .*from "(.+)";', CODE[name], re.MULTILINE):
            assert wanted.startswith("./"), f"{name} imports {wanted}"
            waiting += {wanted.removeprefix("./")} - seen
    assert {"worker.js", "model.js", "stream.js"} <= seen


def test_modules_stay_small():
    assert {name: len(text.splitlines()) for name, text in CODE.items() if len(text.splitlines()) > 400} == {}


def test_a_saved_run_is_one_file_that_asks_for_nothing():
    run = {"schema_version": 1, "lab": "</script><script>alert(1)</script>", "events": [], "packets": []}
    made = document.saved(run)
    assert "alert(1)" not in made
    assert "http:" not in made.replace("http-equiv", "")
    held = re.search(r'id="run">([^<]*)<', made)[1]
    assert json.loads(gzip.decompress(base64.b64decode(held))) == run
    names = set(json.loads(re.search(r'<script type="importmap">(.*?)</script>', made)[1])["imports"])
    assert {"page/main.js", "page/panels/host.js", "cytoscape"} <= names
    assert "connect-src" not in re.search(r'content="(default[^"]*)"', made)[1], "not even to itself"


@pytest.mark.parametrize("count", [1000])
def test_a_saved_run_of_a_thousand_packets_is_small(count):
    packet = {"number": 1, "at_ns": 1795859377683938251, "from": "alice", "to": "bob", "label": ["PSH, ACK", "seq 10"]}
    field = {"name": "sequence number", "value": "1", "meaning": "of the first byte here", "offset": 38, "length": 4}
    layer = {"level": "transport", "name": "TCP", "offset": 34, "length": 32, "fields": [field] * 12}
    packets = []
    for number in range(count):
        content = hashlib.sha256(str(number).encode()).digest() * 4  # 128 bytes that hardly become smaller
        packets.append({**packet, "number": number, "layers": [layer] * 3, "bytes": base64.b64encode(content).decode()})
    made = document.saved({"schema_version": 1, "lab": "x", "events": [], "packets": packets})
    assert len(made) < 1_500_000


def phrases(name="PHRASES"):
    code = OWN["phrases.js" if name == "PHRASES" else "names.js"]
    found = re.search(rf"^export const {name} = (\{{.*?^\}});", code, re.DOTALL | re.MULTILINE)
    return json.loads(found[1])


@pytest.mark.parametrize("table", ["PHRASES", "NOTES"])
def test_what_labctl_says_has_the_same_words_to_fill_in(table):
    for language, pairs in phrases(table).items():
        assert language in texts()
        assert len({text for text, _ in pairs}) == len(pairs)
        for text, other in pairs:
            assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", other)), text


def words_of_remarks():
    """The words of all remarks that stand in the code, and of all kinds of faults."""
    code = "".join(path.read_text() for path in (Path(labctl.__file__).parent / "packets").rglob("*.py"))
    found = set(re.findall(r'(?:Mark|Note)\("([^"{]+)"', code))
    return found | {kind.done for kind in KINDS.values()} | {kind.name for kind in KINDS.values()}


def words_of_layers():
    """Those of the protocols that nearly every lab shows."""
    usual = ("Ethernet", "ARP", "IPv4", "IPv6", "TCP", "UDP", "ICMP", "DNS", "HTTP", "text")
    optional = re.compile(r"PPP|VLAN|MPLS|LLC|SNAP")  # of Ethernet frames that no lab sends
    for link, data, *_ in SAMPLES.values():
        record = Record(0, data, len(data), Interface(0, "eth0", link))
        for layer in layers(decode(record)):
            if layer.name in usual:
                yield layer.level
                yield from (field.name for field in layer.fields if not optional.match(field.name))


def events_of_the_contract():
    """Those of docs/node-contract.md, of all roles, and of a line that is no event."""
    page = (Path(labctl.__file__).parents[1] / "docs" / "node-contract.md").read_text()
    rows = page.partition("\n| event |")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(rows) > 15
    told = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row.split("|")[1])}
    return told | {name for role in roles.table().values() for name in role.events} | {"log"}


def words_of_rules():
    verbs = {name: kind for name, kind in KINDS.items() if kind.verb}
    assert {name for name, kind in verbs.items() if kind.verb.by} == {"delay"}, "`by` is said to be a time"
    switches = {switch.word for kind in KINDS.values() for switch in kind.switches}
    return set(KINDS) | set(PARAMETERS) | switches | {"partition", "once", "times", "by"}


@pytest.mark.parametrize("language", phrases("NAMES"))
def test_events_fields_and_rules_have_their_names_in_each_language(language):
    names = phrases("NAMES")[language]
    assert set(phrases("NAMES")) == set(phrases()) == set(phrases("NOTES")) == set(texts()) - {"en"}
    assert set(names["events"]) == events_of_the_contract()
    shown = re.search(r"const more = (\[.*?\])", OWN["model.js"], re.DOTALL)[1]
    assert set(names["fields"]) == set(json.loads(shown))
    assert set(names["rules"]) == words_of_rules()
    schema = json.loads((Path(labctl.__file__).parent / "events" / "schema.json").read_text())
    states = {
        word
        for found in re.findall(r'"state": \{"enum": \[(.*?)\]', json.dumps(schema))
        for word in json.loads(f"[{found}]")
    }
    assert set(names["states"]) == states
    for table in names.values():
        assert all(other.strip() for other in table.values())


def sentences(file):
    """What a file says in whole sentences, with X for what is filled in, and where a word depends on a number both."""
    module = ast.parse((Path(labctl.__file__).parent / file).read_text())
    docs = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(module) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(module):
        if isinstance(node, ast.JoinedStr):
            for plural in (False, True):
                found = ""
                for part in node.values:
                    value = part.value
                    if isinstance(value, ast.IfExp):
                        value = value.orelse if plural else value.body
                    found += (
                        value if isinstance(value, str) else value.value if isinstance(value, ast.Constant) else "X"
                    )
                yield found
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs | parts:
            yield node.value


@pytest.mark.parametrize("language", phrases("NOTES"))
def test_notes_of_a_run_are_said_in_each_language(language):
    files = (
        "packets/ladder/ladder.py",
        "bundle/save.py",
        "bundle/bare.py",
        "bundle/captures.py",
        "lab/recording/ladder.py",
    )
    said = {text for file in files for text in sentences(file) if re.search(r" .*\.$", text)}
    said = {text for text in said if "None in the last" not in text}  # which is not of what the page follows
    said = {text.replace("The machines X.", f"The machines {clocks}.") for text in said for clocks in CLOCKS}
    assert len(said) > 15
    mine, ladders = (
        [re.sub(r"\\\{\w+\\\}", ".+", re.escape(text)) for text, _ in phrases(table)[language] if text.endswith(".")]
        for table in ("NOTES", "PHRASES")
    )
    assert {text for text in said if not any(re.fullmatch(one, text) for one in (*mine, *ladders))} == set()
    assert {one for one in mine if not any(re.fullmatch(one, text) for text in said)} == set(), (
        "nobody says it any more"
    )
    assert not set(mine) & set(ladders), "in one of the two"


@pytest.mark.parametrize("language", phrases())
def test_remarks_states_and_layers_are_said_in_each_language(language):
    known = {text for text, _ in phrases()[language]}
    assert words_of_remarks() - known == set()
    assert set(words_of_layers()) - known == set()
    assert {"in force", "done", "waiting", "gone", "out of force"} <= known
