"""What can be wrong with a request to a conversation, in words for whoever asked."""


class Refused(Exception):
    """`code` is for programs, `detail` for people: it says what to change."""

    code = "refused"

    def __init__(self, detail: str, code: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code


class Invalid(Refused):
    """The message or command itself cannot be taken."""

    code = "invalid"


class Missing(Refused):
    """There is no such conversation for this caller."""

    code = "not_found"


class WrongMode(Refused):
    """The conversation is not in a mode that allows this now."""

    code = "wrong_mode"


class NotAllowed(Refused):
    code = "not_allowed"
