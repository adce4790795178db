"""Sockets: who is it, decode, call, encode. What happens is decided elsewhere."""

import asyncio
import json
import time
from typing import Any
from uuid import UUID, uuid4

import structlog
from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.utils.timezone import now

from conversations import takeover
from conversations.exceptions import Invalid, Missing, NotAllowed, Refused
from conversations.live.bus import RESUMED, bus, conversation_topic, inbox_topic
from conversations.live.frames import Frame, stamp
from conversations.live.handshake import Handshake, recheck, resolve
from conversations.live.view import LiveView, TooSlow
from conversations.models import Conversation
from conversations.selectors import conversation_for, inbox_summaries, running_turn_id
from conversations.turns.accept import checked_client_message_id
from conversations.turns.engine import handle_message
from opencoach.accounts.access import Caller, CallerRefused
from opencoach.accounts.scopes import Scope
from opencoach.common.hops import database_hop
from opencoach.common.http import check_json, no_constant
from opencoach.common.problems import unavailable
from opencoach.common.rls import enter_workspace
from opencoach.common.tracing import bind_trace_id, new_trace_id

log = structlog.get_logger(__name__)

RECHECK_SECONDS = 30
INBOX_COALESCE_S = 0.2
# Close codes of our own (RFC 6455, 7.4.2 leaves 4000 to 4999 to applications).
UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, TOO_SLOW, UNAVAILABLE = 4401, 4403, 4404, 4408, 4503


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """What both sockets share: a caller who is checked again, frames out, commands in."""

    handshake: Handshake
    caller: Caller

    async def dispatch(self, message: dict[str, Any]) -> None:
        """As Channels has it, without closing the database connections of a thread we never use."""
        await getattr(self, get_handler_name(message))(message)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:  # also where the server cancels a socket that hangs, without a disconnect
            await self.leave()

    async def leave(self) -> None:
        """Lets go of whatever `begin` took hold of."""

    async def connect(self) -> None:
        bind_trace_id(new_trace_id())
        self.handshake = Handshake.of(self.scope)
        await self.accept(self.handshake.subprotocol)
        try:
            self.caller = await database_hop(resolve, self.handshake)
            enter_workspace(self.caller.workspace_id)
            self._checked_at = time.monotonic()
            await self.begin()
        except CallerRefused as refused:
            await self.refuse(refused.code, refused.detail, UNAUTHENTICATED)
        except Missing as refused:
            await self.refuse(refused.code, refused.detail, NOT_FOUND)
        except NotAllowed as refused:
            await self.refuse(refused.code, refused.detail, FORBIDDEN)
        except unavailable():
            await self.refuse("unavailable", "Try again in a moment.", UNAVAILABLE)

    async def begin(self) -> None:
        raise NotImplementedError

    async def refuse(self, code: str, detail: str, close_code: int) -> None:
        await self.send_frame({"type": "error", "code": code, "detail": detail})
        await self.close(close_code)

    async def send_frame(self, frame: Frame) -> None:
        if "at" not in frame:
            frame["at"] = stamp(now())
        await self.send(json.dumps(frame, separators=(",", ":"), ensure_ascii=False))

    def must_recheck(self) -> bool:
        return time.monotonic() - self._checked_at > RECHECK_SECONDS

    async def still_allowed(self) -> bool:
        """Checks token, key and membership again; closes the socket where they no longer hold."""
        try:
            await database_hop(recheck, self.handshake, self.caller)
        except CallerRefused as refused:
            await self.refuse(refused.code, refused.detail, UNAUTHENTICATED)
            return False
        self._checked_at = time.monotonic()
        return True

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        command: dict[str, Any] = {}
        try:
            command = decoded(text_data)
            if self.must_recheck() and not await self.still_allowed():
                return
            await self.command(command)
        except Refused as refused:
            await self.send_frame(
                {"type": "error", "code": refused.code, "detail": refused.detail}
                | _of_message(command)
            )
        except unavailable():
            await self.send_frame(
                {"type": "error", "code": "unavailable", "detail": "Send it again in a moment."}
                | _of_message(command)
            )

    async def command(self, command: dict[str, Any]) -> None:
        raise NotImplementedError


class ConversationConsumer(LiveConsumer):
    """`/ws/conversations/{id}/`: one conversation, for its client and for coaches."""

    view: LiveView | None = None
    conversation: Conversation
    _writer: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        self._name = uuid4().hex  # so that its own typing is not echoed to it
        conversation_id: UUID = self.scope["url_route"]["kwargs"]["conversation_id"]
        self.conversation = await database_hop(conversation_for, self.caller, conversation_id)
        after = self.handshake.after
        self.view = LiveView(
            conversation_id,
            after=self.conversation.last_seq if after is None else after,
            epoch=self.conversation.epoch,
        )
        await self.send_frame(
            {
                "type": "hello",
                "conversation": str(conversation_id),
                "seq": self.conversation.last_seq,
                "mode": self.conversation.mode,
                "turn": _text(await database_hop(running_turn_id, conversation_id)),
            }
        )
        await self.view.__aenter__()
        self._writer = asyncio.create_task(self._write(self.view))

    async def leave(self) -> None:
        if self._writer:
            self._writer.cancel()
        if self.view:
            await self.view.__aexit__()

    async def _write(self, view: LiveView) -> None:
        try:
            while True:
                frame = await view.next()
                if self.must_recheck() and not await self.still_allowed():
                    return
                if frame["type"] == "view.lost":
                    await self.close(UNAVAILABLE)
                    return
                if "from" not in frame:
                    await self.send_frame(frame)
                elif frame["from"] != self._name:
                    await self.send_frame({k: v for k, v in frame.items() if k != "from"})
        except TooSlow:
            await self.refuse("too_slow", "Reconnect with `after=`.", TOO_SLOW)
        except unavailable():
            await self.close(UNAVAILABLE)

    async def command(self, command: dict[str, Any]) -> None:
        match command["type"]:
            case "message.send":
                await self._message_send(command)
            case "typing":
                self._typing()
            case "ping":
                await self._ping()
            case "takeover":
                _only(command)
                await takeover.intervene(takeover.take_over, self.conversation.id, self.caller)
            case "handback":
                await self._hand_back(command)
            case other:
                raise Invalid(
                    f"Unknown type {str(other)[:40]!r}; known are message.send, typing, ping, "
                    "takeover, handback.",
                    "unknown_type",
                )

    def _check_may_write(self) -> None:
        if not self.caller.may(Scope.CONVERSATIONS_WRITE):
            raise NotAllowed(f"This needs the scope {Scope.CONVERSATIONS_WRITE}.")

    async def _message_send(self, command: dict[str, Any]) -> None:
        _only(command, "content", "client_message_id")
        self._check_may_write()
        content = command.get("content")
        client_message_id = checked_client_message_id(command.get("client_message_id"))
        bind_trace_id(new_trace_id())
        if self.caller.speaks_as_client:
            await handle_message(
                conversation_id=self.conversation.id,
                content=content,  # type: ignore[arg-type]  # accept checks it
                client_message_id=client_message_id,
                author_name=self.author_name,
            )
        else:
            await takeover.intervene(
                takeover.write_as_coach,
                self.conversation.id,
                self.caller,
                content,
                client_message_id,
            )

    @property
    def author_name(self) -> str:
        """An integrator's key passes on what the client said."""
        return self.caller.name if self.caller.client_id else self.conversation.client.display_name

    async def _hand_back(self, command: dict[str, Any]) -> None:
        _only(command, "mode", "note")
        await takeover.intervene(
            takeover.hand_back,
            self.conversation.id,
            self.caller,
            command.get("mode", "answer_pending"),
            command.get("note", ""),
        )

    def _typing(self) -> None:
        self._check_may_write()
        who = "client" if self.caller.client_id else "coach"
        frame = {
            "type": f"{who}.typing",
            "conversation": str(self.conversation.id),
            "name": self.caller.name,
            "from": self._name,
        }
        bus().publish([conversation_topic(self.conversation.id)], frame)

    async def _ping(self) -> None:
        """Also heals what the bus lost: the view reads on if the log is longer than it knows."""
        fresh = await database_hop(conversation_for, self.caller, self.conversation.id)
        if self.view:
            self.view.check(fresh.last_seq)
        await self.send_frame({"type": "pong", "conversation": str(fresh.id)})


class InboxConsumer(LiveConsumer):
    """`/ws/inbox/`: what happens in all conversations of the practice, for its coaches."""

    _writer: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        if self.caller.client_id or not self.caller.may(Scope.CONVERSATIONS_READ):
            raise NotAllowed("The inbox is for coaches.")
        self._waiting: dict[str, Frame] = {}
        """The latest frame of each conversation: what a row of the list shows."""
        self._resumed = False
        self._changed = asyncio.Event()
        self._writer = asyncio.create_task(self._write())
        await bus().watch(inbox_topic(self.caller.workspace_id), self._take)
        await self.send_frame({"type": "hello"})

    async def leave(self) -> None:
        if self._writer:
            self._writer.cancel()
            await bus().unwatch(inbox_topic(self.caller.workspace_id), self._take)

    def _take(self, frame: Frame) -> None:
        if frame is RESUMED:
            self._resumed = True
        elif "seq" in frame:
            self._waiting[frame["conversation"]] = frame
        self._changed.set()

    async def _write(self) -> None:
        try:
            while True:
                await self._changed.wait()
                await asyncio.sleep(INBOX_COALESCE_S)
                self._changed.clear()
                if self.must_recheck() and not await self.still_allowed():
                    return
                await self._write_changes()
        except unavailable():
            await self.close(UNAVAILABLE)  # the page reconnects, and loads the list anew

    async def _write_changes(self) -> None:
        """One query for all that changed in the last moment, however much was said."""
        latest, self._waiting = self._waiting, {}
        ids = {UUID(conversation) for conversation in latest}
        summaries = await database_hop(inbox_summaries, self.caller, ids)
        known = {summary["id"]: summary for summary in summaries}
        for frame in latest.values():
            await self.send_frame({**frame, "summary": known.get(frame["conversation"])})
        if self._resumed:
            self._resumed = False
            await self.send_frame({"type": "inbox.resumed"})

    async def command(self, command: dict[str, Any]) -> None:
        if command["type"] != "ping":
            raise Invalid("The inbox takes `ping` only.", "unknown_type")
        await self.send_frame({"type": "pong"})


def decoded(text: str | None) -> dict[str, Any]:
    """A JSON object with a `type`. Raises `Invalid`."""
    try:
        command = check_json(json.loads(text or "", parse_constant=no_constant))
    except (ValueError, RecursionError):
        raise Invalid("A frame must be a JSON object in a text frame.", "not_json") from None
    if not isinstance(command, dict) or not isinstance(command.get("type"), str):
        raise Invalid("A frame must be a JSON object with a `type`.", "no_type")
    return command


def _only(command: dict[str, Any], *fields: str) -> None:
    unknown = sorted(set(command) - {"type", *fields})
    if unknown:
        raise Invalid(f"Unknown fields: {', '.join(unknown)[:200]}.", "unknown_field")


def _of_message(command: dict[str, Any]) -> dict[str, Any]:
    """So that a page knows which of its messages an error is about."""
    name = command.get("client_message_id")
    return {"client_message_id": name} if isinstance(name, str) else {}


def _text(value: object) -> str | None:
    return str(value) if value else None


class NowhereConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Any other address: closed with a reason rather than with an error in our log."""

    async def connect(self) -> None:
        await self.accept()
        await self.close(NOT_FOUND)
