"""The page's server, by real requests over loopback, on a lab of the engine in memory."""

import contextlib
import http.client
import json
import threading

import pytest
from memory_lab import Chat, event

import labctl
from labctl.engine.memory import MemoryEngine
from labctl.page.serving import Wanted, served

LIMIT = 20


class Served:
    """A server that runs, and what is asked of it."""

    def __init__(self, chat, server):
        self.chat, self.server = chat, server
        self.port = server.socket.getsockname()[1]
        self.token = server.url.partition("token=")[2]

    def ask(self, method, path, body=None, **changes):
        host = f"127.0.0.1:{self.port}"
        headers = {"Host": host, "X-Labctl-Token": self.token}
        if method == "POST":
            headers |= {"Origin": f"http://{host}", "Content-Type": "application/json"}
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        connection.request(method, path, body, {name: value for name, value in headers.items() if value is not None})
        return connection.getresponse()

    def act(self, verb, **given):
        answer = self.ask("POST", f"/api/act/{verb}", json.dumps(given))
        return answer.status, json.loads(answer.read())

    def stream(self, last=None):
        """The messages of the stream: kind, id, value."""
        answer = self.ask("GET", "/api/stream", Last_Event_ID=last)
        assert answer.status == 200
        while True:
            fields = {}
            while (line := answer.readline().decode().rstrip("\n")) or not fields:
                if line.startswith(":"):
                    continue
                if not line:
                    continue
                name, _, value = line.partition(": ")
                fields[name] = value
            yield fields["event"], fields["id"], json.loads(fields["data"])

    def until(self, stream, wanted):
        """The first item of the stream that is wanted, and the id of the message that brought it."""
        for kind, ident, value in stream:
            items = value if kind == "items" else [{"kind": "run", "value": value}]
            for item in items:
                if wanted(item):
                    return item, ident
        raise AssertionError("the stream ended")


@pytest.fixture
def page():
    engine = MemoryEngine()
    chat = Chat(engine)
    event(chat.alice, "ready")
    event(chat.bob, "ready")
    find = lambda cancel: labctl.find("lab", engine=engine, cancel=cancel)  # noqa: E731
    with served(find, "lab", Wanted(recording=False)) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield Served(chat, server)
        finally:
            server.stop()
            thread.join(LIMIT)


def is_text(text):
    return lambda item: item["kind"] == "event" and item["value"].get("text") == text


def test_the_page_forbids_all_that_is_not_its_own(page):
    answer = page.ask("GET", "/", X_Labctl_Token=None)
    policy = answer.headers["Content-Security-Policy"]
    assert answer.status == 200
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert b"//" not in answer.read().replace(b"\n", b"").replace(b"<!doctype", b""), "nothing is loaded from elsewhere"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Host": "evil.example:80"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": None}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"X_Labctl_Token": "guessed"}, 401),
        ({"Content_Type": "text/plain"}, 415),
    ],
)
def test_what_is_refused_is_not_done(page, changes, status):
    answer = page.ask("POST", "/api/act/type", json.dumps({"node": "alice", "text": "no"}), **changes)
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert page.chat.offset == 0


@pytest.mark.parametrize("path", ["/api/act/type", "/api/act/kill", "/api/record"])
def test_nothing_changes_on_get(page, path):
    assert page.ask("GET", path).status == 405


@pytest.mark.parametrize("path", ["/static/../server.py", "/static/%2e%2e/server.py", "/static/nothing.js", "/nothing"])
def test_only_the_pages_own_files_are_served(page, path):
    assert page.ask("GET", path).status == 404


def test_what_is_typed_goes_to_the_node_and_comes_back_in_the_stream(page):
    stream = page.stream()
    assert next(stream)[0] == "run"
    status, done = page.act("type", node="alice", text="hello <img src=x onerror=alert(1)>")
    assert (status, done["confirmed"]) == (200, True)
    found, _ = page.until(stream, is_text("hello <img src=x onerror=alert(1)>"))
    assert found["value"]["node"] == "alice"


def test_a_browser_that_was_away_gets_what_it_missed_and_nothing_twice(page):
    stream = page.stream()
    page.act("type", node="alice", text="one")
    _, last = page.until(stream, is_text("one"))
    page.act("type", node="alice", text="two")
    page.act("type", node="alice", text="three")
    numbers = []
    with contextlib.closing(page.stream(last)) as again:
        for kind, _, items in again:
            assert kind == "items", "what is missing is told, and not all anew"
            numbers += [item["value"]["seq"] for item in items if item["kind"] == "event"]
            if any(is_text("three")(item) and item["value"]["event"] == "message" for item in items):
                break
    whole = next(page.stream())[2]["events"]
    assert [one["seq"] for one in whole] == list(range(1, len(whole) + 1))
    assert numbers == list(range(numbers[0], len(whole) + 1))
    assert whole[numbers[0] - 2]["text"] == "one"


@pytest.mark.parametrize("last", ["00000000.3", "nonsense", "-1.-1", "x.99999999999999999999"])
def test_numbers_of_another_run_of_the_server_bring_all_anew(page, last):
    assert next(page.stream(last))[0] == "run"


def test_errors_are_told_as_the_command_line_tells_them(page):
    status, said = page.act("type", node="alica", text="x")
    assert (status, said["error"]["code"]) == (409, "unknown-node")
    assert "did you mean alice?" in said["error"]["message"]
    assert page.act("rm", node="alice")[1]["error"]["code"] == "bad-option"
    assert page.act("type", node="alice", text=["no"])[1]["error"]["code"] == "bad-option"
    assert page.ask("POST", "/api/act/type", "[1]").status == 400
    assert page.ask("POST", "/api/act/type", "[" * 100_000).status == 400
    assert page.ask("POST", "/api/act/type", "x" * (3 << 20)).status == 413


def test_a_lab_that_goes_is_not_shown_as_if_it_ran(page):
    stream = page.stream()
    assert next(stream)[2]["up"]["up"] is True
    labctl.find("lab", engine=page.chat.engine).down()
    page.until(stream, lambda item: item["kind"] == "up" and item["value"]["up"] is False)


def test_a_node_that_is_stopped_is_told(page):
    stream = page.stream()
    assert page.act("stop", node="bob")[0] == 200

    def wanted(item):
        nodes = {node["name"]: node["state"] for node in item["value"]["nodes"]} if item["kind"] == "topology" else {}
        return nodes.get("bob", "").startswith("exited")

    page.until(stream, wanted)


def test_a_lab_that_comes_again_is_another_one(page):
    """Its journal begins anew, and nothing of the one before is shown as its own."""
    engine = page.chat.engine
    stream = page.stream()
    assert [one["event"] for one in next(stream)[2]["events"]].count("ready") == 2
    labctl.find("lab", engine=engine).down()
    page.until(stream, lambda item: item["kind"] == "up" and item["value"]["up"] is False)
    event(Chat(engine).alice, "ready", text="the second one")
    found, _ = page.until(stream, lambda item: item["kind"] == "run" or is_text("the second one")(item))
    while found["kind"] == "run" and not found["value"]["events"]:
        found, _ = page.until(stream, lambda item: item["kind"] == "run" or is_text("the second one")(item))
    events = found["value"]["events"] if found["kind"] == "run" else [found["value"]]
    assert [(one["seq"], one["text"]) for one in events] == [(1, "the second one")]
