"""The floor: the least that a streamed, stored chat turn costs on Channels and Daphne.

One consumer, raw async psycopg, one table. A turn stores the client's message, calls the model
with what was said on this socket, sends every token on as it comes, and stores the reply. No
log-in, no tenancy, no retrieval, no ledger, no events, nothing kept for a restart.

The stream is read from aiohttp, whose parser is C (httpx costs about twice as much a chunk). A
frame goes out for each token: putting several into one is an optimisation, and this has none.
"""

import asyncio
import json
import os
from typing import Any

import aiohttp
import django
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from psycopg_pool import AsyncConnectionPool

settings.configure(ALLOWED_HOSTS=["*"], DATABASES={})
django.setup()

TABLE = """
CREATE TABLE IF NOT EXISTS message (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conversation text NOT NULL,
    source text NOT NULL,
    content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS message_of_conversation ON message (conversation, id);
"""
STORE = "INSERT INTO message (conversation, source, content) VALUES (%s, %s, %s) RETURNING id"
SYSTEM = {"role": "system", "content": "You are a coach's clone. Answer in a few sentences."}
HISTORY_MESSAGES = 20


class Shared:
    """What all sockets of the process use; made at the first one."""

    _ready: "asyncio.Task[Shared] | None" = None
    pool: AsyncConnectionPool
    http: aiohttp.ClientSession

    @classmethod
    async def get(cls) -> "Shared":
        if cls._ready is None:
            cls._ready = asyncio.create_task(cls._make())
        return await cls._ready

    @classmethod
    async def _make(cls) -> "Shared":
        shared = cls()
        shared.pool = AsyncConnectionPool(
            os.environ["FLOOR_DATABASE_URL"],
            min_size=4,
            max_size=24,
            open=False,
            kwargs={"autocommit": True},
        )
        await shared.pool.open()
        async with shared.pool.connection() as connection:
            await connection.execute(TABLE.encode())
        shared.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return shared


class Chat(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        self.shared = await Shared.get()
        self.conversation = self.scope["path"].strip("/")
        self.history: list[dict[str, str]] = []
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.task = asyncio.create_task(self.turn(json.loads(text_data or "")["content"]))

    async def turn(self, said: str) -> None:
        await self.store("client", said)
        self.history.append({"role": "user", "content": said})
        parts: list[str] = []
        async for text in self.tokens():
            parts.append(text)
            await self.send(json.dumps({"type": "message.delta", "text": text}))
        reply = "".join(parts)
        message_id = await self.store("ai", reply)
        self.history.append({"role": "assistant", "content": reply})
        message = {"id": message_id, "content": reply}
        await self.send(json.dumps({"type": "message.completed", "message": message}))

    async def store(self, source: str, content: str) -> int:
        async with self.shared.pool.connection() as connection:
            cursor = await connection.execute(STORE, (self.conversation, source, content))
            row = await cursor.fetchone()
        assert row
        return int(row[0])

    async def tokens(self) -> Any:
        body = {
            "model": "gpt-4.1-mini",
            "messages": [SYSTEM, *self.history[-HISTORY_MESSAGES:]],
            "stream": True,
        }
        url = f"{os.environ['FLOOR_MODEL_URL']}/chat/completions"
        rest = b""
        async with self.shared.http.post(url, json=body) as response:
            async for data in response.content.iter_any():
                *events, rest = (rest + data).split(b"\n\n")
                for event in events:
                    if event != b"data: [DONE]":
                        delta = json.loads(event[6:])["choices"][0]["delta"]
                        if text := delta.get("content"):
                            yield text


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await Chat.as_asgi()(scope, receive, send)
    else:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})
