"""The server-rendered pages: the client's chat and the coach's area."""
