"""What stands before every route: who may come in, from where, to what, with how much."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = "localhost"
WRONG_PASSWORD_SECONDS = 1.0

#: Of Gradio's own routes, those that its page and its clients need; none uploads or browses.
OPEN = (
    "/studio/",
    "/assets/",
    "/static/",
    "/gradio_api/call/",
    "/gradio_api/queue/",
    "/gradio_api/file=",
    "/gradio_api/heartbeat/",
)
OPEN_EXACTLY = (
    "/",
    "/config",
    "/theme.css",
    "/favicon.ico",
    "/gradio_api/info",
    "/gradio_api/startup-events",
)

#: Nothing on the page may ask anyone but this server for anything. Gradio compiles its templates.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "worker-src 'self' blob:; object-src 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == LOOPBACK  # any other name may be of anywhere, as 127.some.where.net is


@dataclass(frozen=True)
class Gate:
    """An ASGI application around the studio's.

    Parameters
    ----------
    password : asked of everyone, as HTTP's basic authentication does; any user name will do.
    loopback : whether only this machine may come; then a page of another name (a rebound domain)
        may not pose as ours.
    """

    app: App
    password: str | None
    loopback: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in, or answer in its place."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        refused = await self._refusal(scope["path"], headers)
        if refused:
            await _refuse(send, *refused)
        else:
            await self.app(scope, receive, _with_headers(send))

    async def _refusal(self, path: str, headers: dict[str, str]) -> tuple[int, str] | None:
        """Status and reason, or None for those who may come in."""
        if not self._named_right(headers):
            return 403, "this page is not of this studio"
        if self.password is not None and not self._knows(headers.get("authorization", "")):
            if "authorization" in headers:
                await asyncio.sleep(WRONG_PASSWORD_SECONDS)
            return 401, "a password is needed"
        if not (path in OPEN_EXACTLY or path.startswith(OPEN)):
            return 404, "there is nothing here"
        return None

    def _named_right(self, headers: dict[str, str]) -> bool:
        """Whether the page that asks is our own."""
        host = headers.get("host", "")
        origin = headers.get("origin")
        if self.loopback and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return False
        return origin is None or urlsplit(origin).netloc == host

    def _knows(self, authorization: str) -> bool:
        kind, _, value = authorization.partition(" ")
        try:
            _, _, given = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        password = self.password or ""
        return kind.lower() == "basic" and secrets.compare_digest(given.encode(), password.encode())


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
        await send(message)

    return sent


async def _refuse(send: Send, status: int, why: str) -> None:
    headers = [(b"content-type", b"application/json"), *HEADERS]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="ditto studio", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": why}).encode()})
