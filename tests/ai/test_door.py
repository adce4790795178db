"""One whole answer and one ledger row an attempt, whatever a provider does."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from opencoach.ai.calls import (
    AllModelsFailed,
    Limits,
    ModelCall,
    ModelChoice,
    NoModel,
    close_models,
)
from opencoach.ai.providers.base import Credentials, Stop, ToolCall
from opencoach.ai.providers.registry import preload
from tests.ai.door import (
    BOOK,
    HASTY,
    QUICK,
    assert_ledger_is,
    choice,
    context,
    listen,
    request,
)
from tests.model_server import ModelServer

VENDORS = ("openai", "anthropic", "bedrock")
BEFORE_THE_FIRST_TOKEN = ("429", "500", "503", "529", "timeout", "cut_before_first_token")
AFTER_IT = ("cut@5", "stall@5", "bad_chunk@5", "error_event@5", "end_without_marker@5")


@pytest.fixture(autouse=True)
async def _connections() -> AsyncIterator[None]:
    preload("openai", "anthropic")  # the limits here are shorter than an SDK's import
    yield
    await close_models()


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("fault", BEFORE_THE_FIRST_TOKEN)
async def test_a_fault_before_the_first_token_falls_back_silently(
    model_server: ModelServer, vendor: str, fault: str
) -> None:
    ask, here = request(), context()
    chain = [choice(model_server, f"m!{fault}", vendor), choice(model_server, "m2!ok")]
    call = ModelCall(ask, chain, here, HASTY if fault == "timeout" else QUICK)
    heard = await listen(call)
    assert heard.text == model_server.reply_to(ask.messages[0].content)
    assert heard.resets == []
    assert call.answered_by == chain[1]
    assert heard.entries[-1].status == "ok"
    assert {e.status for e in heard.entries[:-1]} == {"failed"}
    assert_ledger_is(model_server, here.trace_id, heard.entries)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("fault", AFTER_IT)
async def test_a_fault_after_it_resets_and_starts_again_on_the_next_model(
    model_server: ModelServer, vendor: str, fault: str
) -> None:
    ask, here = request(), context()
    chain = [choice(model_server, f"m!{fault}!tps@500", vendor), choice(model_server, "m2!ok")]
    limits = HASTY if fault == "stall@5" else QUICK
    heard = await listen(ModelCall(ask, chain, here, limits))
    assert heard.text == model_server.reply_to(ask.messages[0].content)
    assert len(heard.resets) == 1
    broken, whole = heard.entries
    assert (broken.status, whole.status) == ("failed", "ok")
    assert broken.estimated
    assert broken.prompt_tokens > 0
    assert broken.completion_tokens > 0
    assert broken.error.startswith(heard.resets[0])
    assert_ledger_is(model_server, here.trace_id, heard.entries)


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_reply_without_a_word_is_no_answer(model_server: ModelServer, vendor: str) -> None:
    ask, here = request(), context()
    chain = [choice(model_server, "m!tokens@0", vendor), choice(model_server, "m2!ok")]
    heard = await listen(ModelCall(ask, chain, here, QUICK))
    assert heard.text == model_server.reply_to(ask.messages[0].content)
    assert [entry.status for entry in heard.entries] == ["failed", "ok"]
    assert heard.entries[0].error.startswith("empty")


async def test_the_only_model_is_asked_again(model_server: ModelServer) -> None:
    ask, here = request(), context()
    model_server.script("error_event@3!tps@500", "ok", marker=ask.messages[0].content)
    heard = await listen(ModelCall(ask, [choice(model_server, "m")], here, QUICK))
    assert heard.text == model_server.reply_to(ask.messages[0].content)
    assert heard.resets == ["error_event"]
    assert_ledger_is(model_server, here.trace_id, heard.entries)


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_whole_answer_costs_what_the_provider_named(
    model_server: ModelServer, vendor: str
) -> None:
    here = context()
    chain = [choice(model_server, "m!tokens@9!cached@2", vendor)]
    heard = await listen(ModelCall(request(), chain, here, QUICK))
    (entry,) = heard.entries
    assert (entry.completion_tokens, entry.cached_tokens, entry.estimated) == (9, 2, False)
    assert entry.ttft_ms is not None
    assert entry.ttft_ms <= entry.latency_ms
    assert_ledger_is(model_server, here.trace_id, heard.entries)


async def test_usage_that_no_provider_named_is_estimated(model_server: ModelServer) -> None:
    heard = await listen(
        ModelCall(request(), [choice(model_server, "m!no_usage")], context(), QUICK)
    )
    (entry,) = heard.entries
    assert entry.estimated
    assert entry.completion_tokens == -(-len(heard.text) // 4)
    assert entry.prompt_tokens > 0


async def test_a_refused_request_used_no_tokens(model_server: ModelServer) -> None:
    chain = [choice(model_server, "m!500"), choice(model_server, "m2!ok")]
    heard = await listen(ModelCall(request(), chain, context(), QUICK))
    assert [e.prompt_tokens for e in heard.entries[:-1]] == [0, 0]


async def test_malformed_tool_arguments_never_reach_the_caller(model_server: ModelServer) -> None:
    ask, here = request(tools=(BOOK,)), context()
    chain = [choice(model_server, "m!bad_tool_arguments"), choice(model_server, "m2!tool_call")]
    heard = await listen(ModelCall(ask, chain, here, QUICK))
    (tool_call,) = [e for e in heard.events if isinstance(e, ToolCall)]
    assert tool_call.arguments == {"day": "morning"}
    assert heard.resets == []
    assert_ledger_is(model_server, here.trace_id, heard.entries)


async def test_a_request_that_fails_for_good_is_not_repeated(model_server: ModelServer) -> None:
    chain = [choice(model_server, "m!400"), choice(model_server, "m2!ok")]
    heard = await listen(ModelCall(request(), chain, context(), QUICK))
    assert [(e.model, e.status) for e in heard.entries] == [("m!400", "failed"), ("m2!ok", "ok")]


async def test_no_connection_is_a_fault_like_any_other(model_server: ModelServer) -> None:
    nobody = ModelChoice("openai", "m", Credentials("k", "http://127.0.0.1:9/v1"))
    heard = await listen(
        ModelCall(request(), [nobody, choice(model_server, "m2!ok")], context(), QUICK)
    )
    assert heard.entries[0].error.startswith("connect")
    assert heard.entries[-1].status == "ok"


async def test_an_error_that_nobody_foresaw_falls_back_too(model_server: ModelServer) -> None:
    unknown = ModelChoice("no such provider", "m", Credentials())
    call = ModelCall(request(), [unknown, choice(model_server, "m2!ok")], context(), QUICK)
    heard = await listen(call)
    assert [e.status for e in heard.entries] == ["failed", "ok"]
    assert [f.kind for f in call.failures] == ["unexpected"]


async def test_when_every_model_fails_the_caller_learns_why(model_server: ModelServer) -> None:
    here = context()
    chain = [choice(model_server, "m!500"), choice(model_server, "m2!cut@2!tps@500", "anthropic")]
    call = ModelCall(request(), chain, here, QUICK)
    with pytest.raises(AllModelsFailed) as failed:
        await listen(call)
    kinds = [failure.kind for failure in failed.value.failures]
    assert kinds == ["server_error", "server_error", "cut", "cut"]
    assert call.answered_by is None


async def test_the_whole_limit_bounds_all_attempts_together(model_server: ModelServer) -> None:
    limits = Limits(first_token_s=5, gap_s=5, whole_s=0.4, backoff_s=0.01)
    chain = [choice(model_server, "m!timeout"), choice(model_server, "m2!timeout")]
    loop = asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises(AllModelsFailed, match="whole reply"):
        await listen(ModelCall(request(), chain, context(), limits))
    assert 0.3 < loop.time() - started < 3


async def test_a_reply_that_never_ends_is_cut_at_the_whole_limit(model_server: ModelServer) -> None:
    limits = Limits(first_token_s=1, gap_s=1, whole_s=0.5)
    chain = [choice(model_server, "m!tokens@1000!tps@50")]
    with pytest.raises(AllModelsFailed, match="whole reply"):
        await listen(ModelCall(request(), chain, context(), limits))


async def test_a_slow_listener_is_not_taken_for_a_slow_model(model_server: ModelServer) -> None:
    limits = Limits(first_token_s=5, gap_s=1, whole_s=20)
    call = ModelCall(request(), [choice(model_server, "m!tokens@5!tps@50")], context(), limits)
    async with call:
        await anext(call)
        await asyncio.sleep(1.2)
        async for _ in call:
            pass
        assert [e.status for e in call.take_entries()] == ["ok"]


async def test_an_empty_chain_says_so(model_server: ModelServer) -> None:
    with pytest.raises(NoModel):
        await listen(ModelCall(request(), [], context(), QUICK))


async def test_the_offline_clone_needs_no_network() -> None:
    offline = ModelChoice("offline", "offline", Credentials())
    heard = await listen(ModelCall(request("I feel stuck"), [offline], context(), QUICK))
    assert isinstance(heard.events[-1], Stop)
    assert heard.text
    assert heard.entries[0].estimated


async def test_under_random_faults_every_caller_gets_one_whole_answer(
    model_server: ModelServer,
) -> None:
    model_server.reset()
    model_server.random_faults(0.35, seed=7)
    limits = Limits(first_token_s=2, gap_s=2, whole_s=20, retries=3, backoff_s=0.01)
    keys = [choice(model_server, vendor, vendor) for vendor in VENDORS]

    async def one(number: int) -> None:
        ask, here = request(f"question {number}"), context()
        chain = [keys[number % 3], keys[(number + 1) % 3], keys[(number + 2) % 3]]
        heard = await listen(ModelCall(ask, chain, here, limits))
        assert heard.text == model_server.reply_to(ask.messages[0].content)
        assert_ledger_is(model_server, here.trace_id, heard.entries)

    try:
        await asyncio.gather(*(one(number) for number in range(40)))
    finally:
        model_server.reset()
