"""The page in headless Chromium: first paint, frames while a host of 200 is dragged and 1,000 things a second come, how
far behind it then is, the size of a saved run of 1,000 packets, and how long one of 10,000 takes to open."""

from __future__ import annotations

import shutil
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from bench.commands import Failed, run
from bench.model import Result, Setting, Target
from bench.project import ROOT
from labctl.events.codec import stamp_of
from labctl.lab.drawing.picture import Attachment, DrawnNetwork, DrawnNode, Picture
from labctl.page import document
from labctl.page.story import Story
from labctl.render.runs.document import topology

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTS, RATE, SPAN = 200, 1000, 15.0  # hosts; events and packets a second; seconds
IMAGE, PORT = "labctl/test-browser", 9333
DEBIANS = ("debian:trixie-slim", "labctl/debian:trixie")
FLAGS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-dev-shm-usage"
# Frames a second while a host follows the mouse for `span` ms, how often the graph was drawn then, and all frames.
DRAG = """async (span) => {
  const box = document.querySelector(".graph").getBoundingClientRect();
  const place = labctl.graph.cy.getElementById("h:n5").renderedPosition();
  const at = (x, y, type, target) => target.dispatchEvent(new MouseEvent(type,
    {clientX: box.x + x, clientY: box.y + y, bubbles: true, button: 0, buttons: 1, view: window}));
  at(place.x, place.y, "mousedown", document.querySelector(".graph canvas"));
  let drawn = 0, frames = 0;
  labctl.graph.cy.on("render", () => (drawn += 1));
  const begin = performance.now();
  return new Promise((done) => {
    const frame = (now) => {
      frames += 1;
      at(place.x + 60 * Math.sin(frames / 20), place.y + 60 * Math.cos(frames / 20), "mousemove", window);
      if (now - begin < span) requestAnimationFrame(frame);
      else done([frames / ((now - begin) / 1000), drawn, frames]);
    };
    requestAnimationFrame(frame);
  });
}"""


def measure(setting: Setting) -> Iterator[Result]:
    with chromium() as (browser, container):
        paints, frames, work, behind = [], [], [], []
        for _ in range(3):
            with shown(browser) as (page, story):
                paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
                paints.append(page.evaluate(paint) / 1000)
                with talking(story):
                    time.sleep(2)
                    rate, busy = dragging(page)
                    frames.append(rate)
                    work.append(busy)
                    behind.append(page.evaluate("(Date.now() * 1000 - labctl.run.items.at(-1).t) / 1e6"))
        setting.tell(
            f"page: {statistics.median(frames):.3g} frames a second, painted in {statistics.median(paints):.2g} s"
        )
        yield Result("page-paint", "first paint, 200 hosts", "s", tuple(paints), (), "", Target(1.0, absolute=True))
        wanted = Target(30.0, absolute=True, at_least=True)
        what = f"frames a second while a host of {HOSTS} is dragged and {RATE:,} things a second come"
        yield Result("page-frames", what, "frames/s", tuple(frames), (), "", wanted)
        what = "what one of these frames takes of the main thread, whatever else the machine does"
        yield Result("page-work", what, "ms", tuple(work), (), "", Target(16.0, absolute=True))
        what = f"how old the newest is that the page has, at {RATE:,} a second"
        yield Result("page-behind", what, "s", tuple(behind), (), "", Target(1.0, absolute=True))
        size = len(document.saved(saved_run(1000)).encode())
        what = "a saved run of 1,000 packets with their layers and bytes"
        yield Result("page-size", what, "bytes", (float(size),), (), "", Target(1_500_000, absolute=True))
        opened = tuple(opening(browser, container, document.saved(saved_run(10_000))) for _ in range(3))
        yield Result("page-open", "a saved run of 10,000 packets", "s", opened, (), "", Target(2.0, absolute=True))


def dragging(page: Page) -> tuple[float, float]:
    """Frames a second while a host is dragged, and the processor's milliseconds that the main thread needs for each."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def taken() -> float:
        found = session.send("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in found if one["name"] == "TaskDuration")

    before = taken()
    rate, drawn, frames = page.evaluate(DRAG, 5000)
    if not drawn:
        raise Failed("nothing was drawn while a host was dragged")
    return rate, (taken() - before) * 1000 / frames


@contextmanager
def chromium() -> Iterator[tuple[Browser, str]]:
    """The browser, and the name of its container, which has this machine's loopback."""
    from playwright.sync_api import sync_playwright

    docker, name = shutil.which("docker") or "docker", "bench-page"
    if not run([docker, "images", "--quiet", IMAGE], 30).out.strip():
        # The official image, or the one that labctl makes where no registry can be reached.
        bases = [base for base in DEBIANS if run([docker, "images", "--quiet", base], 30).out.strip()]
        chosen = ["--build-arg", f"DEBIAN={(bases or DEBIANS)[0]}", str(ROOT / "tests/clients")]
        run([docker, "build", "--target", "browser", "--tag", IMAGE, *chosen], 900)
    options = [f"--remote-debugging-port={PORT}", *FLAGS.split(), "about:blank"]
    run(
        [docker, "run", "--detach", "--rm", "--init", "--network", "host", "--name", name, IMAGE, "chromium", *options],
        60,
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", PORT)):
                    break
            if time.monotonic() > deadline:
                raise Failed("Chromium has not begun")
            time.sleep(0.1)
        with sync_playwright() as playwright:
            yield playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{PORT}"), name
    finally:
        run([docker, "rm", "--force", name], 60)


@contextmanager
def shown(browser: Browser, described: dict[str, Any] | None = None) -> Iterator[tuple[Page, Story]]:
    """A tab with 200 hosts, or another topology, and the story that it is told."""
    import uvicorn

    from labctl.page.guard import allowed_hosts
    from labctl.page.server import Server

    story = Story()
    story.tell("lab", "big")
    story.tell("topology", described or topology(hosts()))
    story.tell("up", {"up": True, "recording": True})
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        watching = cast(Any, type("Told", (), {"story": story, "packet": lambda self, number: None})())
        app = Server(watching, cast(Any, None), lambda: allowed_hosts("127.0.0.1", port), "token").app
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        try:
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{port}/#token=token")
            page.wait_for_selector(".hosts button")
            yield page, story
        finally:
            context.close()
            server.should_exit = True
            thread.join(10)


def names() -> list[str]:
    return [f"n{number}" for number in range(HOSTS)]


def address(name: str) -> str:
    return f"10.1.0.{int(name[1:]) + 2}"


def hosts() -> Picture:
    nodes = tuple(DrawnNode(name, "udp", "running") for name in names())
    attached = tuple(Attachment(name, "net", (address(name),)) for name in names())
    return Picture("big", networks=(DrawnNetwork("net", ("10.1.0.0/16",)),), nodes=nodes, attachments=attached)


@contextmanager
def talking(story: Story) -> Iterator[None]:
    """Tells so many things a second, half of them events and half packets, while the block runs."""
    over = threading.Event()

    def tell() -> None:
        number, begun = 0, time.monotonic()
        while not over.wait(0.004):
            while number < (time.monotonic() - begun) * RATE:
                number += 1
                story.tell(*thing(number, time.time_ns()))

    thread = threading.Thread(target=tell)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def thing(number: int, now: int) -> tuple[str, dict[str, Any]]:
    one, other = f"n{number % HOSTS}", f"n{(number * 7 + 1) % HOSTS}"
    ends = [[address(one), 5005], [address(other), 5005]]
    said = f"message {number}"
    if number % 2:
        fields = {"local": ends[0], "peer": ends[1], "bytes": 20, "text": said}
        return "event", {"seq": number, "ts": stamp_of(now), "node": one, "event": "send", **fields}
    return "packet", packet(number, now, (one, other), ends, said)


def packet(number: int, now: int, hosts: tuple[str, str], ends: list[list[Any]], said: str) -> dict[str, Any]:
    times = {"at_ns": now, "sent_ns": now, "arrived_ns": now + 50_000}
    told = {"phase": "data", "label": ["UDP", "len 20"], "text": said, "marks": [], "faults": [], "flow": str(ends)}
    about = {"fate": "delivered", "copy": False, "protocol": "udp", "length": 62}
    return {
        "number": number,
        **times,
        "from": hosts[0],
        "to": hosts[1],
        "source": ends[0],
        "target": ends[1],
        **about,
        **told,
    }


def saved_run(count: int) -> dict[str, Any]:
    """A run of so many datagrams, each with all that was captured of it and its fields."""
    import base64

    from labctl.packets.model import Interface, Record
    from labctl.packets.protocols.ip import decode
    from labctl.packets.protocols.link import RAW
    from labctl.render.runs.shapes import Shapes

    packets, shapes = [], Shapes()
    for number in range(1, count + 1):
        body = number.to_bytes(8, "big") * 8
        head = bytes([69, 0, 0, 92, number >> 8 & 255, number & 255, 64, 0, 64, 17, 0, 0, 10, 1, 0, 2, 10, 1, 0, 3])
        data = head + bytes([19, 141, 19, 141, 0, 72, 0, 0]) + body
        found = decode(Record(number * 1000, data, len(data), Interface(0, "eth0", RAW, "<")), number, "n0")
        made = packet(
            number, number * 1_000_000, ("n0", "n1"), [["10.1.0.2", 5005], ["10.1.0.3", 5005]], f"message {number}"
        )
        packets.append({**made, "layers": shapes.layers(found), "bytes": base64.b64encode(data).decode()})
    run = {"schema_version": 1, "lab": "big", "topology": topology(hosts()), "events": [], "faults": [], "notes": []}
    return {**run, "packets": packets, "shapes": shapes.document()}


def opening(browser: Browser, container: str, text: str) -> float:
    """Seconds until a saved run shows its packets, from a file."""
    with tempfile.NamedTemporaryFile("w", suffix=".html") as file:
        file.write(text)
        file.flush()
        run([shutil.which("docker") or "docker", "cp", file.name, f"{container}:/tmp/run.html"], 60)
    context = browser.new_context()
    try:
        page, begun = context.new_page(), time.monotonic()
        page.goto("file:///tmp/run.html")
        page.wait_for_selector(".row.packet")
        return time.monotonic() - begun
    finally:
        context.close()
