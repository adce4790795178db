"""HTTP/1.1 on a bare asyncio protocol.

uvicorn would cost several times the CPU per streamed token, and a fault has to reach the
transport: closing a connection in mid-body is the point of half of them.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol, cast
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads(self.body or b"{}"))


class Application(Protocol):
    connections: int

    def handle(self, request: Request, connection: "Connection") -> None: ...


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def parse_head(head: bytes) -> tuple[str, str, dict[str, list[str]], dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    url = urlsplit(target)
    headers = {k.strip().lower(): v.strip() for k, _, v in (x.partition(":") for x in lines)}
    return method, unquote(url.path), parse_qs(url.query), headers


class Connection(asyncio.Protocol):
    def __init__(self, app: Application) -> None:
        self._app = app
        self._buffer = bytearray()
        self._busy = False
        self.transport: asyncio.Transport
        self.on_lost: Callable[[], None] | None = None
        """What the response under way does when the client goes away."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._app.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._app.connections -= 1
        if self.on_lost:
            self.on_lost()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._busy:
            self._next_request()

    def _next_request(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        method, path, query, headers = parse_head(bytes(self._buffer[:end]))
        body_end = end + 4 + int(headers.get("content-length", 0))
        if len(self._buffer) < body_end:
            return
        body = bytes(self._buffer[end + 4 : body_end])
        del self._buffer[:body_end]
        self._busy = True
        self._app.handle(Request(method, path, query, headers, body), self)

    def respond_json(
        self, value: Any, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        body = json.dumps(value).encode()
        self.respond(body, status, {"Content-Type": "application/json", **(headers or {})})

    def respond(self, body: bytes, status: int, headers: dict[str, str]) -> None:
        head = _head(status, {**headers, "Content-Length": str(len(body))})
        self.transport.write(head + body)
        self.done()

    def start_stream(self, content_type: str) -> None:
        self.transport.write(
            _head(200, {"Content-Type": content_type, "Transfer-Encoding": "chunked"})
        )

    def end_stream(self) -> None:
        self.transport.write(b"0\r\n\r\n")
        self.done()

    def abort(self) -> None:
        self.transport.abort()

    def done(self) -> None:
        """The response is out; the connection is free for the next request."""
        self._busy = False
        self.on_lost = None
        if self._buffer:
            self._next_request()


def _head(status: int, headers: dict[str, str]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Overloaded"  # 529 is Anthropic's own
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
