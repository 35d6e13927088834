"""What a browser makes of the hello page: headless Chromium on the lab's own network."""

import re
import struct
import zlib

import pytest
from outside import run_command

# The first run builds the browser's image.
pytestmark = pytest.mark.timeout(900)

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"]
URL = "http://web:8080/"


@pytest.fixture(scope="module")
def chromium(outsider, lab):
    """`chromium(profile, ...)` runs it with a new profile; the container is gone with this file's tests."""
    browser = outsider("browser", lab)

    def start(profile: str, *options: str):
        command = ["chromium", *FLAGS, f"--user-data-dir=/tmp/{profile}", *options, URL]
        done = browser.run(*command, timeout=120)
        assert done.returncode == 0, done
        return done.stdout

    start.browser = browser
    yield start
    browser.container.remove(force=True)


def test_page_shows_the_connection_that_the_journal_shows(lab, chromium):
    with lab.journal("web") as journal:
        page = chromium("dom", "--dump-dom")
        request = journal.wait("web", "request", method="GET", target="/")
    assert "<h1>Hello World, Michael!</h1>" in page
    ends = re.findall(r"<code>([^<]*)</code>", page)
    assert ends == [f"{address}:{port}" for address, port in (request["peer"], request["local"])]
    assert request["peer"][0] == chromium.browser.address
    assert "Chrome" in request["agent"]
    assert f">{request['agent']}<" in page, "the headers are the ones that the browser sent"
    assert "GET / HTTP/1.1" in page


@pytest.mark.turn(2)
@pytest.mark.parametrize(("name", "size"), [("hello", (1280, 900)), ("hello-phone", (500, 900))])
def test_page_can_be_looked_at(lab, chromium, out, name, size):
    """A picture of it for a person, in tests/out; here only that there is one with something on it."""
    with lab.journal("web") as journal:
        chromium(name, f"--window-size={size[0]},{size[1]}", f"--screenshot=/tmp/{name}.png", "--hide-scrollbars")
        journal.wait("web", "response", target="/favicon.ico", status=200)
    picture = out / f"{name}.png"
    copied = run_command(["docker", "cp", f"{chromium.browser.container.id}:/tmp/{name}.png", str(picture)])
    assert copied.returncode == 0, copied
    width, height, colours = read_png(picture.read_bytes())
    assert (width, height) == size
    assert colours > 20, "letters with smooth edges on a page have many more"


def read_png(data: bytes) -> tuple[int, int, int]:
    """Width, height and the number of different bytes of a picture's rows (PNG: a signature, then chunks)."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    place, pixels, size = 8, b"", (0, 0)
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        content = data[place + 8 : place + 8 + length]
        place += 12 + length
        if kind == b"IHDR":
            size = struct.unpack(">II", content[:8])
        elif kind == b"IDAT":
            pixels += content
    return *size, len(set(zlib.decompress(pixels)))
