"""Every vendor's provider against a server that speaks its wire format, faults included."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from email.utils import formatdate
from time import time
from typing import Any
from uuid import uuid4

import pytest

from opencoach.ai.providers import registry
from opencoach.ai.providers.base import (
    ChatMessage,
    ChatProvider,
    ChatRequest,
    Credentials,
    FaultKind,
    ProviderFault,
    Stop,
    StreamEvent,
    TextDelta,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from opencoach.ai.providers.faults import retry_after_s
from opencoach.ai.providers.openai import ChatCompletionDecoder
from opencoach.ai.providers.sse import SSEDecoder
from tests.model_server import ModelServer

VENDORS = ("openai", "anthropic", "bedrock")
PROMPT = "I want to speak up – in meetings 🌱"
BOOK = Tool(
    name="book_session",
    description="Books a session with the coach.",
    parameters={
        "type": "object",
        "properties": {"part_of_day": {"type": "string"}, "length_minutes": {"type": "integer"}},
        "required": ["part_of_day"],
    },
)


@pytest.fixture(autouse=True)
async def closed_connections() -> AsyncIterator[None]:
    yield
    await registry.close_providers()


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def provider_for(vendor: str, server: ModelServer, api_key: str = "test-key") -> ChatProvider:
    base_url = server.base_url(vendor)
    return registry.provider(vendor, Credentials(api_key, base_url, region="eu-central-1"))


@pytest.fixture
async def provider(vendor: str, model_server: ModelServer) -> ChatProvider:
    return provider_for(vendor, model_server)


def ask(behaviour: str = "", **changes: Any) -> ChatRequest:
    defaults: dict[str, Any] = {
        "model": f"test-model!{behaviour}",
        "system": "You are a coach.",
        "messages": [ChatMessage("user", PROMPT)],
    }
    return ChatRequest(**{**defaults, **changes})


async def events_of(provider: ChatProvider, request: ChatRequest) -> list[StreamEvent]:
    return [event async for event in provider.stream(request)]


async def fault_of(
    provider: ChatProvider, request: ChatRequest
) -> tuple[list[StreamEvent], ProviderFault]:
    events = []
    try:
        async for event in provider.stream(request):
            events.append(event)
    except ProviderFault as fault:
        return events, fault
    raise AssertionError("the stream ended without a fault")


def text_of(events: list[StreamEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


# Whole replies


async def test_a_whole_reply_is_its_deltas_then_usage_then_stop(
    provider: ChatProvider, model_server: ModelServer
) -> None:
    events = await events_of(provider, ask("tokens@30!tps@2000"))

    assert text_of(events) == model_server.reply_to(PROMPT, 30)
    assert all(isinstance(event, TextDelta) for event in events[:-2])
    assert events[-2:] == [Usage(prompt_tokens=13, completion_tokens=30), Stop("end")]


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_events_cut_anywhere_by_the_network_give_the_same_reply(
    provider: ChatProvider, model_server: ModelServer, size: int
) -> None:
    events = await events_of(provider, ask(f"fragments@{size}!tokens@5"))

    assert text_of(events) == model_server.reply_to(PROMPT, 5)
    assert events[-1] == Stop("end")


async def test_cached_tokens_are_part_of_the_prompt_tokens(provider: ChatProvider) -> None:
    events = await events_of(provider, ask("cached@4"))

    assert Usage(prompt_tokens=13, completion_tokens=20, cached_tokens=4) in events


async def test_a_reply_that_names_no_usage_yields_none(provider: ChatProvider) -> None:
    events = await events_of(provider, ask("no_usage"))

    assert not any(isinstance(event, Usage) for event in events)
    assert events[-1] == Stop("end")


async def test_a_reply_stopped_by_max_tokens_says_length(provider: ChatProvider) -> None:
    assert (await events_of(provider, ask("length")))[-1] == Stop("length")


async def test_the_trace_id_and_the_key_reach_the_vendor(
    vendor: str, model_server: ModelServer
) -> None:
    trace_id = uuid4().hex
    await events_of(provider_for(vendor, model_server, "workspace-key"), ask(trace_id=trace_id))

    [call] = model_server.calls(trace_id)
    assert (call["trace_id"], call["api_key"], call["finished"]) == (
        trace_id,
        "workspace-key",
        True,
    )


async def test_an_empty_key_never_falls_back_to_the_environment(
    model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "the-installations-key")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the-installations-key")
    trace_id = uuid4().hex
    for vendor in ("openai", "anthropic"):
        await events_of(provider_for(vendor, model_server, ""), ask(trace_id=trace_id))

    assert {call["api_key"] for call in model_server.calls(trace_id)} == {"none"}


# Tools


async def test_a_tool_call_arrives_whole(provider: ChatProvider) -> None:
    events = await events_of(provider, ask("tool_call!tps@2000", tools=[BOOK]))

    [call] = [event for event in events if isinstance(event, ToolCall)]
    assert (call.name, dict(call.arguments)) == (
        "book_session",
        {"part_of_day": "morning", "length_minutes": 3},
    )
    assert events[-1] == Stop("tool_calls")


async def test_a_tool_round_is_rendered_so_that_the_vendor_answers_it(
    provider: ChatProvider, model_server: ModelServer
) -> None:
    call = ToolCall("call_1", "book_session", {"part_of_day": "morning"})
    history = [
        ChatMessage("assistant", "Welcome."),
        ChatMessage("user", PROMPT),
        ChatMessage("assistant", "Let me look.", tool_calls=(call,)),
        ChatMessage("user", "", tool_results=(ToolResult("call_1", "Booked for 9:00."),)),
    ]
    trace_id = uuid4().hex
    request = ask("tool_call", messages=history, tools=[BOOK], trace_id=trace_id)
    events = await events_of(provider, request)

    assert text_of(events)
    [logged] = model_server.calls(trace_id, bodies=True)
    assert_rendered(logged["vendor"], logged["body"])


def assert_rendered(vendor: str, body: dict[str, Any]) -> None:
    sent = body["messages"]
    if vendor == "openai":
        roles = ["system", "assistant", "user", "assistant", "tool"]
        assert [message["role"] for message in sent] == roles
        assert sent[-1] == {
            "role": "tool",
            "tool_call_id": "call_1",
            "content": "Booked for 9:00.",
        }
        function = sent[3]["tool_calls"][0]["function"]
        assert json.loads(function["arguments"]) == {"part_of_day": "morning"}
        return
    roles = ["user", "assistant", "user", "assistant", "user"]
    assert [message["role"] for message in sent] == roles
    assert [block["type"] for block in sent[3]["content"]] == ["text", "tool_use"]
    assert sent[4]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1", "content": "Booked for 9:00."}
    ]
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}


# Faults


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ("429", "rate_limited"),
        ("500", "server_error"),
        ("503", "overloaded"),
        ("529", "overloaded"),
        ("401", "auth"),
        ("403", "auth"),
        ("400", "bad_request"),
        ("404", "bad_request"),
        ("302", "bad_request"),
        ("cut_before_first_token", "cut"),
    ],
)
async def test_a_call_refused_before_its_first_token_names_its_kind(
    provider: ChatProvider, model_server: ModelServer, behaviour: str, kind: FaultKind
) -> None:
    trace_id = uuid4().hex
    events, fault = await fault_of(provider, ask(behaviour, trace_id=trace_id))

    assert (events, fault.kind) == ([], kind)
    assert fault.status == (int(behaviour) if behaviour.isdigit() else None)
    assert len(model_server.calls(trace_id)) == 1, "one stream is one HTTP request"


@pytest.mark.parametrize("pace", ["", "!tps@1000"])
@pytest.mark.parametrize("fault_name", ["cut", "bad_chunk", "error_event", "end_without_marker"])
async def test_text_before_a_fault_in_mid_stream_reaches_the_caller(
    provider: ChatProvider, model_server: ModelServer, fault_name: str, pace: str
) -> None:
    events, fault = await fault_of(provider, ask(f"{fault_name}@5{pace}"))

    assert text_of(events) == model_server.reply_to(PROMPT, 5)
    assert fault.kind == ("cut" if fault_name == "end_without_marker" else fault_name)
    assert fault.transient


async def test_tool_arguments_that_are_no_object_are_a_fault(provider: ChatProvider) -> None:
    _, fault = await fault_of(provider, ask("bad_tool_arguments", tools=[BOOK]))

    assert fault.kind == "bad_tool_arguments"


async def test_a_refusal_says_when_to_come_back(provider: ChatProvider) -> None:
    _, fault = await fault_of(provider, ask("429@7"))

    assert fault.retry_after_s == 7


async def test_a_vendor_that_cannot_be_reached_is_a_connect_fault(vendor: str) -> None:
    provider = registry.provider(vendor, Credentials("key", "http://127.0.0.1:9", "eu-central-1"))
    _, fault = await fault_of(provider, ask())

    assert fault.kind == "connect"


# Giving up


@pytest.mark.parametrize("behaviour", ["timeout", "slow_first_token", "stall@3!tps@1000"])
async def test_a_silent_vendor_is_waited_for_until_the_caller_cancels(
    provider: ChatProvider, model_server: ModelServer, behaviour: str
) -> None:
    trace_id = uuid4().hex
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await events_of(provider, ask(behaviour, trace_id=trace_id))

    call = await closed_call(model_server, trace_id)
    assert not call["finished"]


async def test_closing_the_iterator_closes_the_response(
    provider: ChatProvider, model_server: ModelServer
) -> None:
    trace_id = uuid4().hex
    async with aclosing(provider.stream(ask("tokens@100!tps@200", trace_id=trace_id))) as events:  # type: ignore[type-var]
        for _ in range(3):
            await anext(events)

    call = await closed_call(model_server, trace_id)
    assert not call["finished"]
    assert call["completion_tokens_sent"] < 20


async def closed_call(server: ModelServer, trace_id: str) -> dict[str, Any]:
    for _ in range(100):
        [call] = await asyncio.to_thread(server.calls, trace_id)
        if not call["open"]:
            return call
        await asyncio.sleep(0.01)
    raise AssertionError("the response was not closed")


async def test_whole_replies_in_turn_share_one_connection(
    provider: ChatProvider, model_server: ModelServer
) -> None:
    before = model_server.stats()["connections"]
    for _ in range(5):
        await events_of(provider, ask("tokens@3"))

    assert model_server.stats()["connections"] == before + 1


async def test_a_hundred_streams_at_once_are_all_whole(
    provider: ChatProvider, model_server: ModelServer
) -> None:
    requests = [
        ask("tokens@10!tps@100", messages=[ChatMessage("user", f"client {n}")]) for n in range(100)
    ]
    replies = await asyncio.gather(*(events_of(provider, request) for request in requests))

    expected = [model_server.reply_to(f"client {n}", 10) for n in range(100)]
    assert [text_of(events) for events in replies] == expected


# What only OpenAI-compatible servers do


def decode(*reads: bytes) -> list[StreamEvent]:
    decoder = ChatCompletionDecoder()
    events = [event for data in reads for event in decoder.feed(data)]
    return [*events, *decoder.end()]


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def test_a_server_that_closes_after_its_finish_reason_is_whole() -> None:
    events = decode(chunk({"content": "Well"}), chunk({}, "stop"))

    assert events == [TextDelta("Well"), Stop("end")]


def test_tool_calls_are_merged_by_index() -> None:
    def part(index: int, **function: str) -> dict[str, Any]:
        return {"index": index, "id": f"c{index}", "function": function}

    events = decode(
        chunk({"tool_calls": [part(0, name="first", arguments='{"a"'), part(1, name="second")]}),
        chunk({"tool_calls": [part(1, arguments='{"b": 2}'), part(0, arguments=": 1}")]}),
        chunk({}, "tool_calls") + DONE,
    )
    assert events[:2] == [ToolCall("c0", "first", {"a": 1}), ToolCall("c1", "second", {"b": 2})]


def test_tool_calls_without_an_index_stay_apart() -> None:
    calls = [{"id": f"c{n}", "function": {"name": f"t{n}", "arguments": "{}"}} for n in (0, 1)]
    events = decode(*(chunk({"tool_calls": [call]}) for call in calls), chunk({}, "stop"), DONE)

    assert events == [ToolCall("c0", "t0", {}), ToolCall("c1", "t1", {}), Stop("tool_calls")]


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: nonsense\n\n",
        b"data: [1, 2]\n\n",
        b'data: {"choices": [7]}\n\n',
        b'data: {"choices": {"a": 1}}\n\n',
        b'data: {"choices": [{"delta": {"content": {"a": 1}}}]}\n\n',
        b'data: {"choices": [], "usage": {"total": 1}}\n\n',
        b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n',
    ],
)
def test_a_wrong_shape_is_a_bad_chunk(garbage: bytes) -> None:
    with pytest.raises(ProviderFault, match="bad_chunk"):
        decode(garbage, DONE)


def test_a_stream_cut_anywhere_in_its_bytes_decodes_the_same() -> None:
    stream = b": hello\n\n" + chunk({"content": "é – 🌱"}) + chunk({}, "stop") + DONE
    whole = decode(stream)
    for line_end in (b"\n", b"\r\n", b"\r"):
        data = stream.replace(b"\n", line_end)
        for cut in range(len(data)):
            assert decode(data[:cut], data[cut:]) == whole


def test_data_over_several_lines_is_one_event() -> None:
    assert SSEDecoder().feed(b"event: x\ndata: a\ndata:b\nid: 1\n\n:ping\n\n") == [b"a\nb"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-2"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
    ],
)
def test_retry_after_is_read_in_seconds(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers) == expected


def test_retry_after_may_be_a_date() -> None:
    seconds = retry_after_s({"retry-after": formatdate(time() + 30, usegmt=True)})

    assert seconds == pytest.approx(30, abs=2)


# The registry


async def test_the_same_credentials_share_one_provider() -> None:
    first = registry.provider("openai", Credentials("a"))

    assert registry.provider("openai", Credentials("a")) is first
    assert registry.provider("openai", Credentials("b")) is not first
    assert registry.provider("anthropic", Credentials("a")) is not first


async def test_the_least_recently_used_provider_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "MAX_PROVIDERS", 2)
    a = registry.provider("openai", Credentials("a"))
    b = registry.provider("openai", Credentials("b"))
    registry.provider("openai", Credentials("a"))
    registry.provider("openai", Credentials("c"))

    assert registry.provider("openai", Credentials("a")) is a
    assert registry.provider("openai", Credentials("b")) is not b


async def test_a_forgotten_provider_finishes_its_stream(
    model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MAX_PROVIDERS", 1)
    stream = provider_for("openai", model_server).stream(ask("tokens@10!tps@200"))
    events = [await anext(stream)]
    registry.provider("openai", Credentials("another"))
    events += [event async for event in stream]

    assert text_of(events) == model_server.reply_to(PROMPT, 10)


def test_each_event_loop_has_its_own_provider(model_server: ModelServer) -> None:
    async def reply() -> str:
        events = await events_of(provider_for("openai", model_server), ask("tokens@3"))
        await registry.close_providers()
        return text_of(events)

    assert asyncio.run(reply()) == asyncio.run(reply())


async def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown provider"):
        registry.provider("nobody", Credentials())


def test_a_process_that_only_uses_the_offline_provider_imports_no_sdk_and_no_django() -> None:
    script = """
import asyncio, sys
from opencoach.ai.providers import registry
from opencoach.ai.providers.base import ChatMessage, ChatRequest, Credentials

async def main():
    provider = registry.provider("offline", Credentials())
    stream = provider.stream(ChatRequest("m", "s", [ChatMessage("user", "hi")]))
    await anext(stream)
    await stream.aclose()

asyncio.run(main())
heavy = {"openai", "anthropic", "httpx2", "botocore", "boto3", "django"}
sys.exit(", ".join(heavy & set(sys.modules)) or None)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
