"""Sending a message and staying for its answer: `Prefer: wait` and server-sent events."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import structlog
from django.db import connection
from django.http import StreamingHttpResponse
from django.utils.timezone import now
from rest_framework.request import Request
from rest_framework.response import Response

from conversations.api.serializers import sent_json
from conversations.exceptions import Refused, WrongMode
from conversations.home import at_home, call_home
from conversations.live.frames import Frame, stamp
from conversations.live.view import LiveView, is_answer
from conversations.models import Conversation, Mode
from conversations.turns.accept import Accepted, checked_content
from conversations.turns.engine import handle_message
from opencoach.common.rls import enter_workspace

log = structlog.get_logger(__name__)

MOST_WAIT_S = 60
STREAM_LIMIT_S = 300
_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*(\d{1,4})\s*(?:,|;|$)")


class ViewLost(Exception):
    """What is stored could not be read: the database is away."""


def wants_stream(request: Request) -> bool:
    return "text/event-stream" in request.headers.get("Accept", "")


def wait_seconds(request: Request) -> int:
    """The seconds of `Prefer: wait=30` (RFC 7240, 4.3); 0 when the caller will not wait."""
    found = _WAIT.search(request.headers.get("Prefer", ""))
    return min(int(found[1]), MOST_WAIT_S) if found else 0


def send_and_wait(conversation: Conversation, message: dict[str, Any], seconds: int) -> Response:
    """201 with the reply; 202 when the time is over first, or a human holds the conversation."""
    connection.close()  # goes back to the pool: nobody keeps one while waiting
    accepted, answer = call_home(_send_and_await_answer(conversation, message, seconds))
    body = sent_json(accepted)
    if answer and answer["type"] == "turn.failed":
        body["turn"] = {"id": answer["turn"], "status": "failed"}
    if answer is None or answer["type"] != "message.completed":
        return Response(body, status=202)
    body["turn"] = {"id": answer["turn"], "status": "completed"}
    applied = {"Preference-Applied": f"wait={seconds}"}
    return Response(body | {"reply": answer["message"]}, status=201, headers=applied)


async def _send_and_await_answer(
    conversation: Conversation, message: dict[str, Any], seconds: int
) -> tuple[Accepted, Frame | None]:
    accepted = await handle_message(**message)
    seq = accepted.message.seq
    async with LiveView(conversation.id, after=seq, reads_deltas=False) as view:
        if accepted.turn_id is None and not accepted.repeated:
            return accepted, None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    frame = await view.next()
                    if is_answer(frame, seq):
                        return accepted, frame
        except TimeoutError:
            return accepted, None


def send_and_stream(conversation: Conversation, message: dict[str, Any]) -> StreamingHttpResponse:
    """Events as the socket has them, from the message itself to whatever settles it.

    Raises what can be told before the stream begins, when there is still a status to say it.
    """
    checked_content(message["content"])
    if conversation.mode == Mode.COMPLETED:
        raise WrongMode("This conversation is completed: start a new one.")
    connection.close()
    response = StreamingHttpResponse(
        _encoded(conversation, message), content_type="text/event-stream"
    )
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response


async def _encoded(conversation: Conversation, message: dict[str, Any]) -> AsyncIterator[bytes]:
    """Ends whatever happens: an error that left it would leave the caller waiting for ever."""
    enter_workspace(conversation.workspace_id)  # the request's own scope ended with its view
    try:
        async for frame in _frames(conversation, message):
            yield _event(frame)
    except Refused as refused:
        yield _error(conversation, refused.code, refused.detail)
    except Exception:  # told to the caller, and logged
        log.exception("stream.broken")
        yield _error(conversation, "stream_broken", "Read the rest from `events/?after=`.")


async def _frames(conversation: Conversation, message: dict[str, Any]) -> AsyncIterator[Frame]:
    """Watches before it sends, so that not one delta is missed."""
    async with LiveView(
        conversation.id, after=conversation.last_seq, epoch=conversation.epoch
    ) as view:
        accepted = await at_home(handle_message(**message))
        seq = accepted.message.seq
        if accepted.repeated:  # what is stored is told from the message on, once more
            view.seq = seq - 1
            view.check(seq)
        async with asyncio.timeout(STREAM_LIMIT_S):
            while True:
                frame = await view.next()
                if frame["type"] == "view.lost":
                    raise ViewLost
                yield frame
                if is_answer(frame, seq) or (accepted.mode != "ai" and frame.get("seq", 0) >= seq):
                    return


def _error(conversation: Conversation, code: str, detail: str) -> bytes:
    return _event(
        {
            "type": "error",
            "conversation": str(conversation.id),
            "at": stamp(now()),
            "code": code,
            "detail": detail,
        }
    )


def _event(frame: Frame) -> bytes:
    lines = [f"event: {frame['type']}", f"data: {json.dumps(frame, ensure_ascii=False)}"]
    if "seq" in frame:
        lines.append(f"id: {frame['seq']}")
    return ("\n".join(lines) + "\n\n").encode()
