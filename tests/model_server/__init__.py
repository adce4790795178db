"""A model server over real HTTP that speaks the vendors' wire formats, faults included."""

from tests.model_server.runner import ModelServer

__all__ = ["ModelServer"]
