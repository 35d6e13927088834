"""The page in a real browser: what a person does there, and what nobody else can do."""

import contextlib
import http.server
import json
import secrets
import threading
import urllib.error
import urllib.request

import pytest
import sampling
from axe_playwright_python.sync_playwright import Axe
from browsing import HOSTILE, SLOW, Page, is_recorded, row, type_at
from outside import PATIENCE, run_command, until
from playwright.sync_api import Error, expect

# The first run builds the browser's image.
pytestmark = [pytest.mark.turn(3), pytest.mark.timeout(900), pytest.mark.usefixtures("tabs_closed")]


def tab_to(tab, there):
    """Presses the tabulator until an expression of JavaScript says that it is there."""
    for _ in range(60):
        tab.keyboard.press("Tab")
        if tab.evaluate(there):
            return
    raise AssertionError(f"sixty times the tabulator, and not {there}")


@pytest.mark.turn(1)
def test_what_is_typed_arrives_and_a_lost_segment_is_joined_to_the_one_that_repeats_it(page):
    tab = page.tab()
    is_recorded(tab)
    with page.lab.journal("bob") as journal:
        type_at(tab, "alice", "typed in a browser")
        journal.wait("bob", "message", text="typed in a browser")
        expect(row(tab, "typed in a browser", ".packet")).to_be_visible()
        tab.locator("[data-link=bob]").click()
        tab.locator("[data-once=dropNext]").click()
        expect(tab.locator(".faults li", has_text="in force").first).to_be_visible()
        type_at(tab, "alice", "lost once")
        journal.wait("bob", "message", text="lost once")
    row(tab, "! retransmission").click()
    tab.get_by_role("button", name="Sent again: it repeats packet").click()
    expect(tab.locator(".panel dd", has_text="lost: dropped by f1")).to_be_visible()
    expect(tab.locator("summary", has_text="TCP")).to_be_visible()
    tab.locator("#lab").click()
    tab.get_by_role("button", name="Remove all faults").click()
    expect(tab.locator(".faults", has_text="No faults.")).to_be_visible()
    assert page.lab.json("fault", "ls")["faults"] == []
    count = tab.evaluate("labctl.run.items.length")
    tab.reload()
    tab.wait_for_selector("[data-state=live]")
    expect(row(tab, "! retransmission")).to_be_visible()
    assert tab.evaluate("labctl.run.items.length") >= count
    assert tab.evaluate(
        "new Set(labctl.run.items.map((item) => JSON.stringify(item.value))).size === labctl.run.items.length"
    )
    assert tab.complaints == []
    assert {url for url in tab.asked if not url.startswith((page.address, "data:", "blob:"))} == set()


def test_a_module_that_did_not_arrive_is_asked_for_again(page):
    tab, broken = page.context().new_page(), []
    tab.route("**/static/player.js", lambda route: (broken.append(route), route.abort()), times=1)
    tab.goto(page.url)
    tab.wait_for_selector("[data-state=live]")
    assert len(broken) == 1


def test_eight_tabs_and_a_second_browser_see_the_same(page):
    first = page.context()
    tabs = [page.tab(first) for _ in range(8)] + [page.tab(page.context())]
    type_at(tabs[7], "alice", "for all eight")
    for tab in tabs:
        expect(row(tab, "for all eight").last).to_be_visible()
        assert tab.complaints == []
    connections = run_command(["ss", "-Htn", "state", "established", f"sport = :{page.address.split(':')[2][:-1]}"])
    assert connections.returncode != 0 or len(connections.stdout.splitlines()) < 16, "one stream for eight tabs"


def test_text_from_the_network_is_never_markup(page):
    page.lab.ok("chat", "send", "alice", HOSTILE)
    page.lab.ok("udp", "send", "udp1", "udp2", HOSTILE)
    page.lab.run("http", "get", "web/%3Cimg%20src=x%20onerror=alert(1)%3E", "--from", "client")
    page.lab.ok("exec", "web", "sh", "-c", f"echo '{HOSTILE}' >/proc/1/fd/1")
    tab = page.tab()
    tab.fill("input[type=search]", "onerror")
    for word in ("message", "recv", "log"):
        expect(row(tab, word).first).to_be_attached()
    for host in ("alice", "udp2", "web"):
        tab.locator(".hosts button", has_text=host).click()
        expect(tab.locator(".journal li", has_text="<img").first).to_be_attached()
    assert tab.locator("img").count() == 0
    assert tab.evaluate("document.querySelectorAll('script:not([type])').length") == 0
    assert tab.complaints == []


def test_a_page_of_somebody_else_can_do_nothing(page):
    """It knows the address and even the token, and asks in all the ways that a page has."""
    port = int(page.address.split(":")[2][:-1])
    body = json.dumps({"node": "alice", "text": "from another site"})
    script = f"""<!doctype html><title>other</title><form id=f method=post action="http://127.0.0.1:{port}/api/act/type"
      enctype="text/plain" target=frame><input name='{body}' value=''></form><iframe name=frame></iframe>
      <iframe id=inside src="http://127.0.0.1:{port}/#token={page.token}"></iframe><script>
      const url = "http://127.0.0.1:{port}/api/act/type", body = {json.dumps(body)};
      const headers = {{"content-type": "application/json", "x-labctl-token": "{page.token}"}};
      const tries = [
        fetch(url, {{method: "POST", body, headers}}),
        fetch(url, {{method: "POST", body, mode: "no-cors"}}),
        fetch("http://127.0.0.1:{port}/api/stream", {{headers}}),
      ];
      document.getElementById("f").submit();
      navigator.sendBeacon(url, body);
      Promise.allSettled(tries).then((all) => window.done = all.map((one) => one.value ? one.value.type : "refused"));
      </script>"""

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(script.encode())

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("127.0.0.1", "localhost"):  # the same site with another port, and another site
            tab = page.context().new_page()
            tab.goto(f"http://{name}:{server.server_address[1]}/")
            tab.wait_for_function("window.done")
            assert tab.evaluate("window.done") == ["refused", "refused", "refused"]
            with contextlib.suppress(Error):
                assert tab.frames[-1].locator(".hosts").count() == 0
        server.shutdown()
    page.lab.ok("chat", "send", "alice", "after the attack")
    assert page.lab.events("alice", "input", text="from another site") == []
    assert len(page.lab.events("alice", "input", text="after the attack")) == 1


def test_a_name_that_leads_here_is_not_the_servers(page):
    """DNS rebinding, as a browser does it: a name that resolves to 127.0.0.1."""
    port = int(page.address.split(":")[2][:-1])
    tab = page.context().new_page()
    answer = tab.goto(f"http://rebound.localhost:{port}/")
    assert answer.status == 421
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": f"evil.example:{port}"})
    with pytest.raises(urllib.error.HTTPError, match="421"):
        urllib.request.urlopen(request, timeout=PATIENCE)


@pytest.mark.turn(1)
def test_one_thing_after_another_in_slow_motion(page):
    page.lab.ok("echo", "send", "client", "slowly")
    tab = page.tab()
    expect(row(tab, "slowly").last).to_be_visible()
    tab.locator("#slow").click()
    # Not by the number: what is found out late about the time before comes in before the present place.
    now = "labctl.player.current.t"
    end = before = tab.evaluate(now)
    for _ in range(3):
        tab.locator("#back").click()
        assert tab.evaluate(now) < before
        before = tab.evaluate(now)
    expect(tab.locator(".row.now")).to_have_count(1)
    tab.locator("#forward").click()
    assert before < tab.evaluate(now) < end
    tab.evaluate("window.held = labctl.player.current")
    page.lab.ok("echo", "send", "client", "meanwhile")
    # Of the rows only those in sight are there, and much may have come in between.
    tab.fill("input[type=search]", "meanwhile")
    expect(row(tab, "meanwhile").first).to_be_attached()
    tab.fill("input[type=search]", "")
    assert tab.evaluate("labctl.player.current === window.held"), "what comes meanwhile waits"
    tab.locator("#speed").select_option("4")
    tab.locator("#play").click()
    until(lambda: tab.evaluate(now) >= end, "the play goes on")
    tab.locator("#play").click()
    tab.locator("#scrub").fill("1")
    assert tab.evaluate("labctl.player.place") == 1
    tab.locator("#follow").click()
    assert tab.evaluate("labctl.player.place === labctl.run.items.length")
    assert tab.complaints == []


def test_a_run_is_taken_along_as_one_file_that_opens_without_a_server(page, browser):
    tab = page.tab()
    is_recorded(tab)
    page.lab.ok("chat", "send", "alice", HOSTILE)
    expect(row(tab, "onerror").last).to_be_visible()
    with urllib.request.urlopen(page.request("/api/run.html"), timeout=PATIENCE) as answer:
        content = answer.read()
    url = browser.holds("run.html", content)
    saved = page.tab(page.context(offline=True), url, state="saved")
    expect(row(saved, "onerror").last).to_be_visible()
    assert saved.evaluate("labctl.run.items.length") >= tab.evaluate("labctl.run.items.length") - 20
    saved.locator(".row.packet").last.click()
    expect(saved.locator("summary").first).to_be_visible()
    assert saved.locator("#keyboard").count() == 0
    assert saved.locator("img").count() == 0
    assert {url for url in saved.asked if not url.startswith(("file:", "data:"))} == set()
    assert saved.complaints == []


def test_by_the_keyboard_alone(page):
    tab = page.tab()
    word = secrets.token_hex(4)
    tab_to(
        tab, "document.activeElement.matches('.hosts button') && document.activeElement.textContent.startsWith('alice')"
    )
    before = tab.evaluate("labctl.graph.cy.getElementById('h:alice').position('x')")
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("labctl.graph.cy.getElementById('h:alice').position('x')") > before
    tab.keyboard.press("Enter")
    tab_to(tab, "document.activeElement.id === 'keyboard'")
    tab.keyboard.type(word)
    tab.keyboard.press("Enter")
    expect(row(tab, word).last).to_be_visible()
    tab.keyboard.press("ArrowUp")
    assert tab.input_value("#keyboard") == word
    tab.reload()
    tab.wait_for_selector(".hosts button")
    assert tab.evaluate("labctl.graph.cy.getElementById('h:alice').position('x')") > before, "places are kept"


LOOKS = [(theme, width, lang) for theme in ("light", "dark") for width in (1280, 390) for lang in ("en", "zh")]


@pytest.mark.parametrize(("theme", "width", "lang"), sampling.share(LOOKS, 4, sampling.seed()))
def test_it_can_be_read_by_all_and_fits(page, out, theme, width, lang):
    """WCAG AA by axe-core; and a picture of it for a person, in tests/out."""
    context = page.context(viewport={"width": width, "height": 900}, color_scheme=theme, locale=lang)
    tab = page.tab(context)
    tab.evaluate("labctl.openLink('alice', 'bob')")
    tab.wait_for_selector(".ladder")
    options = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
    found = Axe().run(tab, options=options)
    problems = [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found.response["violations"]]
    assert problems == []
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is beside the window"
    assert tab.evaluate("document.documentElement.lang") == lang
    tab.screenshot(path=out / f"page-{theme}-{width}-{lang}.png")


def test_a_shell_in_a_host_where_it_was_asked_for(browser, page):
    assert page.tab().evaluate("labctl.run.shell") is False
    made = Page(browser, page.lab, "--shell", "--no-record")
    tab, held = made.tab(), []
    tab.route("**/api/shell", lambda route: held.append(route))
    tab.locator(".hosts button", has_text="web").click()
    with tab.expect_request("**/api/shell"):
        tab.locator("[data-verb=shell]").click()
    tab.locator(".shell-box textarea").focus()
    tab.keyboard.type("echo $((6*7)) in $HOSTNAME; tty")
    tab.keyboard.press("Enter")
    held[0].continue_()  # what is typed while the shell is begun isn't lost
    expect(tab.locator(".shell-box")).to_contain_text("42 in", timeout=2 * SLOW)
    expect(tab.locator(".shell-box")).to_contain_text("/dev/pts/")
    tab.keyboard.type("sleep 1000")
    tab.keyboard.press("Enter")
    until(lambda: "sleep 1000" in str(page.lab.container("web").top(ps_args="-o pid,args")), "it sleeps")
    tab.keyboard.press("Control+c")
    tab.keyboard.type("echo still $((40+4))")
    tab.keyboard.press("Enter")
    expect(tab.locator(".shell-box")).to_contain_text("still 44")
    tab.locator(".hosts button", has_text="bob").click()
    until(lambda: "labctl shell" not in children_of(made.child.pid), "the shell ends with its terminal")
    assert tab.complaints == []
    made.contexts[0].close()
    made.end()


def children_of(pid):
    return run_command(["ps", "-o", "args=", "--ppid", str(pid)]).stdout


def test_the_server_is_killed_and_comes_back_and_hosts_stop_and_start(browser, own_lab):
    """And nothing is missing, or there twice."""
    made = Page(browser, own_lab)
    tab = made.tab()
    port = made.address.split(":")[2][:-1]
    made.child.kill()
    made.child.wait(10)
    tab.wait_for_selector("[data-state=lost]")
    expect(tab.locator(".status")).to_contain_text("doesn't answer")
    own_lab.ok("chat", "send", "alice", "while it was away")
    again = Page(browser, own_lab, "--port", port)
    try:
        other = made.tab(made.contexts[0], again.url)
        tab.wait_for_selector("[data-state=live]")
        for one in (tab, other):
            expect(row(one, "while it was away").last).to_be_visible()
        typed = (
            "labctl.run.items.filter(({value}) => value.event === 'input' && value.text === 'while it was away').length"
        )
        assert tab.evaluate(typed) == len(own_lab.events("alice", "input", text="while it was away")) == 1
        tab.locator(".hosts button", has_text="udp2").click()
        tab.locator("[data-verb=stop]").click()
        expect(tab.locator(".hosts button", has_text="udp2")).to_contain_text("exited")
        tab.locator("[data-verb=start]").click()
        expect(tab.locator(".hosts button", has_text="udp2")).to_contain_text("ready")
    finally:
        made.contexts[0].close()
        again.end()
