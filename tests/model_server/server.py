"""Routes, the control endpoints, and the log of every call that was accepted."""

import asyncio
import json
import re
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from tests.model_server import wire_anthropic, wire_openai
from tests.model_server.behaviour import Behaviour, Director
from tests.model_server.http import Connection, Request
from tests.model_server.streaming import Player, plan
from tests.model_server.wire import Reply, Wire, reply_to

LOG_LENGTH = 50_000
_BEDROCK = re.compile(r"^/model/(.+)/(invoke|invoke-with-response-stream)$")


@dataclass(slots=True)
class Call:
    n: int
    vendor: str
    model: str
    fault: str
    trace_id: str
    api_key: str
    started_at: float
    prompt_tokens: int = 0
    completion_tokens_sent: int = 0
    finished: bool = False
    """The whole reply with its end marker was written; false for every fault."""
    open: bool = True
    body: str = ""

    def close(self, tokens: int = 0, *, finished: bool = False) -> None:
        self.completion_tokens_sent, self.finished, self.open = tokens, finished, False


class Server:
    def __init__(self) -> None:
        self.connections = 0
        self.director = Director()
        self._calls: deque[Call] = deque(maxlen=LOG_LENGTH)
        self._n = 0

    def handle(self, request: Request, connection: Connection) -> None:
        try:
            self._route(request, connection)
        except (ValueError, KeyError, TypeError) as error:
            connection.respond_json({"error": {"message": repr(error)}}, 400)

    def _route(self, request: Request, connection: Connection) -> None:
        if request.path.startswith("/control/"):
            connection.respond_json(self._control(request))
        elif request.path == "/v1/chat/completions":
            self._chat(request, connection, "openai", request.json())
        elif request.path == "/v1/messages":
            self._chat(request, connection, "anthropic", request.json())
        elif match := _BEDROCK.match(request.path):
            streamed = match[2] == "invoke-with-response-stream"
            body = {**request.json(), "model": match[1], "stream": streamed}
            self._chat(request, connection, "bedrock", body)
        elif request.path == "/v1/embeddings":
            self._embeddings(request, connection)
        else:
            connection.respond_json({"error": {"message": f"no such path: {request.path}"}}, 404)

    # Control

    def _control(self, request: Request) -> Any:
        name = request.path.removeprefix("/control/")
        if request.method == "GET":
            return self._logged(request) if name == "calls" else self._stats()
        settings = request.json()
        match name:
            case "script":
                self.director.add_script(settings["faults"], settings.get("marker", ""))
            case "default":
                self.director.set_default(settings)
            case "random":
                self.director.set_random(**settings)
            case "reset":
                self._calls.clear()
                self.director.reset()
            case _:
                raise ValueError(f"no such control: {name}")
        return {"ok": True}

    def _logged(self, request: Request) -> list[dict[str, Any]]:
        marker = request.query.get("marker", [""])[0]
        rows = [asdict(c) for c in self._calls if marker in c.body or marker in c.trace_id]
        for row in rows:
            body = row.pop("body")
            if "bodies" in request.query:
                row["body"] = json.loads(body)
        return rows

    def _stats(self) -> dict[str, int]:
        open_calls = sum(call.open for call in self._calls)
        return {"calls": self._n, "open_calls": open_calls, "connections": self.connections}

    # Models

    def _log(self, request: Request, vendor: str, model: str, behaviour: Behaviour) -> Call:
        self._n += 1
        trace_id = request.headers.get("x-trace-id", "")
        key = request.headers.get("x-api-key") or request.headers.get("authorization", "")
        key = key.removeprefix("Bearer ")
        call = Call(self._n, vendor, model, behaviour.fault, trace_id, key, time.time())
        call.body = request.body.decode()
        self._calls.append(call)
        return call

    def _chat(
        self, request: Request, connection: Connection, vendor: str, body: dict[str, Any]
    ) -> None:
        model = body["model"]
        behaviour = self.director.choose(model, request.body.decode())
        call = self._log(request, vendor, model, behaviour)
        reply = reply_to(body, model, behaviour)
        call.prompt_tokens = reply.prompt_tokens
        if behaviour.status:
            self._refuse(connection, call, behaviour)
        elif behaviour.fault == "timeout":
            connection.on_lost = call.close
        elif body.get("stream"):
            self._stream(connection, call, _wire(vendor, reply, body), behaviour)
        else:
            self._answer_plain(connection, call, reply)

    def _refuse(self, connection: Connection, call: Call, behaviour: Behaviour) -> None:
        status = behaviour.status or 500
        wire = wire_openai if call.vendor == "openai" else wire_anthropic
        headers = {}
        if status == 429 or behaviour.at is not None:
            headers["Retry-After"] = str(1 if behaviour.at is None else behaviour.at)
        call.close()
        connection.respond_json(wire.error_body(status), status, headers)

    def _stream(self, connection: Connection, call: Call, wire: Wire, behaviour: Behaviour) -> None:
        def ended(tokens: int, whole: bool) -> None:
            call.close(tokens, finished=whole)

        delay_ms = behaviour.first_token_ms
        if behaviour.fault == "slow_first_token":
            delay_ms = 2000 if behaviour.at is None else behaviour.at
        player = Player(connection, plan(wire, behaviour), behaviour, ended)
        player.start(wire.content_type, delay_ms)

    def _answer_plain(self, connection: Connection, call: Call, reply: Reply) -> None:
        behaviour = reply.behaviour
        if behaviour.fault.startswith("cut"):
            call.close()
            connection.abort()
            return
        if behaviour.fault == "bad_chunk":
            call.close()
            connection.respond(b'{"id": \xff', 200, {"Content-Type": "application/json"})
            return
        delay_ms = behaviour.first_token_ms
        if behaviour.tps:
            delay_ms += 1000 * reply.completion_tokens / behaviour.tps
        wire = wire_openai if call.vendor == "openai" else wire_anthropic

        def answer() -> None:
            call.close(reply.completion_tokens, finished=True)
            connection.respond_json(wire.plain(reply))

        def lost() -> None:
            timer.cancel()
            call.close()

        timer = asyncio.get_running_loop().call_later(delay_ms / 1000, answer)
        connection.on_lost = lost

    def _embeddings(self, request: Request, connection: Connection) -> None:
        body = request.json()
        behaviour = self.director.choose(body["model"], request.body.decode())
        call = self._log(request, "openai", body["model"], behaviour)
        if behaviour.status:
            self._refuse(connection, call, behaviour)
            return
        answer = wire_openai.embeddings(body)
        call.prompt_tokens = answer["usage"]["prompt_tokens"]
        call.close(finished=True)
        connection.respond_json(answer)


def _wire(vendor: str, reply: Reply, body: dict[str, Any]) -> Wire:
    if vendor == "openai":
        return wire_openai.stream(reply, body)
    if vendor == "bedrock":
        return wire_anthropic.stream_bedrock(reply)
    return wire_anthropic.stream_sse(reply)
