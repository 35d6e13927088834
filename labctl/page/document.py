"""The page itself: one HTML document whose modules are named in an import map, so that they load from the server or, in
a saved run, from the document itself."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

STATIC = Path(__file__).parent / "static"
MODULES = "page/"  # what a module's name begins with in the import map
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
}
_PIECE = 500  # of a run's packets or events
LIVE_ONLY = frozenset({"boot.js", "worker.js", "stream.js", "shell.js"})  # what a saved run has no use for


def files() -> dict[str, Path]:
    """All that is served below /static/, by its path there."""
    found = (path for path in STATIC.rglob("*") if path.suffix in TYPES and path.name != "manifest.json")
    return {path.relative_to(STATIC).as_posix(): path for path in sorted(found)}


def import_map(*, inline: bool) -> str:
    """Which module is where: at the server, or `inline` as data."""
    imports = {}
    for name, path in files().items():
        if path.suffix not in (".js", ".mjs") or (inline and name in LIVE_ONLY):
            continue
        if name.startswith("vendor/"):
            word = Path(name).name.split(".")[0]
            if inline and word != "cytoscape":
                continue
        else:
            word = MODULES + name
        imports[word] = _data("text/javascript", path.read_bytes()) if inline else f"/static/{name}"
    return json.dumps({"imports": imports}, separators=(",", ":"))


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@cache
def live() -> str:
    """The page as the server gives it."""
    return _page(
        '<link rel="stylesheet" id="__________cytoscape_stylesheet" href="/static/page.css">',
        f'<script type="importmap">{import_map(inline=False)}</script>',
        '<script type="module" src="/static/boot.js"></script>',
    )


def policy(*, shell: bool = False) -> str:
    """The Content-Security-Policy of the live page: nothing but what this server has, and no request elsewhere."""
    digest = base64.b64encode(hashlib.sha256(import_map(inline=False).encode()).digest()).decode()
    styles = "'self' 'unsafe-inline'" if shell else "'self'"  # a terminal's colours are styles that it writes itself
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' 'sha256-{digest}'",
            f"style-src {styles}",
            "img-src 'self' data: blob:",
            "connect-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types labctl",
        ]
    )


def saved(run: dict[str, Any]) -> str:
    """One file that holds a run (labctl.render.runs) and the page, and opens by a double click: it loads nothing."""
    content = _packed(_written(run))
    rules = "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; img-src data: blob:; "
    rules += "base-uri 'none'; form-action 'none'"
    css = (STATIC / "page.css").read_text()
    return _page(
        f'<meta http-equiv="Content-Security-Policy" content="{rules}">',
        f'<style id="__________cytoscape_stylesheet">{css}</style>',
        f'<script type="importmap">{import_map(inline=True)}</script>',
        f'<script type="application/octet-stream" id="run">{base64.b64encode(content).decode()}</script>',
        '<script type="module">import "page/main.js";</script>',
    )


def _written(run: dict[str, Any]) -> Iterator[bytes]:
    """The run as JSON, in pieces."""
    before = "{"
    for key, value in run.items():
        yield f"{before}{_json(key)}:".encode()
        before = ","
        if not isinstance(value, list) or len(value) <= _PIECE:
            yield _json(value).encode()
            continue
        for at in range(0, len(value), _PIECE):
            yield f"{',' if at else '['}{_json(value[at : at + _PIECE])[1:-1]}".encode()
        yield b"]"
    yield b"}"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _packed(pieces: Iterable[bytes]) -> bytes:
    """As gzip packs it, on another core while the next pieces are made."""
    packer = zlib.compressobj(6, wbits=16 + zlib.MAX_WBITS)
    waiting: SimpleQueue[bytes | None] = SimpleQueue()
    out: list[bytes] = []

    def pack() -> None:
        while (piece := waiting.get()) is not None:
            out.append(packer.compress(piece))

    thread = Thread(target=pack)
    thread.start()
    try:
        for piece in pieces:
            waiting.put(piece)
    finally:
        waiting.put(None)
        thread.join()
    return b"".join([*out, packer.flush()])


def _page(*parts: str) -> str:
    head = "\n".join(parts)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>labctl</title>
<link rel="icon" href="data:,">
{head}
</head>
<body><noscript>This page needs JavaScript.</noscript></body>
</html>
"""
