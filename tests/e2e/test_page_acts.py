"""What is done from the page in a real browser: conditions, cuts, programs, files to take along; and pages of runs."""

import base64
import io
import json

import pytest
from browsing import HOSTILE, is_recorded, open_host, row, type_at, watched
from docker.errors import APIError
from outside import run, until
from playwright.sync_api import expect
from said import SAID

from bench.measurements import page as bench
from labctl.packets.files.capture import read
from labctl.render.phrases import saying

# The first run builds the browser's image.
pytestmark = [pytest.mark.turn(3), pytest.mark.timeout(900), pytest.mark.usefixtures("tabs_closed")]


def faults(lab):
    return [(one["link"], one["what"], one["state"]) for one in lab.json("fault", "ls")["faults"]]


def test_conditions_are_set_by_sliders_and_taken_back(page):
    tab = page.tab()
    tab.evaluate("labctl.openLink('alice', 'bob')")
    delay = tab.locator(".slider", has_text="Delay")
    delay.locator("input").focus()
    for _ in range(15):
        tab.keyboard.press("ArrowRight")
    expect(delay.locator("output")).to_have_text("150 ms")
    tab.get_by_role("button", name="Apply").click()
    expect(tab.locator(".faults li", has_text="in force")).to_contain_text("alice:bob")
    assert faults(page.lab) == [("alice:bob", "delay 150ms", "in force")]
    assert tab.evaluate("labctl.graph.cy.edges('.broken').map((one) => one.data('host'))") == ["alice"]
    assert page.lab.json("chat", "send", "alice", "slowly")["delivered_ms"] >= 150
    expect(tab.locator(".faults li").first).not_to_contain_text("matched 0")
    tab.get_by_role("button", name="Remove f").click()
    expect(tab.locator(".faults")).to_contain_text("No faults.")
    assert faults(page.lab) == []
    assert tab.complaints == []


def test_the_page_reads_the_table_of_phrases_as_the_terminal_does(page):
    tab = page.tab(page.context(locale="zh"))
    told = tab.evaluate("texts => import('page/words.js').then(({ told }) => texts.map(told))", SAID)
    assert told == [saying.in_language("zh")(one) for one in SAID]


def test_what_happens_is_told_in_chinese(page):
    """Events, rules and notes; expressions, texts and values stay as they were typed."""
    tab = page.tab(page.context(locale="zh"))
    tab.evaluate("labctl.openLink('alice', 'bob')")
    tab.locator("[data-once=delayNext]").click()
    expect(tab.locator(".answer")).to_contain_text("延迟 'tcp data 1' 一次 时长 ")
    expect(tab.locator(".faults li").first).to_contain_text("延迟 'tcp data 1' 一次 时长 ")
    set_there = tab.locator(".row.event", has=tab.locator("[title=rule]")).last
    expect(set_there).to_contain_text("规则")
    expect(set_there).to_contain_text("内容 延迟 'tcp data 1' 一次")
    expect(set_there).to_contain_text("状态 已设置")
    tab.locator("#lab").click()
    tab.get_by_role("button", name="移除所有故障").click()
    expect(tab.locator(".faults")).to_contain_text("没有故障。")
    type_at(tab, "alice", "drop 'x' once")
    sent = tab.locator(".row.event", has=tab.locator("[title=send]"), has_text="\"drop 'x' once\"").last
    expect(sent.locator(".kind")).to_have_text("发送")
    expect(tab.locator(".journal li", has_text="发送").last).to_contain_text("\"drop 'x' once\"")
    kinds = tab.get_by_label("所有种类")
    kinds.select_option(label="消息")
    assert kinds.input_value() == "message"
    shown = tab.locator(".row")
    expect(shown.first).to_contain_text("消息")
    expect(tab.locator(".row:has([title=send])")).to_have_count(0)
    kinds.select_option("")
    given = {
        "drop 'tcp contains \"it's once\"' 3 times": "丢弃 'tcp contains \"it's once\"' 3 次",
        "delay 40ms jitter 5ms drop 30%": "延迟 40ms 抖动 5ms 丢弃 30%",
        "partition": "隔开",
        "corrupt 1% fix-checksum": "损坏 1% 修正校验和",
        "something new": "something new",
    }
    words = "texts => import('page/words.js').then(({ rule }) => texts.map(rule))"
    assert dict(zip(given, tab.evaluate(words, list(given)), strict=True)) == given
    tab.evaluate("labctl.run.apply([{ kind: 'note', value: 'No packets were recorded at <b>bob</b>.' }])")
    tab.locator("#lab").click()
    expect(tab.locator(".panel li", has_text="没有记录数据包")).to_have_text("<b>bob</b> 没有记录数据包。")
    assert tab.complaints == []


def test_hosts_are_cut_off_and_healed(page):
    tab = page.tab()
    tab.locator("#lab").click()
    tab.locator(".checks label", has_text="alice").locator("input").check()
    tab.get_by_role("button", name="Cut off", exact=True).click()
    expect(tab.locator(".faults li").first).to_contain_text("in force")
    with page.lab.journal("bob") as journal:
        type_at(tab, "alice", "across the cut")
        expect(row(tab, "! lost", ".packet").last).to_be_visible()
        tab.locator("#lab").click()
        tab.get_by_role("button", name="Heal", exact=True).click()
        expect(tab.locator(".faults")).to_contain_text("No faults.")
        journal.wait("bob", "message", text="across the cut")
    assert faults(page.lab) == []


def test_a_program_of_ones_own_runs_in_a_host(page):
    tab = page.tab()
    open_host(tab, "client")
    program = b"import socket, sys\nprint('I am', socket.gethostname())\nsys.exit('and no more')\n"
    tab.set_input_files("input[type=file]", {"name": "mine.py", "mimeType": "text/x-python", "buffer": program})
    expect(tab.locator(".output")).to_contain_text("I am client\nand no more")
    expect(tab.locator(".answer")).to_contain_text("status 1")


# What the page gives a browser to save.
KEEPING = """() => {
  const made = URL.createObjectURL;
  window.given = [];
  URL.createObjectURL = (blob) => (window.given.push(blob), made.call(URL, blob));
}"""
BYTES = """async () => {
  const bytes = new Uint8Array(await window.given.pop().arrayBuffer());
  return btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join(""));
}"""


def test_what_is_taken_along_is_whole(page):
    tab = page.tab()
    is_recorded(tab)
    page.lab.ok("chat", "send", "alice", "taken along")
    expect(row(tab, "taken along", ".packet").last).to_be_visible()
    tab.evaluate("labctl.openLink('alice', 'bob')")
    tab.locator("#lab").click()
    tab.evaluate(KEEPING)
    found = {}
    for name in ("Journal as JSON lines", "Capture as pcapng", "Ladder as SVG (alice", "Run as one page"):
        tab.get_by_role("button", name=name).click()
        until(lambda: tab.evaluate("window.given.length") == 1, f"there is a {name}")
        found[name.split()[0]] = base64.b64decode(tab.evaluate(BYTES))
    events = [json.loads(line) for line in found["Journal"].splitlines()]
    assert all({"ts", "node", "event"} <= set(one) for one in events)
    assert [one for one in events if one["event"] == "message" and one["text"] == "taken along"]
    assert any(b"taken along" in record.data for record in read(io.BytesIO(found["Capture"])))
    assert found["Ladder"].startswith((b"<svg", b"<?xml"))
    assert b"taken along" in found["Ladder"]
    assert found["Run"].startswith(b"<!doctype html>")
    assert tab.complaints == []


def test_pages_of_runs_open_without_a_network(page, browser, tmp_path):
    """What `save --html` and `open` have written, at a packet by its number, with its layers."""
    is_recorded(page.tab())
    saved, held, opened = (tmp_path / name for name in ("run.labrun", "saved.html", "opened.html"))
    page.lab.ok("chat", "send", "alice", HOSTILE)
    page.lab.ok("save", str(saved), "--html", str(held))
    assert run("open", str(saved), "-o", str(opened), DOCKER_HOST="unix:///nosuch.sock").returncode == 0
    listed = json.loads(run("packet", "--run", str(saved), "--json").stdout)["packets"]
    number = next(one["number"] for one in reversed(listed) if "onerror" in json.dumps(one))
    for file in (held, opened):
        url = browser.holds(file.name, file.read_bytes())
        tab = page.tab(page.context(offline=True), f"{url}#packet={number}", state="saved")
        expect(tab.locator(".panel h2")).to_have_text(f"Packet {number}")
        expect(tab.locator("summary", has_text="TCP")).to_be_visible()
        expect(tab.locator(".line-field", has_text="onerror")).to_be_visible()
        tab.locator("#slow").click()
        tab.locator("#back").click()
        expect(tab.locator(".row.now")).to_have_count(1)
        assert tab.locator("img").count() == 0
        assert {url for url in tab.asked if not url.startswith(("file:", "data:", "blob:"))} == set()
        assert tab.complaints == []


def test_what_only_keeps_a_connection_fresh_is_shown_when_asked_for(browser):
    """It comes every few seconds, and would push away what was said."""
    with bench.shown(browser) as (tab, story):
        ends, now = [[bench.address("n1"), 1], [bench.address("n2"), 2]], 1_795_859_377_000_000_000
        upkeep = ({"protocol": "arp"}, {"marks": ["keep-alive"]}, {"marks": ["answer to keep-alive"]})
        for number, more in enumerate(({}, *upkeep, {"marks": ["keep-alive"], "fate": "lost"}), 1):
            said = bench.packet(number, now + number, ("n1", "n2"), ends, f"packet {number}")
            story.tell("packet", {**said, **more})
        expect(tab.locator(".row")).to_have_count(2)
        expect(tab.locator("label", has_text="(3)")).to_be_visible()
        tab.evaluate("labctl.openLink('n1', 'n2')")
        expect(tab.locator(".arrow")).to_have_count(2)
        tab.locator("#back").click()
        assert tab.evaluate("labctl.player.current.value.number") == 1, "slow motion passes them over, too"
        tab.locator("#upkeep").check()
        expect(tab.locator(".row")).to_have_count(5)
        expect(tab.locator(".arrow")).to_have_count(5)


def test_names_and_texts_of_a_topology_are_never_markup(browser):
    """Whatever a file or a program calls its hosts, networks, events and faults."""
    place = {"nodes": {HOSTILE: [100, 100], "other": [300, 100]}, "networks": {HOSTILE: [200, 200]}}
    node = {"role": HOSTILE, "state": HOSTILE, "members": [], "published": [], "routes": []}
    nets = [{"name": HOSTILE, "addresses": [HOSTILE]}]
    nodes = [{"name": name, "networks": nets, **node} for name in (HOSTILE, "other")]
    described = {"title": HOSTILE, "nodes": nodes, "links": [], "positions": place}
    described["networks"] = [{"name": HOSTILE, "subnets": [HOSTILE], "internal": False}]
    with bench.shown(browser, described) as (tab, story):
        watched(tab)
        story.tell("faults", [dict.fromkeys(("id", "link", "what", "state", "matched"), HOSTILE)])
        story.tell("note", HOSTILE)
        sent = bench.packet(1, 1_795_859_377_000_000_000, (HOSTILE, "other"), [[HOSTILE, 1], [HOSTILE, 2]], HOSTILE)
        words = {"label": [HOSTILE], "marks": [HOSTILE], "protocol": HOSTILE, "flow": HOSTILE, "fate": HOSTILE}
        story.tell("packet", {**sent, **words})
        event = {"node": HOSTILE, "event": HOSTILE, "error": HOSTILE, "text": HOSTILE, "local": [HOSTILE, 1]}
        story.tell("event", {"seq": 1, "ts": "2026-11-28T09:00:00.000000001Z", **event})
        expect(tab.locator(".row")).to_have_count(2)
        tab.locator(".hosts button", has_text="<img").first.click()
        expect(tab.locator(".panel dd", has_text="<img").first).to_be_visible()
        tab.locator("[data-link=other]").click()
        expect(tab.locator(".ladder text", has_text="<img").first).to_be_visible()
        tab.locator("#lab").click()
        expect(tab.locator(".faults li", has_text="<img")).to_be_visible()
        tab.locator(".row.packet").click()
        expect(tab.locator(".panel dd", has_text="<img").first).to_be_visible()
        assert tab.locator("img").count() == 0
        assert tab.evaluate("document.querySelectorAll('script:not([type])').length") == 0
        refused = "Failed to load resource"  # this server has no lab, and so no sockets and no bytes
        assert [one for one in tab.complaints if not one.startswith(refused)] == []


# How often all hosts are drawn anew.
COUNTING = """() => {
  const paint = document.querySelector('[data-id="layer2-node"]').getContext("2d");
  const clear = paint.clearRect;
  window.cleared = 0;
  paint.clearRect = function (...box) { window.cleared += 1; return clear.apply(this, box); };
}"""


def test_of_200_hosts_the_one_that_is_dragged_is_drawn_anew(browser):
    with bench.shown(browser) as (tab, story), bench.talking(story):
        expect(tab.locator(".summed")).to_be_visible()
        tab.evaluate(COUNTING)
        _, drawn, _ = tab.evaluate(bench.DRAG, 1500)
        assert drawn > 5
        assert tab.evaluate("window.cleared") <= 3 + drawn / 4, "all hosts are drawn seldom, and the one each time"
        newest = "labctl.run.items.at(-1).t / 1e6"
        until(lambda: tab.evaluate(f"Date.now() / 1000 - {newest}") < 1, "the page keeps up")


def test_the_page_follows_a_lab_that_goes_and_comes(page):
    tab = page.tab()
    page.lab.ok("chat", "send", "alice", "of the lab that goes")
    expect(row(tab, "of the lab that goes").last).to_be_attached()
    page.lab.ok("down", page.lab.name, timeout=120)
    tab.wait_for_selector("[data-state=down]")
    expect(tab.locator(".status")).to_contain_text("is not up")
    expect(tab.locator(".hosts button").first).to_contain_text("?")
    page.lab.ok("up", "--lab", page.lab.name, timeout=280)
    tab.wait_for_selector("[data-state=live]")
    expect(tab.locator(".hosts button", has_text="alice")).to_contain_text("ready")
    type_at(tab, "alice", "of the lab that came")
    expect(row(tab, "of the lab that came").last).to_be_attached()
    assert tab.evaluate("JSON.stringify(labctl.run.items).includes('of the lab that goes')") is False
    assert tab.complaints == []


def events_of(tab, text):
    """How often the page has what alice was given to say."""
    found = (
        f"labctl.run.items.filter(({{value}}) => value.event === 'input' && value.text === {json.dumps(text)}).length"
    )
    return tab.evaluate(found)


def paused(container):
    """Where much else runs, the kernel may not freeze all of its processes at the first time."""
    try:
        container.pause()
    except APIError:
        return False
    return True


def test_a_laptop_whose_lid_was_closed_has_all_of_it_once(page, browser):
    """The browser doesn't run for a while, as in a machine that sleeps."""
    tab = page.tab()
    said = [f"behind the lid {number}" for number in range(3)]
    until(lambda: paused(browser.container), "the browser stands still")
    try:
        for text in said:
            page.lab.ok("chat", "send", "alice", text)
    finally:
        browser.container.unpause()
    expect(row(tab, said[-1]).last).to_be_visible()
    tab.wait_for_selector("[data-state=live]")
    assert [events_of(tab, text) for text in said] == [1, 1, 1]


def test_labels_are_there_when_they_are_wanted(page):
    page.lab.ok("echo", "send", "client", "with a label")
    tab = page.tab()
    expect(row(tab, "with a label").last).to_be_visible()
    tab.locator("#slow").click()
    tab.locator("#back").click()  # what is stepped to stays where it is
    canvas = "document.querySelector('canvas.marks').toDataURL()"
    expect(tab.locator(".row.now")).to_have_count(1)
    with_labels = tab.evaluate(canvas)
    tab.get_by_label("Labels").uncheck()
    until(lambda: tab.evaluate(canvas) != with_labels, "the label goes")
    tab.get_by_label("Labels").check()
    until(lambda: tab.evaluate(canvas) == with_labels, "the label comes back")
