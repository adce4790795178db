"""The server itself: its control endpoints, and its wire formats as the SDKs read them."""

import math
from collections.abc import Iterator

import anthropic
import openai
import pytest

from tests.model_server import ModelServer

HELLO = "hello there"


@pytest.fixture
def server(model_server: ModelServer) -> Iterator[ModelServer]:
    model_server.reset()
    yield model_server
    model_server.reset()


def openai_client(server: ModelServer) -> openai.OpenAI:
    return openai.OpenAI(api_key="k", base_url=server.openai_url, max_retries=0)


def say(server: ModelServer, text: str = HELLO, model: str = "gpt-test") -> str:
    """The reply's text, or the name of the SDK's error."""
    with openai_client(server) as client:
        try:
            reply = client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": text}]
            )
        except openai.APIError as error:
            return type(error).__name__
    return reply.choices[0].message.content or ""


def test_a_script_is_played_in_order_and_then_the_default(server: ModelServer) -> None:
    server.script("429", {"text": "word for word"}, "ok!tokens@3")

    assert say(server) == "RateLimitError"
    assert say(server) == "word for word"
    assert say(server) == server.reply_to(HELLO, 3)
    assert say(server) == server.reply_to(HELLO, 20)


def test_a_marked_script_waits_for_its_marker(server: ModelServer) -> None:
    server.script("500", marker="conversation-7")

    assert say(server) == server.reply_to(HELLO)
    assert say(server, "I am conversation-7") == "InternalServerError"
    assert say(server, "I am conversation-7") != "InternalServerError"


def test_a_suffix_of_the_model_wins_over_a_script(server: ModelServer) -> None:
    server.script("500")

    assert say(server, model="gpt-test!tokens@2") == server.reply_to(HELLO, 2)
    assert say(server) == "InternalServerError"


def test_a_misspelt_fault_fails_where_it_is_written(server: ModelServer) -> None:
    with pytest.raises(OSError, match="400"):
        server.script("cutt")
    assert say(server, model="gpt-test!cutt") == "BadRequestError"


def test_random_faults_are_the_same_for_the_same_seed(server: ModelServer) -> None:
    def outcomes() -> list[bool]:
        server.random_faults(0.5, seed=4, faults=["500"])
        return [say(server) == "InternalServerError" for _ in range(12)]

    first = outcomes()
    assert outcomes() == first
    assert 0 < sum(first) < 12


def test_the_default_can_be_set_and_forgotten(server: ModelServer) -> None:
    server.default(tokens=4)
    assert say(server) == server.reply_to(HELLO, 4)

    server.reset()
    assert server.calls() == []
    assert say(server) == server.reply_to(HELLO, 20)


def test_the_log_counts_what_the_usage_named(server: ModelServer) -> None:
    say(server)
    say(server, model="gpt-test!429")

    whole, refused = server.calls()
    assert (whole["prompt_tokens"], whole["completion_tokens_sent"]) == (3, 20)
    assert (whole["finished"], refused["finished"]) == (True, False)
    assert refused["fault"] == "429"


def test_openais_sdk_reads_embeddings_of_unit_length(server: ModelServer) -> None:
    with openai_client(server) as client:
        texts = ["calm mornings", "calm evenings", "quarterly numbers"]
        answer = client.embeddings.create(model="embed", input=texts, dimensions=256)
    calm, evening, numbers = (row.embedding for row in answer.data)

    assert math.isclose(math.fsum(x * x for x in calm), 1, rel_tol=1e-5)
    assert dot(calm, evening) > 0.4
    assert dot(calm, evening) > dot(calm, numbers)


def dot(a: list[float], b: list[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("vendor", ["anthropic", "bedrock"])
def test_anthropics_sdk_reads_plain_and_streamed_messages(server: ModelServer, vendor: str) -> None:
    with anthropic_client(vendor, server) as client:
        plain = client.messages.create(
            model="claude", max_tokens=100, messages=[{"role": "user", "content": HELLO}]
        )
        with client.messages.stream(
            model="claude!tps@2000", max_tokens=100, messages=[{"role": "user", "content": HELLO}]
        ) as stream:
            streamed = stream.get_final_message()
    for message in (plain, streamed):
        assert message.content[0].type == "text"
        assert message.content[0].text == server.reply_to(HELLO)
        assert (message.usage.input_tokens, message.usage.output_tokens) == (3, 20)
        assert message.stop_reason == "end_turn"


def anthropic_client(
    vendor: str, server: ModelServer
) -> anthropic.Anthropic | anthropic.AnthropicBedrock:
    if vendor == "anthropic":
        return anthropic.Anthropic(api_key="k", base_url=server.url, max_retries=0)
    return anthropic.AnthropicBedrock(
        api_key="k", aws_region="eu-central-1", base_url=server.url, max_retries=0
    )
