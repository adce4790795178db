"""A call that is given up closes the model's stream at once, and still leaves its ledger row."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from opencoach.ai.calls import ModelCall, close_models
from opencoach.ai.deadlines import Deadline
from opencoach.ai.providers.base import TextDelta
from opencoach.ai.providers.registry import preload
from opencoach.common.hops import close_hop_connections, database_hop
from opencoach.common.ids import uuid7
from opencoach.common.rls import workspace_scope
from tests.ai.door import QUICK, choice, context, listen, request
from tests.model_server import ModelServer
from usage.models import LedgerEntry

ENDLESS = "m!tokens@2000!tps@200"


@pytest.fixture(autouse=True)
async def _connections() -> AsyncIterator[None]:
    preload("openai", "anthropic")
    yield
    await close_models()


@pytest.fixture
def stored(db: None) -> Iterator["Stored"]:
    # The rows are written on other threads, so they outlive the test's transaction; in a workspace
    # of their own they are in nobody's way, and flushing every table for them would cost seconds.
    yield Stored()
    close_hop_connections()


class Stored:
    """The ledger of a workspace, as the database has it."""

    def __init__(self) -> None:
        self.workspace_id = uuid7()

    async def entries(self) -> list[LedgerEntry]:
        return await database_hop(self._read)

    def _read(self) -> list[LedgerEntry]:
        with workspace_scope(self.workspace_id):
            return list(LedgerEntry.objects.order_by("attempt"))


async def closed_call(server: ModelServer, trace_id: str) -> dict[str, Any]:
    """The one call of the trace, once the server has seen its connection go."""
    async with asyncio.timeout(3):
        while True:
            (call,) = await asyncio.to_thread(server.calls, trace_id)
            if not call["open"]:
                return call


@pytest.mark.parametrize("vendor", ["openai", "anthropic", "bedrock"])
async def test_cancelling_the_task_closes_the_stream(
    model_server: ModelServer, stored: Stored, vendor: str
) -> None:
    here = context(stored.workspace_id)
    call = ModelCall(request(), [choice(model_server, ENDLESS, vendor)], here, QUICK)
    heard = asyncio.Event()

    async def listening() -> None:
        async with call:
            async for event in call:
                if isinstance(event, TextDelta):
                    heard.set()

    task = asyncio.create_task(listening())
    await heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (await closed_call(model_server, here.trace_id))["finished"]
    (entry,) = await stored.entries()
    assert entry.status == "cancelled"
    assert entry.estimated
    assert entry.completion_tokens > 0
    assert entry.trace_id == here.trace_id


async def test_a_cancel_before_the_first_token_leaves_a_row_too(
    model_server: ModelServer, stored: Stored
) -> None:
    here = context(stored.workspace_id)
    ask = request("x" * 400)
    task = asyncio.create_task(
        listen_only(ModelCall(ask, [choice(model_server, "m!timeout")], here, QUICK))
    )
    async with asyncio.timeout(3):
        while not await asyncio.to_thread(model_server.calls, here.trace_id):
            pass
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (entry,) = await stored.entries()
    assert (entry.status, entry.completion_tokens) == ("cancelled", 0)
    assert entry.prompt_tokens > 100


async def listen_only(call: ModelCall) -> None:
    async with call:
        async for _ in call:
            pass


async def test_leaving_the_block_early_closes_the_stream(
    model_server: ModelServer, stored: Stored
) -> None:
    here = context(stored.workspace_id)
    async with ModelCall(request(), [choice(model_server, ENDLESS)], here, QUICK) as call:
        async for event in call:
            if isinstance(event, TextDelta):
                break
    assert not (await closed_call(model_server, here.trace_id))["finished"]
    assert [e.status for e in await stored.entries()] == ["cancelled"]


async def test_an_error_of_the_listener_closes_the_stream(
    model_server: ModelServer, stored: Stored
) -> None:
    here = context(stored.workspace_id)

    async def stumbles() -> None:
        async with ModelCall(request(), [choice(model_server, ENDLESS)], here, QUICK) as call:
            async for _ in call:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await stumbles()
    await closed_call(model_server, here.trace_id)
    assert [e.status for e in await stored.entries()] == ["cancelled"]


async def test_what_nobody_took_is_written_on_the_way_out(
    model_server: ModelServer, stored: Stored
) -> None:
    chain = [choice(model_server, "m!cut@3!tps@500"), choice(model_server, "m2!ok")]
    await listen_only(ModelCall(request(), chain, context(stored.workspace_id), QUICK))
    first, second = await stored.entries()
    assert (first.status, second.status) == ("failed", "ok")
    assert second.replaces_id == first.id


async def test_what_the_caller_took_is_the_callers_to_write(
    model_server: ModelServer, stored: Stored
) -> None:
    here = context(stored.workspace_id)
    heard = await listen(ModelCall(request(), [choice(model_server, "m!ok")], here, QUICK))
    assert [e.status for e in heard.entries] == ["ok"]
    assert await stored.entries() == []


async def test_a_second_cancel_does_not_lose_the_row(
    model_server: ModelServer, stored: Stored
) -> None:
    here = context(stored.workspace_id)
    heard = asyncio.Event()
    leaving = asyncio.Event()

    async def listening() -> None:
        async with ModelCall(request(), [choice(model_server, ENDLESS)], here, QUICK) as call:
            try:
                async for event in call:
                    if isinstance(event, TextDelta):
                        heard.set()
            finally:
                leaving.set()

    task = asyncio.create_task(listening())
    await heard.wait()
    task.cancel()
    await leaving.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(3):
        while not (entries := await stored.entries()):
            pass
    assert [e.status for e in entries] == ["cancelled"]


async def test_a_deadline_interrupts_a_wait_and_leaves_the_task_whole() -> None:
    deadline = Deadline()
    task = asyncio.current_task()
    assert task
    for _ in range(2):
        due = asyncio.get_running_loop().time() + 0.01
        with pytest.raises(TimeoutError), deadline.at(due):
            await asyncio.sleep(5)
        assert task.cancelling() == 0


async def test_a_cancel_from_outside_is_not_taken_for_the_deadline() -> None:
    async def waits() -> None:
        with Deadline().at(asyncio.get_running_loop().time() + 5):
            await asyncio.sleep(10)

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancel_in_the_same_moment_as_the_deadline_wins() -> None:
    async def waits() -> None:
        with Deadline().at(asyncio.get_running_loop().time()):
            await asyncio.sleep(10)

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
