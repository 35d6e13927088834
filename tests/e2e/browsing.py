"""The page in a real browser: Chromium of Debian without a window, on this machine's network, driven by playwright."""

import contextlib
import io
import json
import socket
import tarfile
import urllib.request
from collections.abc import Iterator
from typing import Any

from docker import DockerClient
from docker.models.containers import Container
from outside import ROOT, Lab, begin, finish, read_until, run_command
from playwright.sync_api import Browser, BrowserContext, Locator, TimeoutError, expect, sync_playwright
from playwright.sync_api import Page as Tab

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0"]
# A browser that hears of each network that comes or goes beside it breaks off what it is loading: this one may not ask.
DEAF = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {
            "names": ["socket"],
            "action": "SCMP_ACT_ERRNO",
            "args": [{"index": 0, "value": int(socket.AF_NETLINK), "op": "SCMP_CMP_EQ"}],
        }
    ],
}
SLOW = 60_000  # ms for what takes a second on an idle machine
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
expect.set_options(timeout=SLOW)


class Chromium:
    """A browser in a container that has this machine's loopback."""

    def __init__(self, browser: Browser, container: Container) -> None:
        self.browser, self.container = browser, container

    def new_context(self, **options: Any) -> BrowserContext:
        return self.browser.new_context(**options)

    def holds(self, name: str, content: bytes) -> str:
        """The address of a file that the browser has from now on."""
        held = io.BytesIO()
        with tarfile.open(fileobj=held, mode="w") as archive:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        assert self.container.put_archive("/tmp", held.getvalue())
        return f"file:///tmp/{name}"


@contextlib.contextmanager
def chromium(engine: DockerClient, debian: str, labels: dict[str, str]) -> Iterator[Chromium]:
    command = ["docker", "build", "--quiet", "--target", "browser", "--tag", "labctl/test-browser"]
    built = run_command([*command, "--build-arg", f"DEBIAN={debian}", str(ROOT / "tests" / "clients")], timeout=800)
    assert built.returncode == 0, built
    started: dict[str, Any] = {"detach": True, "init": True, "network_mode": "host", "labels": labels}
    started["security_opt"] = [f"seccomp={json.dumps(DEAF)}"]
    container = engine.containers.run("labctl/test-browser", ["chromium", *FLAGS, "about:blank"], **started)
    try:
        said = b""
        for chunk in container.logs(stream=True, follow=True):
            said += chunk
            if b"DevTools listening on " in said and b"/devtools/browser/" in said.split(b"DevTools listening on ")[1]:
                break
        devtools = said.split(b"DevTools listening on ")[1].split()[0].decode()
        with sync_playwright() as playwright:
            found = playwright.chromium.connect_over_cdp(devtools)
            yield Chromium(found, container)
            found.close()
    finally:
        container.remove(force=True)


class Page:
    """`labctl page` on a lab, and tabs that look at it."""

    def __init__(self, browser: Chromium, lab: Lab, *options: str) -> None:
        self.browser, self.lab = browser, lab
        self.child = begin("page", "--json", "--lab", lab.name, *options)
        self.url = json.loads(read_until(self.child.stdout, b"\n", 60))["url"]
        self.address, _, self.token = self.url.partition("#token=")
        self.contexts: list[BrowserContext] = []

    def end(self) -> None:
        self.child.terminate()
        finish(self.child)

    def context(self, **options: Any) -> BrowserContext:
        made = self.browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        made.set_default_timeout(SLOW)
        self.contexts.append(made)
        return made

    def request(self, path: str) -> urllib.request.Request:
        return urllib.request.Request(self.address.rstrip("/") + path, headers={"x-labctl-token": self.token})

    def tab(self, context: BrowserContext | None = None, url: str | None = None, state: str = "live") -> Any:
        """A tab that shows the lab, with what its console has complained of, and the addresses that it has asked."""
        tab = watched((context or self.context()).new_page())
        tab.goto(url or self.url)
        try:
            tab.wait_for_selector(f"[data-state={state}]")
            tab.wait_for_selector(".hosts button")
        except TimeoutError:
            seen = tab.evaluate("[document.documentElement.dataset.state, document.body.innerText]")
            raise AssertionError(f"not {state}: {seen}, {tab.complaints}, {sorted(tab.asked)}") from None
        return tab


def watched(tab: Any) -> Any:
    """The tab, which keeps `complaints` of its console, errors and dialogs, and which addresses it has `asked`."""
    tab.complaints, tab.asked = [], set()
    tab.on("console", lambda said: said.type in ("error", "warning") and tab.complaints.append(said.text))
    tab.on("pageerror", lambda problem: tab.complaints.append(str(problem)))
    tab.on("dialog", lambda dialog: (tab.complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))
    tab.on("request", lambda request: tab.asked.add(request.url))
    return tab


def is_recorded(tab: Tab) -> None:
    tab.wait_for_selector("[data-recorder=on]", state="attached")


def row(tab: Tab, text: str, kind: str = "") -> Locator:
    """The rows of the timeline with a text."""
    return tab.locator(f".row{kind}", has_text=text)


def open_host(tab: Tab, host: str) -> None:
    tab.locator(".hosts button", has_text=host).click()


def type_at(tab: Tab, host: str, text: str) -> None:
    open_host(tab, host)
    tab.fill("#keyboard", text)
    tab.keyboard.press("Enter")
