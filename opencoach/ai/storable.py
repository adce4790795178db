"""A model's words as PostgreSQL and UTF-8 can hold them: no NUL, no half of a surrogate pair."""


def storable(text: str) -> str:
    """What cannot be held becomes the replacement character."""
    whole = text.replace("\x00", "\ufffd").encode("utf-16-le", "surrogatepass")
    return whole.decode("utf-16-le", "replace")


class StorableText:
    """The same for a stream, whose server may cut an emoji in two between chunks."""

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = ""

    def storable(self, delta: str) -> str:
        """The text that is whole by now; a first half waits for its second."""
        if delta.isascii() and not self._half and "\x00" not in delta:
            return delta  # nearly every delta
        text, self._half = self._half + delta, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return storable(text)
