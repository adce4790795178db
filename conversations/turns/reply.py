"""A reply while it is being made: its text so far, shown to whoever watches."""

import asyncio
from typing import Any

from django.utils.timezone import now

from conversations.live.bus import bus, conversation_topic
from conversations.live.frames import stamp
from conversations.turns.accept import TurnKey

# People read about 40 ms a glance; fewer, larger deltas save most of the cost of a stream.
COALESCE_S = 0.04


class ReplyInProgress:
    """Collects deltas and shows them every 40 ms, the first at once. Lives on the home loop."""

    def __init__(self, turn: TurnKey) -> None:
        self.turn = turn
        self.text = ""
        self._shown = 0
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._topic = conversation_topic(turn.conversation_id)

    @property
    def visible(self) -> bool:
        """Whether the client has seen any of it."""
        return self._shown > 0

    def add(self, text: str) -> None:
        self.text += text
        if self._timer is None:
            self._show()

    def reset(self) -> None:
        """The text is void: a fallback starts again. Said only if somebody could have seen it."""
        self._cancel_timer()
        if self._shown:
            self._publish({"type": "message.reset"})
        self.text, self._shown = "", 0

    def show_again(self) -> None:
        """For a watcher who came late: all that was shown, from its beginning."""
        if self._shown and not self._closed:
            self._publish({"type": "message.delta", "offset": 0, "text": self.text[: self._shown]})

    def close(self) -> None:
        """Nothing is shown from now on; what was not shown yet never is."""
        self._closed = True
        self._cancel_timer()

    def finish(self) -> None:
        """The last of the text goes out at once, ahead of the stored message."""
        self._cancel_timer()
        self._show(again=False)
        self._closed = True

    def _show(self, *, again: bool = True) -> None:
        self._timer = None
        if self._closed or self._shown == len(self.text):
            return
        text, offset = self.text[self._shown :], self._shown
        self._shown = len(self.text)
        self._publish({"type": "message.delta", "offset": offset, "text": text})
        if again:
            self._timer = asyncio.get_running_loop().call_later(COALESCE_S, self._show)

    def _publish(self, frame: dict[str, Any]) -> None:
        bus().publish_passing(
            self._topic,
            frame
            | {
                "conversation": str(self.turn.conversation_id),
                "turn": str(self.turn.id),
                "epoch": self.turn.epoch,
                "at": stamp(now()),
            },
        )

    def _cancel_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
