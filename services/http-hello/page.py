"""What a browser sees: the greeting, and what the server knows of the connection that asked for it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from request import Request

    from labnode.types import Address

STYLE = """
:root { color-scheme: light dark; --paper: #f6f7fb; --card: #fff; --ink: #1b2030; --soft: #626b84; --line: #dfe3ee;
  --mark: #1f5ad6 }
@media (prefers-color-scheme: dark) { :root { --paper: #10131c; --card: #181d2a; --ink: #e8ebf4; --soft: #98a2bd;
  --line: #2a3144; --mark: #7ea6ff } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 46rem; margin: 0 auto; padding: clamp(1.5rem, 6vw, 4rem) 1.25rem }
h1 { margin: 0 0 .25em; font-size: clamp(2rem, 7vw, 3.25rem); line-height: 1.1; letter-spacing: -.02em;
  overflow-wrap: anywhere; white-space: pre-wrap }
h2 { margin: 0 0 .75rem; font-size: .8rem; letter-spacing: .08em; text-transform: uppercase; color: var(--soft) }
p { margin: 0; color: var(--soft) }
section { margin-top: 1.5rem; padding: 1.25rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem }
code, td { font-family: ui-monospace, monospace; font-size: .9rem; line-height: 1.5rem; overflow-wrap: anywhere }
.ends { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem 1rem; margin: 0 }
.ends div { flex: 1 1 12rem; padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .5rem }
.ends b { color: var(--mark) }
@media (max-width: 34rem) { .ends { flex-direction: column; align-items: stretch; gap: .25rem } .ends div { flex: none }
  .ends b { align-self: center; transform: rotate(90deg) } }
dt { color: var(--soft); font-size: .85rem }
dd { margin: 0 }
table { width: 100%; margin-top: .75rem; border-collapse: collapse; table-layout: fixed }
th, td { padding: .4rem 0; border-top: 1px solid var(--line); text-align: left; vertical-align: top }
th { width: 34%; padding-right: 1rem; font-size: .9rem; line-height: 1.5rem; font-weight: 500; color: var(--soft);
  overflow-wrap: anywhere }
"""
# What is typed at the keyboard or sent in a header stays text, even if the escaping below failed: no script runs, and
# nothing is loaded from anywhere else.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'"

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{greeting}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{greeting}</h1>
<p>Request {number} on this TCP connection. Reload, and see what stays and what changes.</p>
<section>
<h2>The connection</h2>
<dl class="ends">
<div><dt>your end</dt><dd><code>{peer}</code></dd></div>
<b aria-hidden="true">&#8596;</b>
<div><dt>the server's end</dt><dd><code>{local}</code></dd></div>
</dl>
</section>
<section>
<h2>The request</h2>
<code id="request-line">{line}</code>
<table>
{headers}
</table>
</section>
</main>
</body>
</html>
"""


def wants_html(accept: bytes) -> bool:
    """True where `Accept` names text/html and does not prefer text/plain to it (RFC 9110, section 12.5.1)."""
    accept = accept.lower()
    if b"text/html" not in accept:
        return False
    weights: dict[bytes, float] = {}
    for choice in accept.split(b","):
        kind, *parameters = (part.strip() for part in choice.split(b";"))
        weights[kind] = min((_weight(parameter) for parameter in parameters), default=1.0)
    html = weights.get(b"text/html", 0.0)
    plain = next((weights[kind] for kind in (b"text/plain", b"text/*", b"*/*") if kind in weights), 0.0)
    return html > 0 and html >= plain


def _weight(parameter: bytes) -> float:
    name, _, value = parameter.partition(b"=")
    if name.strip() != b"q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def html(greeting: str, ends: Mapping[str, Any], number: int, request: Request) -> str:
    """The page; `number` counts the requests of the connection, of which `ends` are the two ends."""
    line = f"{request.method} {request.target} HTTP/{request.version}"
    rows = (
        f"<tr><th scope=row>{escape(name.decode())}</th><td>{escape(value.decode('utf-8', 'replace'))}</td></tr>"
        for name, value in request.lines()
    )
    return PAGE.format(
        style=STYLE,
        greeting=escape(greeting),
        number=number,
        peer=place(ends["peer"]),
        local=place(ends["local"]),
        line=escape(line),
        headers="\n".join(rows),
    )


def place(end: Address) -> str:
    """An address and a port as in a URL: 10.77.0.2:8080, [2001:db8::2]:8080 (RFC 3986, section 3.2.2)."""
    address, port = end
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def escape(text: str) -> str:
    # html.escape would do; the module `html` brings its 2,231 named characters into every node's memory.
    for character, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(character, name)
    return text
