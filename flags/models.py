from waffle.models import AbstractUserFlag


class Flag(AbstractUserFlag):
    """Our own flag model from the first migration on: it cannot be swapped in later.

    Flags belong to the platform, so the table has no workspace.
    """
