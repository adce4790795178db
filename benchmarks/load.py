"""The clients: many conversations over WebSockets, in a process of their own.

`python -m benchmarks.load` reads commands from stdin and answers on stdout, one JSON object a
line. Sockets stay open from one command to the next. What this process costs is not counted.
"""

import asyncio
import gc
import json
import random
import resource
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp

from tests.model_server.replies import reply_text

OPENING_AT_ONCE = 16
TURN_LIMIT_S = 120

QUESTIONS = (
    "I said yes to three new projects this week and I am exhausted. How do I set a boundary?",
    "Two of my people do not deliver and I redo their work at night. How do I delegate better?",
    "I have to tell a colleague that his behaviour in meetings hurts the team. How do I begin?",
    "We have two good candidates and I cannot decide. What would help me to choose?",
    "My first ninety days in the new role start on Monday. What should I do in week one?",
    "A client asks for a monthly retainer and I do not know what to charge. Where do I start?",
    "I feel worn out, and weekends do not help any more. What is the smallest step I can take?",
    "My boss keeps handing me urgent things. How do I say no without damaging the relation?",
)


@dataclass(slots=True)
class Measured:
    turns: int = 0
    seconds: float = 0.0
    ttft_ms: list[float] = field(default_factory=list)
    """From the frame sent to the first delta received."""
    whole_ms: list[float] = field(default_factory=list)
    ended_at: list[float] = field(default_factory=list)
    """Seconds after the start, of each turn."""
    deltas: int = 0
    errors: list[str] = field(default_factory=list)


class TurnFailed(Exception):
    pass


class Conversation:
    """One open socket; asks, and reads until the reply is complete."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, tokens: int) -> None:
        self._socket = socket
        self._tokens = tokens
        self.said = 0
        self._frames: asyncio.Queue[aiohttp.WSMessage] = asyncio.Queue()
        # Reads on while nobody talks: a server's ping is answered only by who reads.
        self._reader = asyncio.create_task(self._read_on())

    async def _read_on(self) -> None:
        while True:
            message = await self._socket.receive()
            self._frames.put_nowait(message)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return

    async def turn(self, measured: Measured, began: float) -> None:
        text = f"{random.choice(QUESTIONS)} ({uuid4().hex[:8]})"
        self.said += 1
        frame = {"type": "message.send", "content": text, "client_message_id": str(uuid4())}
        sent = time.perf_counter()
        try:
            await self._socket.send_str(json.dumps(frame))
            async with asyncio.timeout(TURN_LIMIT_S):
                first, deltas, whole = await self._read()
        except (TurnFailed, TimeoutError, OSError, aiohttp.ClientError, RuntimeError) as error:
            measured.errors.append(repr(error))
            await asyncio.sleep(1)  # a socket that is gone must not make a loop of errors
            return
        ended = time.perf_counter()
        if "".join(deltas) != whole:
            measured.errors.append(f"deltas {''.join(deltas)!r} are not the message {whole!r}")
        elif whole != reply_text(text, self._tokens):
            measured.errors.append(f"not the answer to {text!r}: {whole!r}")
        measured.turns += 1
        measured.deltas += len(deltas)
        measured.ttft_ms.append((first - sent) * 1000)
        measured.whole_ms.append((ended - sent) * 1000)
        measured.ended_at.append(ended - began)

    async def _read(self) -> tuple[float, list[str], str]:
        """When the first delta came, all deltas after the last reset, the stored message."""
        first, deltas = 0.0, []
        while True:
            message = await self._frames.get()
            if message.type is not aiohttp.WSMsgType.TEXT:
                self._frames.put_nowait(message)  # it stays ended for the next turn
                raise TurnFailed(f"the socket ended: {message.type!r} {message.data!r}")
            frame = json.loads(message.data)
            match frame["type"]:
                case "message.delta":
                    first = first or time.perf_counter()
                    deltas.append(frame["text"])
                case "message.reset":
                    deltas = []
                case "message.completed":
                    return first, deltas, frame["message"]["content"]
                case "error" | "turn.failed":
                    raise TurnFailed(str(frame))


class Clients:
    def __init__(self) -> None:
        self._session: aiohttp.ClientSession
        self._conversations: list[Conversation] = []
        self._began = 0.0

    async def open(self, sockets: list[dict[str, Any]], tokens: int) -> dict[str, Any]:
        """Opens what is not open yet; `sockets` have a `url` and `protocols`."""
        free = asyncio.Semaphore(OPENING_AT_ONCE)

        async def one(address: dict[str, Any]) -> Conversation:
            async with free:
                socket = await self._session.ws_connect(
                    address["url"], protocols=address.get("protocols", ()), max_msg_size=0
                )
                return Conversation(socket, tokens)

        missing = sockets[len(self._conversations) :]
        self._conversations += await asyncio.gather(*map(one, missing))
        gc.freeze()
        return {"open": len(self._conversations)}

    async def rounds(self, talking: int, turns: int, apart_s: float, skip: int = 0) -> Measured:
        """Each conversation has so many turns, one after the other, as fast as it can."""
        measured = Measured()
        began = time.perf_counter()

        async def talk(n: int, conversation: Conversation) -> None:
            await asyncio.sleep(apart_s * n / talking)
            for _ in range(turns):
                await conversation.turn(measured, began)

        chosen = self._conversations[skip : skip + talking]
        await asyncio.gather(*(talk(n, one) for n, one in enumerate(chosen)))
        measured.seconds = time.perf_counter() - began
        return measured

    async def for_a_while(self, talking: int, seconds: float, apart_s: float) -> Measured:
        """As `rounds`, until the time is over; turns under way are finished."""
        measured = Measured()
        began = time.perf_counter()

        async def talk(n: int, conversation: Conversation) -> None:
            await asyncio.sleep(apart_s * n / talking)
            while time.perf_counter() - began < seconds:
                await conversation.turn(measured, began)

        chosen = self._conversations[:talking]
        await asyncio.gather(*(talk(n, one) for n, one in enumerate(chosen)))
        measured.seconds = time.perf_counter() - began
        return measured

    async def at_rate(self, rate: float, seconds: float) -> Measured:
        """Turns begin at random instants, `rate` a second, whether others have ended or not."""
        measured = Measured()
        idle = deque(self._conversations)
        random.shuffle(idle)
        chance = random.Random(1)
        began = due = time.perf_counter()

        async def talk() -> None:
            if not idle:
                measured.errors.append("all conversations were busy")
                return
            conversation = idle.popleft()
            await conversation.turn(measured, began)
            idle.append(conversation)

        async with asyncio.TaskGroup() as turns:
            while (due := due + chance.expovariate(rate)) < began + seconds:
                await asyncio.sleep(due - time.perf_counter())
                turns.create_task(talk())
        measured.seconds = time.perf_counter() - began
        return measured

    async def serve(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as self._session:
            loop = asyncio.get_running_loop()
            while line := await loop.run_in_executor(None, sys.stdin.readline):
                command = json.loads(line)
                answer = await getattr(self, command.pop("do"))(**command)
                plain = asdict(answer) if isinstance(answer, Measured) else answer
                print(json.dumps(plain), flush=True)


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    asyncio.run(Clients().serve())
