"""Server-sent events, decoded from bytes as they come off the network.

The SDKs' typed streams spend most of their time building models; a reply needs three fields of
each event, so the providers decode the bytes themselves.
"""

MAX_EVENT_BYTES = 4 * 1024 * 1024


class SSEDecoder:
    """`feed` takes what one read brought and returns the data of the events it completed."""

    def __init__(self) -> None:
        self._rest = b""
        self._carriage_return = False

    def feed(self, data: bytes) -> list[bytes]:
        """Raises ValueError when an event outgrows MAX_EVENT_BYTES."""
        if self._carriage_return or b"\r" in data:
            data = self._with_newlines(data)
        *events, self._rest = (self._rest + data).split(b"\n\n")
        if len(self._rest) > MAX_EVENT_BYTES:
            raise ValueError(f"an event of more than {MAX_EVENT_BYTES} bytes")
        return [payload for event in events if (payload := _data(event))]

    def _with_newlines(self, data: bytes) -> bytes:
        # A CR at the end of one read and the LF at the start of the next are one line end.
        if self._carriage_return:
            data = b"\r" + data
        self._carriage_return = data.endswith(b"\r")
        if self._carriage_return:
            data = data[:-1]
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _data(event: bytes) -> bytes:
    if event.startswith(b"data: ") and b"\n" not in event:
        return event[6:]
    lines = [line[5:] for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(line.removeprefix(b" ") for line in lines)
