"""Who may ask the page's server for what: it commands the engine, and any page in the same browser can reach it."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

TOKEN = "x-labctl-token"
# What browsers say of a request that the page itself made, or that a person made by typing the address.
OWN_SITE = ("same-origin", "none")
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


class Refused(Exception):
    """A request that is not answered: its status, and why, as a sentence."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(why)


def allowed_hosts(address: str, port: int) -> frozenset[str]:
    """The names under which a server at an address may be asked for: exactly these, so that no name of somebody else's
    that leads here (DNS rebinding) is one."""
    own = f"[{address}]" if ":" in address else address
    names = {own, "localhost"} if address in ("127.0.0.1", "::1") else {own}
    return frozenset(f"{name}:{port}" for name in names) | (frozenset(names) if port == 80 else frozenset())


def check(method: str, path: str, headers: dict[str, str], hosts: frozenset[str], token: str) -> None:
    """Raises Refused. `path` below /api/ takes the token; what is not GET or HEAD has to come from the page itself."""
    host = headers.get("host", "")
    if host not in hosts:
        raise Refused(
            421, f"this server is not {host or 'asked for by name'}: it answers to {', '.join(sorted(hosts))}"
        )
    is_api, reads = path.startswith("/api/"), method in ("GET", "HEAD")
    site = headers.get("sec-fetch-site")
    if (is_api or not reads) and site is not None and site not in OWN_SITE:
        raise Refused(403, f"another page asks ({site})")
    if not reads:
        origin = headers.get("origin")
        if origin is None or origin != f"http://{host}":
            raise Refused(403, f"what changes something is taken from this page alone, not from {origin or 'nowhere'}")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refused(415, "what is asked for is JSON")
    if is_api and not secrets.compare_digest(headers.get(TOKEN, "").encode(), token.encode()):
        raise Refused(401, "the token is not that of this run: open the address that `labctl page` printed")


class Guard:
    """The ASGI application that stands before all others. `policy` is the Content-Security-Policy of all answers."""

    def __init__(self, app: Any, hosts: Callable[[], frozenset[str]], token: str, policy: str) -> None:
        self._app, self._hosts, self._token = app, hosts, token
        self._headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        self._headers.append((b"content-security-policy", policy.encode()))

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"nothing here speaks {scope['type']}")

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in self._headers}
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in own]
                message = {**message, "headers": kept + self._headers}
            await send(message)

        headers: dict[str, str] = {}
        for raw, value in scope["headers"]:
            name = raw.decode("latin-1").lower()
            # Twice the same one is for nobody to choose from.
            headers[name] = (
                f"{headers[name]}, {value.decode('latin-1')}" if name in headers else value.decode("latin-1")
            )
        try:
            check(scope["method"], scope["path"], headers, self._hosts(), self._token)
        except Refused as refusal:
            await refuse(refusal, answer)
            return
        await self._app(scope, receive, answer)


async def refuse(refusal: Refused, send: Callable[[Message], Awaitable[None]]) -> None:
    """Answers with the refusal as text: no page, so that there is nothing in it to be run."""
    body = f"{refusal.why}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
