"""What can be wrong with a document, in words that say what to change."""


class DocumentRefused(Exception):
    """It is not stored at all."""


class NotText(DocumentRefused):
    """A file of another kind, or with characters that no text has."""


class EmptyText(DocumentRefused):
    pass


class TooMuchText(DocumentRefused):
    pass
