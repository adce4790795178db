"""Back-off and Retry-After, and the breaker that all processes share through Redis."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from redis.asyncio import Redis

from opencoach.ai.breaker import Breaker, BreakerRules, Verdict, redis_client
from opencoach.ai.calls import AllModelsFailed, Failure, Limits, ModelCall, close_models
from opencoach.ai.chain import backoff_s
from opencoach.ai.providers.registry import preload
from opencoach.ai.terms import ModelChoice
from tests.ai.door import QUICK, choice, context, listen, request
from tests.model_server import ModelServer

RULES = BreakerRules(faults=2, open_s=60, cache_s=0)
ONCE = replace(QUICK, retries=0)


@pytest.fixture(autouse=True)
async def _connections() -> AsyncIterator[None]:
    preload("openai", "anthropic")
    yield
    await close_models()


@pytest.fixture
async def breaker() -> AsyncIterator[Breaker]:
    breaker = Breaker(redis_client(), RULES)
    yield breaker
    await breaker.aclose()


async def call_times(server: ModelServer, trace_id: str) -> list[float]:
    return [c["started_at"] for c in await asyncio.to_thread(server.calls, trace_id)]


# Back-off and Retry-After


def test_the_backoff_doubles_to_its_limit_and_is_half_random() -> None:
    limits = Limits(backoff_s=1, backoff_max_s=4)
    for fault, longest in ((1, 1), (2, 2), (3, 4), (9, 4)):
        waits = {backoff_s(fault, limits) for _ in range(50)}
        assert longest / 2 <= min(waits) < max(waits) <= longest


async def test_a_short_retry_after_is_waited_for(model_server: ModelServer) -> None:
    ask, here = request(), context()
    model_server.script("429@1", "ok", marker=ask.messages[0].content)
    chain = [choice(model_server, "m"), choice(model_server, "m2!ok")]
    heard = await listen(ModelCall(ask, chain, here, replace(QUICK, patience_s=3)))
    assert [e.model for e in heard.entries] == ["m", "m"]
    first, second = await call_times(model_server, here.trace_id)
    assert 0.95 < second - first < 2


async def test_a_long_retry_after_goes_to_the_next_model_at_once(model_server: ModelServer) -> None:
    chain = [choice(model_server, "m!429@30"), choice(model_server, "m2!ok")]
    heard = await listen(ModelCall(request(), chain, context(), QUICK))
    assert [e.model for e in heard.entries] == ["m!429@30", "m2!ok"]


async def test_a_retry_after_beyond_the_whole_limit_is_a_calm_failure_now(
    model_server: ModelServer,
) -> None:
    here = context()
    with pytest.raises(AllModelsFailed, match="rate_limited"):
        await listen(ModelCall(request(), [choice(model_server, "m!429@30")], here, QUICK))
    assert len(model_server.calls(here.trace_id)) == 1


async def test_a_rate_limited_model_is_left_alone_by_the_next_call_too(
    model_server: ModelServer, breaker: Breaker
) -> None:
    limited = choice(model_server, "m!429@30")
    chain = [limited, choice(model_server, "m2!ok")]
    await listen(ModelCall(request(), chain, context(), QUICK, breaker=breaker))
    call = ModelCall(request(), chain, context(), QUICK, breaker=breaker)
    heard = await listen(call)
    assert [e.model for e in heard.entries] == ["m2!ok"]
    assert [f.kind for f in call.failures] == [Failure.SKIPPED]
    other_model = replace(limited, model="m!ok")
    heard = await listen(ModelCall(request(), [other_model], context(), QUICK, breaker=breaker))
    assert [e.status for e in heard.entries] == ["ok"]


# The breaker


async def opened(server: ModelServer, breaker: Breaker) -> ModelChoice:
    """A choice whose breaker two faults in a row have opened; its model would answer again."""
    sick = choice(server, "m!500")
    for _ in range(RULES.faults):
        with pytest.raises(AllModelsFailed):
            await listen(ModelCall(request(), [sick], context(), ONCE, breaker=breaker))
    assert (await breaker.ask(sick)).open
    return replace(sick, model="m!ok")


async def let_it_half_open(redis: "Redis[Any]") -> None:
    """What time does: the key that keeps it open expires."""
    async for key in redis.scan_iter("opencoach:breaker:*:open"):
        await redis.delete(key)


async def test_an_open_breaker_sends_calls_to_the_next_model(
    model_server: ModelServer, breaker: Breaker
) -> None:
    sick = await opened(model_server, breaker)
    call = ModelCall(
        request(), [sick, choice(model_server, "m2!ok")], context(), ONCE, breaker=breaker
    )
    heard = await listen(call)
    assert [(e.model, e.attempt) for e in heard.entries] == [("m2!ok", 1)]
    assert [(f.choice, f.kind) for f in call.failures] == [(sick, Failure.SKIPPED)]


async def test_it_is_one_breaker_for_all_processes_but_one_for_each_key(
    model_server: ModelServer, breaker: Breaker
) -> None:
    sick = await opened(model_server, breaker)
    elsewhere = Breaker(redis_client(), RULES)
    assert (await elsewhere.ask(sick)).open
    assert not (await elsewhere.ask(choice(model_server, "m"))).open
    await elsewhere.aclose()


async def test_behind_an_open_breaker_the_last_resort_is_tried_and_closes_it(
    model_server: ModelServer, breaker: Breaker
) -> None:
    sick = await opened(model_server, breaker)
    chain = [sick, choice(model_server, "m2!500")]
    heard = await listen(ModelCall(request(), chain, context(), QUICK, breaker=breaker))
    assert [e.model for e in heard.entries] == ["m2!500", "m2!500", "m!ok"]
    assert not (await breaker.ask(sick)).open


async def test_a_half_open_breaker_lets_one_probe_through_and_its_success_closes_it(
    model_server: ModelServer, breaker: Breaker
) -> None:
    sick = await opened(model_server, breaker)
    await let_it_half_open(breaker._redis)
    verdicts = await asyncio.gather(*(breaker.ask(sick) for _ in range(5)))
    assert sorted((v.open, v.probe) for v in verdicts) == [(False, True)] + [(True, False)] * 4
    await breaker.succeeded(sick, Verdict(probe=True))
    assert await breaker.ask(sick) == Verdict()


async def test_a_probe_that_fails_opens_it_again(
    model_server: ModelServer, breaker: Breaker
) -> None:
    sick = replace(await opened(model_server, breaker), model="m!500")
    await let_it_half_open(breaker._redis)
    chain = [sick, choice(model_server, "m2!ok")]
    heard = await listen(ModelCall(request(), chain, context(), ONCE, breaker=breaker))
    assert [e.model for e in heard.entries] == ["m!500", "m2!ok"]
    assert (await breaker.ask(sick)).open


async def test_a_probe_that_is_given_up_lets_another_go(
    model_server: ModelServer, breaker: Breaker
) -> None:
    sick = replace(await opened(model_server, breaker), model="m!tokens@2000!tps@200")
    await let_it_half_open(breaker._redis)
    async with ModelCall(request(), [sick], context(), ONCE, breaker=breaker) as call:
        await anext(call)
        assert (await breaker.ask(sick)).open
        await call.__aexit__(None, None, None)
        call.take_entries()
    assert (await breaker.ask(sick)).probe


async def test_a_success_between_faults_keeps_it_closed(
    model_server: ModelServer, breaker: Breaker
) -> None:
    model = choice(model_server, "m!500")
    for name in ("m!500", "m!ok") * 3:
        chain = [replace(model, model=name), choice(model_server, "m2!ok")]
        heard = await listen(ModelCall(request(), chain, context(), ONCE, breaker=breaker))
        assert heard.entries[0].model == name


async def test_a_bad_request_says_nothing_about_the_provider(
    model_server: ModelServer, breaker: Breaker
) -> None:
    model = choice(model_server, "m!400")
    for _ in range(RULES.faults + 1):
        with pytest.raises(AllModelsFailed):
            await listen(ModelCall(request(), [model], context(), ONCE, breaker=breaker))
    assert await breaker.ask(model) == Verdict()


async def test_with_redis_away_calls_go_on(model_server: ModelServer) -> None:
    blind = Breaker(Redis.from_url("redis://127.0.0.1:9/0"))
    chain = [choice(model_server, "m!500"), choice(model_server, "m2!ok")]
    heard = await listen(ModelCall(request(), chain, context(), QUICK, breaker=blind))
    assert heard.entries[-1].status == "ok"
    await blind.aclose()


class CountingRedis(Redis):
    """A client that knows how often it was asked; the server counts everybody's questions."""

    reads = 0

    async def mget(self, *args: Any, **kwargs: Any) -> Any:
        self.reads += 1
        return await super().mget(*args, **kwargs)


async def test_a_healthy_call_reads_redis_once_in_a_while(
    model_server: ModelServer,
) -> None:
    redis = CountingRedis.from_url(settings.REDIS_URL)
    breaker = Breaker(redis, BreakerRules(cache_s=30))
    model = choice(model_server, "m!ok")
    for _ in range(3):
        await listen(ModelCall(request(), [model], context(), QUICK, breaker=breaker))
    assert redis.reads == 1
    await breaker.aclose()
