class AccountsError(Exception):
    """What was asked for cannot be done; the text says why and what to change."""


class UnknownScope(AccountsError):
    pass


class ForeignCoach(AccountsError):
    """The coach belongs to another workspace: keys between tables do not check that."""
